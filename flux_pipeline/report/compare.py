"""A comparison as a JSON document, and what all its forms share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flux_pipeline.comparison import Change, Comparison, Dollars, Row, Version
from flux_pipeline.ledger.keys import Json
from flux_pipeline.report.controls import CONTROLS
from flux_pipeline.report.documents import dollars
from flux_pipeline.report.standing import UNNAMED
from flux_pipeline.report.text import known, money
from flux_pipeline.report.wording import Piece, fitted, pieces

_UNSEEN = re.compile(rf"(?:(?!\n){CONTROLS.pattern.removesuffix('+')}|[\ufffe\uffff])+")  # line ends are seen
MOST = 4000  # characters of one text
NO_PROMPTS = "lockfiles do not hold prompts: name the manifest with --manifest, or compare it with --against REV"

REHEARSED = "a rehearsal: nothing was paid"
NOTHING = "Neither side has a cell, so there is nothing to compare."


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a picture can be looked at, or the `reason` why not.

    `path` is a file on disk that holds it, below the output root, and `address` the way there from where the report
    is read, as a browser reads it; both are empty where it is not on disk. `source` is a thumbnail as a data URI.
    """

    path: str = ""
    address: str = ""
    source: str = ""
    width: int = 0
    height: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A comparison with the names of its two sides, and the pictures by cell: (before, after).

    `mixed` says which side alone is a rehearsal, `unread` which prompts could not be read and why; `unknown` why some others are not known, if some are not. `command` is what writes the page.
    """

    comparison: Comparison
    old: str
    new: str
    looks: Mapping[str, tuple[Look | None, Look | None]]
    simulated: bool = False
    mixed: str = ""
    unread: str = ""
    unknown: str = NO_PROMPTS
    command: str = "flux-pipeline compare -o compare.html"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader has to know before the cells."""
        return tuple(one for one in (self.mixed, self.unread or (self.unknown if self._blind else "")) if one)

    @property
    def _blind(self) -> bool:
        sides = (side for row in self.comparison.rows if row.differs for side in (row.before, row.after))
        return any(side.prompt is None for side in sides if side)


def clean(text: str, most: int | None = MOST) -> str:
    """Return a text without characters that act on their surroundings, cut when it is very long; line ends stay."""
    text = _UNSEEN.sub(" ", text.replace("\r\n", "\n"))
    return text if most is None or len(text) <= most else f"{text[: most - 1]}…"


def value(given: Json) -> str:
    """Return a parameter's value as people write it."""
    return "—" if given is None else given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def wording(row: Row) -> tuple[Piece, ...]:
    """Return how the prompt changed; nothing where it did not. Where one side is unknown, the other one stands alone."""
    old, new = _prompts(row)
    if old is not None and new is not None:
        return pieces(old, new) if old != new else ()
    return () if row.change is not Change.CHANGED else (*pieces(old or "", ""), *pieces("", new or ""))


def unknown(row: Row) -> str:
    """Return which side's prompt nobody knows, where a request has changed; nothing where both are known."""
    old, new = _prompts(row)
    if row.change is not Change.CHANGED or (old is not None and new is not None):
        return ""
    return "unknown before" if new is not None else "unknown now" if old is not None else "unknown"


def shown(row: Row, most: int) -> tuple[Piece, ...]:
    """Return how the prompt changed in about so many characters, with signs for line ends and tabs that changed."""
    return tuple(
        piece if piece.fate == "kept" else Piece(piece.fate, clean(_signed_space(piece.text), None))
        for piece in fitted(wording(row), most)
    )


def _signed_space(text: str) -> str:
    """Put signs where a change is of what nobody sees."""
    return text.replace("\r\n", "\n").replace("\n", "⏎\n").replace("\t", "⇥")


def prompt(row: Row) -> str:
    """Return the prompt of a cell whose prompt did not change; nothing where it is not known."""
    side = row.after or row.before
    return (side.prompt or "") if side and not wording(row) else ""


def _prompts(row: Row) -> tuple[str | None, str | None]:
    return row.before.prompt if row.before else None, row.after.prompt if row.after else None


def title(row: Row) -> str:
    """Return what a row is called: its cell, or whose dollars it has."""
    return row.cell or UNNAMED


def kind(row: Row) -> str:
    """Return the word for a row: what became of its cell."""
    return str(row.change) if row.cell else "money"


def notes(row: Row) -> tuple[str, ...]:
    """Return what else is worth a word, the dollars among it where nothing else says why they are others."""
    if row.change is not Change.SAME or row.notes or not row.costs_differ:
        return row.notes
    whose = "though its request is the same" if row.cell else "for renders that no cell asks for now"
    if row.paid != Dollars():
        return (f"{amount(row.paid)} was paid in between {whose}",)
    if row.due != Dollars():
        return (f"{amount(row.due)} may still be due {whose}",)
    if row.difference.known < 0 and not row.difference.unknown:
        return (f"{money(-row.difference.known)} less is on record now",)
    if row.difference.known > 0 and not row.difference.unknown:
        return (f"{money(row.difference.known)} more is counted for it than before",)
    return ("what it has cost is known for one side only",)


def amount(sum_: Dollars) -> str:
    return known(sum_.known, sum_.unknown)


def signed(sum_: Dollars) -> str:
    """Return a difference with its sign."""
    if sum_.unknown:
        return "unknown"
    sign = "+" if sum_.known > 0 else "−" if sum_.known < 0 else ""
    return sign + money(abs(sum_.known))


def spending(row: Row) -> str:
    """Return a row's dollars in words."""
    before, after = (amount(one) if one != Dollars() else "nothing" for one in (row.spent_before, row.spent_after))
    if row.spent_before == row.spent_after and row.difference == Dollars():
        said = "nothing paid" if before == "nothing" else f"{before} before and after"
    else:
        said = f"{before} before, {after} after ({signed(row.difference)})"
    return f"{said}, {amount(row.due)} may still be due" if row.due != Dollars() else said


def counted(comparison: Comparison) -> str:
    """Return the counts in one sentence."""
    counts = comparison.counts()
    odd = sum(row.differs for row in comparison.rows if row.change is Change.SAME)
    said = ", ".join(f"{counts[change]} {change}" for change in Change if counts[change]) or "no cells on either side"
    new = f" ({odd} of them with something new)" if odd else ""
    return said + new + (f", and dollars {UNNAMED}" if comparison.elsewhere.differs else "")


def costs(total: Row) -> str:
    """Return the dollars in one sentence."""
    paid = amount(total.paid) if total.paid != Dollars() else "nothing"
    due = f"{amount(total.due)} may still be due" if total.due != Dollars() else "nothing is due"
    return (
        f"{amount(total.spent_before)} before, {amount(total.spent_after)} after ({signed(total.difference)}); "
        f"{paid} was paid in between, {due}"
    )


def document(report: Report) -> dict[str, Any]:
    """Return what `compare --json` prints: every cell, those that are the same among them."""
    comparison = report.comparison
    return {
        "old": report.old,
        "new": report.new,
        "simulated": report.simulated,
        "notes": [*report.remarks],
        "differs": comparison.differs,
        "counts": {str(change): count for change, count in comparison.counts().items()},
        "cost_usd": _dollars(comparison.total()),
        "not_in_manifest": {"differs": comparison.elsewhere.differs, "cost_usd": _dollars(comparison.elsewhere)},
        "cells": [_row(row, *report.looks.get(row.cell, (None, None))) for row in comparison.rows],
    }


def _row(row: Row, before: Look | None, after: Look | None) -> dict[str, Any]:
    return {
        "cell": row.cell,
        "change": str(row.change),
        "differs": row.differs,
        "notes": list(notes(row)),
        "prompt": [[piece.fate, piece.text] for piece in wording(row)],
        "prompt_unknown": unknown(row) or None,
        "params": {name: {"old": old, "new": new} for name, (old, new) in row.parameters.items()},
        "cost_usd": _dollars(row),
        "old": _version(row.before, before),
        "new": _version(row.after, after),
    }


def _dollars(row: Row) -> dict[str, Any]:
    sums = {
        "old": row.spent_before,
        "new": row.spent_after,
        "difference": row.difference,
        "paid": row.paid,
        "due": row.due,
    }
    unknown = {name: one.unknown for name, one in sums.items() if one.unknown}
    told = {name: dollars(one.known if one.known or not one.unknown else None) for name, one in sums.items()}
    return told | ({"unknown_prices": unknown} if unknown else {})


def _version(version: Version | None, look: Look | None) -> dict[str, Any] | None:
    if version is None:
        return None
    return {
        "key": version.key,
        "state": version.state,
        "task": version.task,
        "model": version.model,
        "prompt": version.prompt,
        "path": version.path,
        "sha256": version.picture.sha256 if version.picture else None,
        "on_disk": (look.path or None) if look else None,
        "not_shown": (look.reason or None) if look else None,
    }
