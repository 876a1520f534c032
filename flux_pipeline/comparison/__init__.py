"""One lockfile against another, cell by cell: what was asked for, what came of it, and the dollars; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from flux_pipeline.comparison.rows import Change, Comparison, Dollars, Row, Side, Version
from flux_pipeline.ledger.facts import MODEL, FileFact, Submission
from flux_pipeline.ledger.history import History
from flux_pipeline.ledger.keys import Render

__all__ = ["Change", "Comparison", "Dollars", "Row", "Side", "Version", "compare"]


def compare(old: Side, new: Side) -> Comparison:
    """Set two sides against each other; the cells are in the new order, those that are gone at the end."""
    before, after = _versions(old), _versions(new)
    names = tuple(dict.fromkeys((*after, *before)))
    was, now = _owners(old.history, before, names), _owners(new.history, after, names)
    first_before, first_after = _firsts(before), _firsts(after)
    rows = []
    for name in names:
        one, other = _placed(old, new, before.get(name), after.get(name))
        row = _priced(Row(cell=name, before=one, after=other), was.get(name, {}), now.get(name, {}), old.history)
        if other is not None and first_after[other.key] == name and _is_to_make(row):
            row = replace(row, due=row.due + _to_pay(new, other))
        if other is None and one is not None:
            row = replace(row, twin=first_after.get(one.key))
        elif one is None and other is not None:
            row = replace(row, twin=first_before.get(other.key))
        rows.append(row)
    elsewhere = _priced(Row(cell="", before=None, after=None), was.get("", {}), now.get("", {}), old.history)
    return Comparison(tuple(rows), elsewhere)


def _is_to_make(row: Row) -> bool:
    """Whether a picture that is not there now is a matter of the change: it is a new one, or its record was lost."""
    lost = row.before is not None and row.before.state in ("saved", "paid")
    return lost or row.change in (Change.ADDED, Change.CHANGED)


def _versions(side: Side) -> dict[str, Version]:
    if side.cells is not None:
        return {cell.id: _version(side, cell.render.key, cell.path, cell.render) for cell in side.cells}
    newest: dict[str, Submission] = {}
    for one in side.history.submissions.values():
        name = _name(one)
        if name not in newest or _age(one) > _age(newest[name]):
            newest[name] = one
    rank = {name: at for at, name in enumerate(side.order)}
    names = sorted(newest, key=lambda name: rank.get(name, len(rank)))
    return {name: _version(side, newest[name].key, None, side.requests.get(newest[name].key)) for name in names}


def _placed(old: Side, new: Side, one: Version | None, other: Version | None) -> tuple[Version | None, Version | None]:
    """Let a render stand where it does on its own side alone: a lockfile also keeps the paths that it had before."""
    if one is None or other is None or one.key != other.key:
        return one, other
    was, now = _saved(old.history, one.key), _saved(new.history, other.key)
    left, came = min(was.keys() - now.keys(), default=None), min(now.keys() - was.keys(), default=None)
    if old.cells is None and left is not None:
        one = replace(one, path=left, picture=was[left])
    if new.cells is None and came is not None:
        other = replace(other, path=came, picture=now[came])
    return one, other


def _name(one: Submission) -> str:
    return one.cell or one.key


def _age(one: Submission) -> tuple[str, int, str]:
    """Order submissions of a cell: what was taken over has no intent, and counts from its end."""
    tasks = [int(task) for task in one.tasks if task.isdecimal()]
    return (one.intended_at or (one.settled.at if one.settled else ""), max(tasks, default=0), one.id)


def _version(side: Side, key: str, wanted: str | None, request: Render | None) -> Version:
    best = side.history.best(key)
    files = _saved(side.history, key)
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


def _saved(history: History, key: str) -> Mapping[str, FileFact]:
    """Return where a render was saved, of several submissions by the last one."""
    newest = max((one for one in history.of(key) if one.files), key=_age, default=None)
    return newest.files if newest else {}


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
        spent_before=Dollars.sum(map(_recorded, old.values())),
        spent_after=Dollars.sum(map(_recorded, new.values())),
        difference=Dollars.sum(_difference(old.get(name), new.get(name)) for name in {*old, *new}),
        paid=Dollars.sum(
            _recorded(one) for name, one in new.items() if one.settled and not (name in before and before[name].settled)
        ),
        due=Dollars.sum(_recorded(one) for name, one in new.items() if not one.settled and name not in before),
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
