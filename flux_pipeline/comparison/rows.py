"""What a comparison is made of: its two sides, a row for each cell, and the dollars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from flux_pipeline.ledger.facts import FileFact
from flux_pipeline.ledger.history import History
from flux_pipeline.ledger.keys import Json, Render

if TYPE_CHECKING:
    from flux_pipeline.manifest.cell import Cell


class Change(StrEnum):
    """What became of a cell. `changed` is another key: the request is another one."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Dollars:
    """A sum of which `unknown` amounts are missing."""

    known: Decimal = Decimal(0)
    unknown: int = 0

    @classmethod
    def of(cls, amount: Decimal | None) -> Dollars:
        return cls(unknown=1) if amount is None else cls(amount)

    @classmethod
    def sum(cls, amounts: Iterable[Dollars]) -> Dollars:
        known, unknown = Decimal(0), 0
        for one in amounts:
            known += one.known
            unknown += one.unknown
        return cls(known, unknown)

    def __add__(self, other: Dollars) -> Dollars:
        return Dollars(self.known + other.known, self.unknown + other.unknown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """All that is known at one time. `cells` is None where no manifest says which there are: then the lockfile does.

    `requests` are the renders that are known, by key; `estimates` what they are expected to cost, None for unknown.
    `order` are ids of cells in the order of a manifest, for a side without `cells`.
    """

    history: History
    cells: Sequence[Cell] | None = None
    requests: Mapping[str, Render] = field(default_factory=dict)
    estimates: Mapping[str, Decimal | None] = field(default_factory=dict)
    order: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One cell at one time.

    `state` is a word of `report.state`, from the lockfile alone. `path` is where the picture was saved, or is wanted;
    `picture` is what was saved, None without one. `request` is None where only its key is known.
    """

    key: str
    state: str
    path: str | None
    picture: FileFact | None
    task: str | None
    model: str | None
    request: Render | None

    @property
    def prompt(self) -> str | None:
        return None if self.request is None else str(self.request.params.get("prompt", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One cell, before and after; a side is None where there is no such cell.

    `spent_before` and `spent_after` are what the lockfiles record for the cell, reserved dollars included, and
    `difference` is what lies between them, unknown where one submission's amount is. `paid` was charged in between;
    `due` may still be: what is on its way since, and what is not submitted yet, as estimated. Dollars are counted for the
    first cell of a render only. `twin` is a cell of the other side with the same request. A row whose `cell` is empty has the
    dollars of renders that no cell of either side asks for.
    """

    cell: str
    before: Version | None
    after: Version | None
    spent_before: Dollars = Dollars()
    spent_after: Dollars = Dollars()
    difference: Dollars = Dollars()
    paid: Dollars = Dollars()
    due: Dollars = Dollars()
    twin: str | None = None

    @property
    def change(self) -> Change:
        if self.before is None and self.after is None:
            return Change.SAME
        if self.before is None or self.after is None:
            return Change.ADDED if self.before is None else Change.REMOVED
        return Change.SAME if self.before.key == self.after.key else Change.CHANGED

    @property
    def parameters(self) -> Mapping[str, tuple[Json, Json]]:
        """What differs besides the prompt, the model among it, as (before, after); empty where a request is unknown."""
        if self.before is None or self.after is None or self.change is Change.SAME:
            return {}
        old, new = self.before.request, self.after.request
        found: dict[str, tuple[Json, Json]] = {}
        if self.before.model and self.after.model and self.before.model != self.after.model:
            found["model"] = (self.before.model, self.after.model)
        if old is not None and new is not None:
            names = [name for name in dict.fromkeys((*old.params, *new.params)) if name != "prompt"]
            pairs = {name: (old.params.get(name), new.params.get(name)) for name in names}
            found |= {name: pair for name, pair in pairs.items() if _differ(*pair)}
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is worth a word, also of a cell whose request is the same."""
        if self.twin is not None:
            return (f"the same request as {self.twin} {'before' if self.before is None else 'now'}",)
        old, new = self.before, self.after
        if old is None or new is None or old.key != new.key:
            return ()
        said = []
        if old.state != new.state:
            said.append(f"was {old.state}, is {new.state}")
        if old.picture and new.picture and old.picture.sha256 != new.picture.sha256:
            said.append("another picture of the same request")
        if old.path and new.path and old.path != new.path:
            said.append(f"moved from {old.path} to {new.path}")
        return tuple(said)

    @property
    def costs_differ(self) -> bool:
        between = (self.difference, self.paid, self.due)
        return self.spent_before != self.spent_after or any(one != Dollars() for one in between)

    @property
    def differs(self) -> bool:
        return self.change is not Change.SAME or bool(self.notes) or self.costs_differ


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every cell of either side; `elsewhere` are the dollars of records that belong to none of them."""

    rows: tuple[Row, ...]
    elsewhere: Row

    @property
    def differs(self) -> bool:
        return any(row.differs for row in (*self.rows, self.elsewhere))

    @property
    def differing(self) -> tuple[Row, ...]:
        """The rows that differ, by what became of them; no dollar that differs is in none of them."""
        order = list(Change)
        rows = (row for row in (*self.rows, self.elsewhere) if row.differs)
        return tuple(sorted(rows, key=lambda row: order.index(row.change)))

    def counts(self) -> dict[Change, int]:
        found = [row.change for row in self.rows]
        return {change: found.count(change) for change in Change}

    def total(self) -> Row:
        """Return the sums of all dollars, as a row without a cell."""
        every = (*self.rows, self.elsewhere)
        return replace(
            self.elsewhere,
            spent_before=Dollars.sum(row.spent_before for row in every),
            spent_after=Dollars.sum(row.spent_after for row in every),
            difference=Dollars.sum(row.difference for row in every),
            paid=Dollars.sum(row.paid for row in every),
            due=Dollars.sum(row.due for row in every),
        )

    def narrow(self, select: Sequence[str]) -> Comparison:
        """Return what there is to say of cells whose id matches any of these globs; of all cells without globs."""
        if not select:
            return self
        rows = (row for row in self.rows if any(fnmatchcase(row.cell, glob) for glob in select))
        return Comparison(tuple(rows), Row(cell="", before=None, after=None))


def _differ(one: Json, other: Json) -> bool:
    """Compare as JSON does: true is not 1."""
    return one != other or isinstance(one, bool) is not isinstance(other, bool)
