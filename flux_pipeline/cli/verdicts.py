"""Decisions on their way into the lockfiles: what was looked at has to be what is there."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from flux_pipeline.cli.project import Project
from flux_pipeline.errors import LockfileHeld
from flux_pipeline.files.save import Files
from flux_pipeline.ledger import contents
from flux_pipeline.ledger.decisions import Decision, Verdict, moment
from flux_pipeline.ledger.facts import Submission
from flux_pipeline.ledger.history import History
from flux_pipeline.ledger.shelf import Claim, Shelf
from flux_pipeline.manifest.cell import Cell
from flux_pipeline.plan import paths_to_survey
from flux_pipeline.review.standing import groups

_PATIENCE: Final = 1.0  # seconds
_VERDICTS: Final[Mapping[str, Verdict]] = {
    "approved": "approved",
    "picked": "approved",
    "rejected": "rejected",
    "none": "none",
}


class MovedError(Exception):
    """What was looked at is not what is there; the message says what has changed."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A cell as the page showed it: its name, the key of its render and the sum of the file."""

    name: str
    key: str
    sha256: str


def named(work: Project) -> dict[str, Cell]:
    """Return the cells by the names that the page gives them."""
    every = [(manifest, cell) for manifest, cells in work.selected for cell in cells]
    twice = Counter(cell.id for _, cell in every)
    return {f"{manifest}: {cell.id}" if twice[cell.id] > 1 else cell.id: cell for manifest, cell in every}


def rivals(work: Project) -> dict[str, tuple[str, ...]]:
    """Return the names that compete for one place, by each of them."""
    names = {id(cell): name for name, cell in named(work).items()}
    found: dict[str, tuple[str, ...]] = {}
    for _, cells in work.selected:
        for number, group in groups(cells).items():
            found[names[id(cells[number])]] = tuple(names[id(cells[other])] for other in group)
    return found


def record(work: Project, who: str, verdict: str, note: str, chosen: Looked, others: Sequence[Looked]) -> History:
    """Write a decision, and with a pick those on its rivals, all at once; return what is known then."""
    cells = named(work)
    files = [part.lockfile for part in work.parts if part.lockfile.exists()]
    if not files:
        raise MovedError("there is no lockfile any more")
    verdicts: dict[Looked, Verdict] = {chosen: _VERDICTS[verdict]} | dict.fromkeys(others, "rejected")
    ids: dict[str, set[str]] = {}
    for part in work.parts:
        for wanted in part.expansion.cells:
            ids.setdefault(wanted.key, set()).add(wanted.id)
    with _shelf(work, files) as shelf:
        facts: dict[str, Submission] = {}
        if verdict == "picked":
            _all_rivals(work, shelf.history, chosen, others)
        for looked, each in verdicts.items():
            one, cell = _submission(work, shelf.history, cells, looked)
            if cell.key == chosen.key and looked is not chosen:
                continue  # the same picture, which is approved
            wanting = tuple(sorted(ids[cell.key]))
            known = [other.review for other in shelf.history.of(cell.key)]
            review = Decision(
                verdict=each,
                by=who,
                at=moment(datetime.now(UTC), known),
                sha256=looked.sha256,
                note=note if looked is chosen else "",
                cells=wanting,
            )
            facts[one.id] = Submission(id=one.id, key=one.key, review=review)
        shelf.append(facts.values())
        shelf.rewrite()
        return shelf.now()


def _shelf(work: Project, files: Sequence[Path]) -> Shelf:
    """Hold the lockfiles that there are, whichever server they belong to: nobody is asked anything."""
    claims = [
        Claim(part.lockfile, frozenset(cell.key for cell in part.expansion.cells))
        for part in work.parts
        if part.lockfile in files
    ]
    first = contents.read(claims[0].path)
    return Shelf(claims, first.endpoint if first else work.endpoint)


def _submission(work: Project, history: History, cells: Mapping[str, Cell], looked: Looked) -> tuple[Submission, Cell]:
    """Return the submission whose picture was looked at, if it is still there as it was."""
    cell = cells.get(looked.name)
    if cell is None:
        raise MovedError(f"the manifest has no cell {looked.name} any more")
    if cell.key != looked.key:
        raise MovedError(f"the manifest asks for another picture at {looked.name} now")
    for one in history.of(cell.key):
        if any(fact.sha256 == looked.sha256 for fact in one.files.values()):
            found = Files(work.root).survey(paths_to_survey([cell], history))
            if any(getattr(there, "sha256", "") == looked.sha256 for there in found.values()):
                return one, cell
            raise MovedError(f"the file of {looked.name} is not what was shown")
    raise MovedError(f"the lockfile knows no such picture of {looked.name}")


def _all_rivals(work: Project, history: History, chosen: Looked, others: Sequence[Looked]) -> None:
    """Make sure that whoever picks one has seen all the others: those that have a picture, and no more than those."""
    cells = named(work)
    others_of = set(rivals(work).get(chosen.name, ())) - {chosen.name}
    seen = {one.name for one in others}
    if not seen <= others_of:
        raise MovedError("a pick rejects only what differs in nothing but the seed")
    unseen = [
        name
        for name in sorted(others_of - seen)
        if any(one.files for one in history.of(cells[name].key)) and Files(work.root).survey([cells[name].path])
    ]
    if unseen:
        raise MovedError(f"{unseen[0]} has a picture by now that was not shown")


def patiently(record: Callable[[], History]) -> History:
    """Wait a moment for another reviewer, who holds the lock only while writing; a run holds it for longer."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return record()
        except LockfileHeld:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
