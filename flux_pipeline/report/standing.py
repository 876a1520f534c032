"""Where the cells of each entry stand, and what they have cost: of a plan, or of a run that has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from flux_pipeline.ledger.history import History
from flux_pipeline.plan import Plan
from flux_pipeline.report import names
from flux_pipeline.report.controls import plain
from flux_pipeline.report.names import Parts
from flux_pipeline.report.state import state_at_end, state_of
from flux_pipeline.report.table import Table, as_csv
from flux_pipeline.report.text import known
from flux_pipeline.run.outcome import Outcome

UNNAMED = "(not in the manifest)"
UNSELECTED = "(not selected)"
HEAD = ("entry", "cells", "saved", "paid", "failed", "cancelled", "running", "doubtful", "pending", "cost")
_OPTIONAL = frozenset({"paid", "cancelled"})
_ROLES = frozenset({"saved", "paid", "failed", "cancelled", "running", "doubtful", "pending"})


@dataclass(slots=True)
class Standing:
    """An entry's cells by state, the dollars that are gone for it, and how many amounts besides nobody knows."""

    cells: int = 0
    states: Counter[str] = field(default_factory=Counter)
    spent: Decimal = Decimal(0)
    unknown: int = 0

    def row(self, name: str) -> tuple[str, ...]:
        return (*self._counted(name), known(self.spent, self.unknown))

    def record(self, name: str) -> tuple[str, ...]:
        """Return the same with exact dollars, empty where nothing is known, and how many amounts they lack."""
        exact = f"{self.spent:f}" if self.spent or not self.unknown else ""
        return (*self._counted(name), exact, str(self.unknown))

    def _counted(self, name: str) -> tuple[str, ...]:
        return (plain(name), str(self.cells), *(str(self.states[state]) for state in HEAD[2:-1]))


def states_of_plan(plan: Plan) -> dict[str, str]:
    """Return where each render stands, by key."""
    return {one.key: state_of(one) for one in plan.renders}


def states_of_run(outcome: Outcome) -> dict[str, str]:
    """Return where each render ended, by key; one whose derived files could not be made counts as saved."""
    return {end.key: state_at_end(end) for end in outcome.ends}


def table(parts: Parts, states: Mapping[str, str], history: History, named: Collection[str]) -> Table:
    """Return a row for everything that `standings` has, and the total."""
    rows = standings(parts, states, history, named)
    return Table(
        head=HEAD,
        rows=tuple(row.row(name) for name, row in rows.items()),
        total=_total(rows.values()).row("total"),
        optional=_OPTIONAL,
        roles=_ROLES,
    )


def text_csv(rows: Mapping[str, Standing]) -> str:
    """Return standings as CSV, with exact dollars."""
    return as_csv((*HEAD[:-1], "spent_usd", "unknown_prices"), [row.record(name) for name, row in rows.items()])


def standings(parts: Parts, states: Mapping[str, str], history: History, named: Collection[str]) -> dict[str, Standing]:
    """Return how each entry stands, in the manifests' order, and then money that belongs to none of these cells.

    A render that several entries share is paid for once, and counts for the first. `named` are the keys of all cells,
    selected or not.
    """
    rows: dict[str, Standing] = {}
    called, owners = names.entries(parts), names.owners(parts)
    for manifest, cells in parts:
        for cell in cells:
            row = rows.setdefault(called[manifest, cell.entry], Standing())
            row.cells += 1
            row.states[states.get(cell.key, "pending")] += 1
    for one in history.submissions.values():
        if one.settled is None:
            continue
        name = owners.get(one.key) or (UNSELECTED if one.key in named else UNNAMED)
        if name not in rows and not (one.reserved or one.unpriced):
            continue
        row = rows.setdefault(name, Standing())
        row.spent += one.reserved
        row.unknown += one.unpriced
    return rows


def brief(table: Table, most: int) -> tuple[Table, int]:
    """Return the table with at most so many rows, those first that are not done, and how many are left out."""
    if len(table.rows) <= most:
        return table, 0
    undone = sorted(table.rows, key=lambda row: row[1] == row[2])
    return replace(table, rows=tuple(undone[:most])), len(table.rows) - most


def _total(rows: Iterable[Standing]) -> Standing:
    total = Standing()
    for one in rows:
        total.cells += one.cells
        total.states += one.states
        total.spent += one.spent
        total.unknown += one.unknown
    return total
