"""Every cell of a run that has ended, one by one: what the reports for other machines are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from flux_pipeline.ledger.facts import Submission
from flux_pipeline.ledger.history import History
from flux_pipeline.report import names
from flux_pipeline.report.names import Parts
from flux_pipeline.report.state import state_at_end
from flux_pipeline.run.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A cell at the end of a run.

    `suite` is what its entry is called and `name` what itself is: with the manifest where two have an entry of that id.
    `reason` is empty for a cell that is saved with everything derived of it. `cost` is in dollars, None if nobody knows
    or nothing was asked; of cells that share a render, the first has it. `seconds` is how long the task took, by the
    lockfile.
    """

    manifest: str
    entry: str
    suite: str
    cell: str
    name: str
    path: str
    state: str
    reason: str
    task: str | None
    cost: Decimal | None
    seconds: float


def cases(parts: Parts, outcome: Outcome, history: History) -> tuple[Case, ...]:
    """Return every cell of `parts`, which are the names of manifests with their selected cells."""
    return tuple(_cases(parts, outcome, history))


def _cases(parts: Parts, outcome: Outcome, history: History) -> Iterator[Case]:
    ends = {end.key: end for end in outcome.ends}
    underived = _underived(outcome)
    charged: set[str] = set()
    suites = names.entries(parts)
    for manifest, cells in parts:
        for cell in cells:
            end = ends.get(cell.key)
            if end is None:
                continue
            state, reason = state_at_end(end), end.reason
            if state == "saved" and cell.id in underived:
                state, reason = "failed", underived[cell.id]
            yield Case(
                manifest=manifest,
                entry=cell.entry,
                suite=suites[manifest, cell.entry],
                cell=cell.id,
                name=cell.id if suites[manifest, cell.entry] == cell.entry else f"{manifest}: {cell.id}",
                path=cell.path,
                state=state,
                reason=reason,
                task=end.task,
                cost=None if cell.key in charged else _cost(history.of(cell.key)),
                seconds=_seconds(history.best(cell.key)),
            )
            charged.add(cell.key)


def _underived(outcome: Outcome) -> Mapping[str, str]:
    reasons: dict[str, list[str]] = {}
    for end in outcome.underived:
        reasons.setdefault(end.cells[0], []).append(end.reason)
    return {cell: "; ".join(each) for cell, each in reasons.items()}


def _cost(submissions: Iterable[Submission]) -> Decimal | None:
    settled = [one for one in submissions if one.settled is not None]
    if not settled or any(one.unpriced for one in settled):
        return None
    return sum((one.reserved for one in settled), Decimal(0))


def _seconds(one: Submission | None) -> float:
    if one is None or one.settled is None or not one.intended_at:
        return 0.0
    try:
        return max(
            (datetime.fromisoformat(one.settled.at) - datetime.fromisoformat(one.intended_at)).total_seconds(), 0
        )
    except (ValueError, TypeError, OverflowError):
        return 0.0
