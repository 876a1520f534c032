"""What the recorded decisions mean for the cells as they are now; pure.

A decision is about one render and about the bytes that were looked at. When a cell asks for another render, or its file
is another one, an approval is void: somebody has to look again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from flux_pipeline.ledger.decisions import Decision, latest
from flux_pipeline.ledger.history import History
from flux_pipeline.ledger.keys import key_of
from flux_pipeline.manifest.cell import Cell

State = Literal["approved", "rejected", "void", "none"]
STATES: Final[tuple[State, ...]] = ("approved", "rejected", "void", "none")
_TOLD: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What was decided on a cell's picture, if that still counts; `reason` says what became of it otherwise."""

    cell: Cell
    state: State
    decision: Decision | None = None
    reason: str = ""


def paths_to_survey(cells: Iterable[Cell], history: History) -> frozenset[str]:
    """Return every path whose file decides whether a decision still counts."""
    return frozenset(cell.path for cell in cells if history.decision(cell.key) is not None)


def standings(cells: Sequence[Cell], history: History, present: Mapping[str, str]) -> tuple[Standing, ...]:
    """Say for every cell what was decided.

    `present` maps a path that exists to the SHA-256 of its file (empty where it is no regular file).
    """
    reviewed = [one for one in history.submissions.values() if one.review is not None]
    if not reviewed:
        return tuple(Standing(cell=cell, state="none") for cell in cells)
    wanted: dict[str, set[str]] = {}
    for cell in cells:
        wanted.setdefault(cell.id, set()).add(cell.key)
    earlier: dict[str, list[Decision | None]] = {}
    for one in reviewed:
        for name in {one.cell, *one.review.cells} if one.review else ():
            # Where another manifest has a cell of this name, its decisions are not about an earlier picture of this one.
            if name in wanted and one.key not in wanted[name]:
                earlier.setdefault(name, []).append(one.review)
    return tuple(
        _standing(cell, history.decision(cell.key), latest(earlier.get(cell.id, ())), present) for cell in cells
    )


def _standing(cell: Cell, decision: Decision | None, earlier: Decision | None, present: Mapping[str, str]) -> Standing:
    if decision is None:
        if earlier is None or earlier.verdict != "approved":
            return Standing(cell=cell, state="none")
        reason = f"approved as an earlier picture{_by(earlier)}; look again"
        return Standing(cell=cell, state="void", decision=earlier, reason=reason)
    if decision.verdict == "none":
        return Standing(cell=cell, state="none", decision=decision)
    if present.get(cell.path, decision.sha256) != decision.sha256:
        reason = f"{decision.verdict}{_by(decision)}, but {cell.path} is another file now; look again"
        return Standing(cell=cell, state="void", decision=decision, reason=reason)
    return Standing(cell=cell, state=decision.verdict, decision=decision)


def _by(decision: Decision) -> str:
    return f" by {decision.by} on {decision.day}"


def groups(cells: Iterable[Cell]) -> dict[int, tuple[int, ...]]:
    """Return which cells compete for one place, as numbers of cells by the number of each of them.

    They are the cells of an entry that differ only in their seed. The cells are those of one manifest.
    """
    found: dict[tuple[str, str, str], list[int]] = {}
    for number, cell in enumerate(cells):
        axes = json.dumps([_without_seed(cell.axes), _without_seed(cell.row)], sort_keys=True)
        alike = key_of(cell.model, _without_seed(cell.params))
        found.setdefault((cell.entry, alike, axes), []).append(number)
    return {number: tuple(group) for group in found.values() for number in group}


def _without_seed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "seed"}


def counted(found: Iterable[Standing]) -> dict[str, int]:
    """Return how many cells are in each state."""
    counts = Counter(one.state for one in found)
    return {state: counts[state] for state in STATES}


def document(found: Sequence[Standing]) -> dict[str, Any]:
    """Return what was decided as a member of a JSON document; nothing where nobody decided."""
    decided = [one for one in found if one.decision is not None]
    if not decided:
        return {}
    cells = [
        {
            "cell": one.cell.id,
            "key": one.cell.key,
            "state": one.state,
            "by": one.decision.by,
            "at": one.decision.at,
            "note": one.decision.note,
            "reason": one.reason,
        }
        for one in decided
        if one.decision
    ]
    return {"review": {"counts": counted(found), "cells": cells}}


def told(found: Sequence[Standing]) -> Iterator[str]:
    """Yield in words what was decided, and every decision that no longer counts; nothing where nobody decided."""
    counts = counted(found)
    words = {"approved": "approved", "rejected": "rejected", "void": "to look at again"}
    if said := ", ".join(f"{counts[state]} {word}" for state, word in words.items() if counts[state]):
        yield f"review: {said}, {counts['none']} undecided"
    void = [one for one in found if one.state == "void"]
    for one in void[:_TOLD]:
        yield f"{'void':<9} {one.cell.id}  {one.reason}"
    if len(void) > _TOLD:
        yield f"… and {len(void) - _TOLD} more: `--json` names them all"
