"""One lockfile against another, cell by cell: what was asked for, what came of it, and the dollars; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from flux_pipeline.ledger.facts import MODEL, FileFact, Submission
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

    def __add__(self, other: Dollars) -> Dollars:
        return Dollars(self.known + other.known, self.unknown + other.unknown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """All that is known at one time. `cells` is None where no manifest says which there are: then the lockfile does.

    `requests` are the renders that are known, by key; `estimates` what they are expected to cost, None for unknown.
    """

    history: History
    cells: Sequence[Cell] | None = None
    requests: Mapping[str, Render] = field(default_factory=dict)
    estimates: Mapping[str, Decimal | None] = field(default_factory=dict)


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
    first cell of a render only. `twin` is a cell of the other side with the same request.
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
    def differs(self) -> bool:
        return self.change is not Change.SAME or bool(self.notes)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every cell of either side; `elsewhere` are the dollars of records that belong to none of them."""

    rows: tuple[Row, ...]
    elsewhere: Row

    @property
    def differs(self) -> bool:
        return any(row.differs for row in self.rows)

    @property
    def differing(self) -> tuple[Row, ...]:
        """The rows that differ, by what became of them."""
        order = list(Change)
        return tuple(sorted((row for row in self.rows if row.differs), key=lambda row: order.index(row.change)))

    def counts(self) -> dict[Change, int]:
        found = [row.change for row in self.rows]
        return {change: found.count(change) for change in Change}

    def total(self) -> Row:
        """Return the sums of all dollars, as a row without a cell."""
        every = (*self.rows, self.elsewhere)
        return replace(
            self.elsewhere,
            spent_before=_sum(row.spent_before for row in every),
            spent_after=_sum(row.spent_after for row in every),
            difference=_sum(row.difference for row in every),
            paid=_sum(row.paid for row in every),
            due=_sum(row.due for row in every),
        )

    def narrow(self, select: Sequence[str]) -> Comparison:
        """Return what there is to say of cells whose id matches any of these globs; of all cells without globs."""
        if not select:
            return self
        rows = (row for row in self.rows if any(fnmatchcase(row.cell, glob) for glob in select))
        return Comparison(tuple(rows), Row(cell="", before=None, after=None))


def compare(old: Side, new: Side) -> Comparison:
    """Set two sides against each other; the cells are in the new order, those that are gone at the end."""
    before, after = _versions(old), _versions(new)
    names = tuple(dict.fromkeys((*after, *before)))
    was, now = _owners(old.history, before, names), _owners(new.history, after, names)
    first_before, first_after = _firsts(before), _firsts(after)
    rows = []
    for name in names:
        one, other = before.get(name), after.get(name)
        row = _priced(Row(cell=name, before=one, after=other), was.get(name, {}), now.get(name, {}), old.history)
        if other is not None and first_after[other.key] == name and row.change in (Change.ADDED, Change.CHANGED):
            row = replace(row, due=row.due + _to_pay(new, other))
        if other is None and one is not None:
            row = replace(row, twin=first_after.get(one.key))
        elif one is None and other is not None:
            row = replace(row, twin=first_before.get(other.key))
        rows.append(row)
    elsewhere = _priced(Row(cell="", before=None, after=None), was.get("", {}), now.get("", {}), old.history)
    return Comparison(tuple(rows), elsewhere)


def _versions(side: Side) -> dict[str, Version]:
    if side.cells is not None:
        return {cell.id: _version(side, cell.render.key, cell.path, cell.render) for cell in side.cells}
    newest: dict[str, Submission] = {}
    for one in side.history.submissions.values():
        name = _name(one)
        if name not in newest or _age(one) > _age(newest[name]):
            newest[name] = one
    return {name: _version(side, one.key, None, side.requests.get(one.key)) for name, one in newest.items()}


def _name(one: Submission) -> str:
    return one.cell or one.key


def _age(one: Submission) -> tuple[str, int, str]:
    """Order submissions of a cell: what was taken over has no intent, and counts from its end."""
    tasks = [int(task) for task in one.tasks if task.isdecimal()]
    return (one.intended_at or (one.settled.at if one.settled else ""), max(tasks, default=0), one.id)


def _version(side: Side, key: str, wanted: str | None, request: Render | None) -> Version:
    best = side.history.best(key)
    saved = max((one for one in side.history.of(key) if one.files), key=_age, default=None)
    files = saved.files if saved else {}
    path = wanted if wanted is not None and (wanted in files or not files) else min(files, default=None)
    told = best.extra.get(MODEL) if best else None
    return Version(
        key=key,
        state=_state(best),
        path=wanted or path,
        picture=files.get(path) if path is not None else None,
        task=best.task if best else None,
        model=request.model if request else told if isinstance(told, str) else None,
        request=request,
    )


def _state(best: Submission | None) -> str:
    if best is None:
        return "pending"
    if best.finished:
        return "saved" if best.files else "paid"
    if best.running or best.unclear:
        return "running" if best.running else "doubtful"
    if best.settled is not None:
        return best.settled.state
    return "failed" if best.refused is not None else "pending"


def _owners(
    history: History, versions: Mapping[str, Version], names: Iterable[str]
) -> dict[str, dict[str, Submission]]:
    """Give every submission to one cell: to its own if that still asks for it, else to the first that does."""
    first, every = _firsts(versions), frozenset(names)
    owned: dict[str, dict[str, Submission]] = {}
    for one in history.submissions.values():
        name = _name(one)
        own = versions.get(name)
        if own is None or own.key != one.key:
            name = first.get(one.key) or (name if name in every else "")
        owned.setdefault(name, {})[one.id] = one
    return owned


def _firsts(versions: Mapping[str, Version]) -> dict[str, str]:
    first: dict[str, str] = {}
    for name, version in versions.items():
        first.setdefault(version.key, name)
    return first


def _priced(row: Row, old: Mapping[str, Submission], new: Mapping[str, Submission], known: History) -> Row:
    """Add the dollars of a row's submissions; `known` is what had happened before, in whichever row it was."""
    before = known.submissions
    return replace(
        row,
        spent_before=_sum(map(_recorded, old.values())),
        spent_after=_sum(map(_recorded, new.values())),
        difference=_sum(_difference(old.get(name), new.get(name)) for name in {*old, *new}),
        paid=_sum(
            _recorded(one) for name, one in new.items() if one.settled and not (name in before and before[name].settled)
        ),
        due=_sum(_recorded(one) for name, one in new.items() if not one.settled and name not in before),
    )


def _recorded(one: Submission) -> Dollars:
    return Dollars.of(None) if one.unpriced else Dollars(one.reserved)


def _difference(was: Submission | None, now: Submission | None) -> Dollars:
    old, new = (_recorded(one) if one else Dollars() for one in (was, now))
    if old.unknown and new.unknown:
        return Dollars()
    return Dollars(unknown=1) if old.unknown or new.unknown else Dollars(new.known - old.known)


def _to_pay(side: Side, version: Version) -> Dollars:
    """Return what the next run would submit this for; nothing where there is a picture, or may be one on its way."""
    if version.state not in ("pending", "failed", "cancelled"):
        return Dollars()
    best = side.history.best(version.key)
    told = side.estimates.get(version.key)
    return Dollars.of(told if told is not None or best is None else best.estimate)


def _sum(amounts: Iterable[Dollars]) -> Dollars:
    known, unknown = Decimal(0), 0
    for one in amounts:
        known += one.known
        unknown += one.unknown
    return Dollars(known, unknown)


def _differ(one: Json, other: Json) -> bool:
    """Compare as JSON does: true is not 1."""
    return one != other or isinstance(one, bool) is not isinstance(other, bool)
