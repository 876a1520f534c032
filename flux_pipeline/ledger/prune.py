"""What the manifest no longer names: records and files that may go, and those that may not; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from flux_pipeline.ledger.facts import DerivedFact, FileFact, Submission
from flux_pipeline.ledger.history import History

_Fact = TypeVar("_Fact", FileFact, DerivedFact)
_Facts = Mapping[str, FileFact | DerivedFact]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Something that stays although the manifest does not name it, and why."""

    cell: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What goes, what stays all the same, and `left`, the lockfile afterwards. `files` have the sums that may go."""

    records: tuple[Submission, ...]
    files: Mapping[str, frozenset[str]]
    kept: tuple[Kept, ...]
    left: tuple[Submission, ...]


def prune(
    history: History,
    wanted: Mapping[str, Collection[str]],
    present: Mapping[str, str],
    chosen: Collection[str],
    derived: Collection[str] = (),
) -> Pruning:
    """Decide what goes.

    `wanted` are the paths of every render that the manifest names, `present` the sums of files by path, `chosen` the
    ids of the submissions in question, `derived` the paths of what the manifest wants derived.
    """
    named = frozenset(path for paths in wanted.values() for path in paths).union(derived)
    records: list[Submission] = []
    kept: list[Kept] = []
    left: list[Submission] = []
    stale: list[tuple[Submission, _Facts]] = []
    for one in history.submissions.values():
        files: Mapping[str, FileFact] = {}
        made = _unnamed(one.derived, named) if one.id in chosen else {}
        reason = ""
        if one.id in chosen and one.key not in wanted:
            reason = _holds_on(one, named, present)
            if not reason:
                records.append(one)
                stale += [(one, _unnamed(one.files, named)), (one, made)]
                continue
            made = {}
        elif one.id in chosen:
            files = _unnamed(one.files, named)
            if files and not _arrived(history, one.key, wanted[one.key], present):
                reason, files = "its picture is not where the manifest wants it now: run first, which copies it", {}
        if reason:
            kept.append(Kept(cell=one.cell or one.key, what=one.task or next(iter(one.files), one.id), reason=reason))
        stale += [(one, each) for each in (files, made) if each]
        kept_facts = {path: fact for path, fact in one.derived.items() if path not in made}
        left.append(replace(one, files=_without(one, files, named), derived=kept_facts) if files or made else one)
    going, changed = _files(history, stale, left, present)
    return Pruning(records=tuple(records), files=going, kept=(*kept, *changed), left=tuple(left))


def _holds_on(one: Submission, named: Collection[str], present: Mapping[str, str]) -> str:
    """Say why a record that nobody wants has to stay, nothing when it may go."""
    if one.unclear:
        return "nobody knows whether it made a task: `flux-pipeline cancel` or `run` finds out"
    if one.running:
        return "it is not known to have ended: `flux-pipeline cancel` stops it"
    if any(present.get(path) == fact.sha256 for path, fact in _all(one) if path in named):
        return "its picture is where another one is wanted now: run first, which replaces it"
    return ""


def _unnamed(facts: Mapping[str, _Fact], named: Collection[str]) -> Mapping[str, _Fact]:
    return {path: fact for path, fact in facts.items() if path not in named}


def _all(one: Submission) -> Iterator[tuple[str, FileFact | DerivedFact]]:
    yield from one.files.items()
    yield from one.derived.items()


def _arrived(history: History, key: str, paths: Iterable[str], present: Mapping[str, str]) -> bool:
    sums = {fact.sha256 for one in history.of(key) for fact in one.files.values()}
    return all(present.get(path) in sums for path in paths)


def _without(one: Submission, files: Mapping[str, FileFact], named: Collection[str]) -> Mapping[str, FileFact]:
    """Drop facts about paths that nobody names, but keep the last one that knows a picture's sum."""
    stay = {path: fact for path, fact in one.files.items() if path not in files}
    known = {fact.sha256 for path, fact in stay.items() if path in named}
    return stay | {path: fact for path, fact in files.items() if fact.sha256 not in known}


def _files(
    history: History,
    stale: Iterable[tuple[Submission, _Facts]],
    left: Iterable[Submission],
    present: Mapping[str, str],
) -> tuple[dict[str, frozenset[str]], tuple[Kept, ...]]:
    ours: dict[str, set[str]] = {}
    for one in history.submissions.values():
        for path, fact in _all(one):
            ours.setdefault(path, set()).add(fact.sha256)
    gone = {(one.id, path, fact.sha256) for one, files in stale for path, fact in files.items()}
    needed = {
        (path, fact.sha256) for one in left for path, fact in _all(one) if (one.id, path, fact.sha256) not in gone
    }
    going: dict[str, frozenset[str]] = {}
    kept: dict[str, Kept] = {}
    for one, files in stale:
        for path in files:
            there = present.get(path)
            if there is None or (path, there) in needed:
                continue
            if there in ours[path]:
                going[path] = frozenset({there})
            else:
                reason = "it is not a file that was saved here, or was changed since: it is left alone"
                kept[path] = Kept(cell=one.cell or one.key, what=path, reason=reason)
    return dict(sorted(going.items())), tuple(kept.values())
