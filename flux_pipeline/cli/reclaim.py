"""Tasks and submissions brought together outside a run: what `cancel`, `adopt` and `audit` share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase

from flux_pipeline.audit import Sighting, Unclaimed, sort_out
from flux_pipeline.cli import voice
from flux_pipeline.cli.project import Project
from flux_pipeline.cli.service import shapes_of, walk
from flux_pipeline.errors import UsageError
from flux_pipeline.ledger.facts import ACCOUNT, Submission
from flux_pipeline.ledger.history import History, fold
from flux_pipeline.ledger.shelf import Claim, Shelf
from flux_pipeline.run.jobs import Policy
from flux_pipeline.wiro.client import Wiro
from flux_pipeline.wiro.echo import keys_of
from flux_pipeline.wiro.tasks import Task

_LOOKS = (5.0, 15.0, 30.0, 60.0)  # seconds after the first look at which the list is read again
_BELOW = 1000  # ids below the watermark that are read too


def chosen(project: Project, history: History, select: Sequence[str]) -> Mapping[str, str]:
    """Return the keys that a command is about, each with the cell to call it by, in the manifest's order.

    Renders that only the lockfile knows are among them: what runs, runs whether or not the manifest still names it.

    Raises:
        UsageError: nothing has such an id.
    """
    names: dict[str, str] = {}
    known = ((one.key, one.cell or "") for one in history.submissions.values())
    for key, cell in (*((cell.key, cell.id) for cell in project.cells), *known):
        if not select or any(fnmatchcase(cell, glob) for glob in select):
            names.setdefault(key, cell or key)
    if select and not names:
        example = f"; the first one is {project.cells[0].id}" if project.cells else ""
        raise UsageError(f"--select {' '.join(select)}: no cell has such an id{example}")
    return names


@contextmanager
def holding(project: Project) -> Iterator[Shelf]:
    """Hold the lockfiles, and leave them in their resting form; task ids that they cannot take are shown."""
    with shelf_of(project) as shelf:
        try:
            yield shelf
        finally:
            tell_unwritten(shelf)
        shelf.rewrite()


def shelf_of(project: Project) -> Shelf:
    """Take the lockfiles of a project, and say what was wrong with them."""
    wanted = (frozenset(cell.key for cell in part.expansion.cells) for part in project.parts)
    claims = [Claim(part.lockfile, keys) for part, keys in zip(project.parts, wanted, strict=True)]
    shelf = Shelf(claims, project.endpoint)
    for one in shelf.lockfiles:
        if one.torn is not None:
            voice.say(f"an unfinished last line of {one.path} was set aside as {one.torn}", head="note")
    return shelf


def tell_unwritten(shelf: Shelf) -> None:
    """Show the task ids that a lockfile could not take, and say where they are instead."""
    for one in shelf.lockfiles:
        for line in one.unwritten:
            voice.exactly(line)
        if one.unwritten:
            merge = f"`flux-pipeline merge {one.path} {one.emergency} -o {one.path}` brings them back"
            where = f"they are in {one.emergency}: {merge}" if one.emergency else "keep them"
            voice.say(f"task ids that {one.path} could not take are above; {where}", level="error", event="unwritten")


def grace_of(project: Project, given: float | None) -> float:
    """Return how long to look: the flag, else the manifest's `run:`, else what a run waits too."""
    said = project.settings.grace
    return given if given is not None else float(said) if said is not None else Policy().grace


def sightings(project: Project, tasks: Iterable[Task]) -> list[Sighting]:
    """Say of every task which renders it may be."""
    shapes = shapes_of(project.schemas, project.models())
    return [Sighting(task, keys_of(task, shapes)) for task in tasks]


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the list of tasks showed; unless `complete`, only what it did show proves anything."""

    unclaimed: Unclaimed
    tasks: tuple[Task, ...]
    complete: bool


class Desk:
    """The service and the held lockfile, side by side."""

    def __init__(self, project: Project, wiro: Wiro, lockfile: Shelf, account: str) -> None:
        self.wiro = wiro
        self._project = project
        self._lockfile = lockfile
        self._account = account
        self._submissions = dict(lockfile.history.submissions)

    @property
    def history(self) -> History:
        return fold(self._submissions.values())

    def note(self, facts: Sequence[Submission]) -> None:
        """Make facts durable; they are true from then on."""
        if not facts:
            return
        self._lockfile.append(facts)
        for fact in facts:
            known = self._submissions.get(fact.id)
            self._submissions[fact.id] = fact if known is None else known.join(fact)

    def unclear(self, keys: Iterable[str]) -> list[Submission]:
        wanted = frozenset(keys)
        return [one for one in self._submissions.values() if one.unclear and one.key in wanted]

    def foreign(self, one: Submission) -> bool:
        """Say whether a submission was sent with another API key, so that this account cannot show its task."""
        return one.extra.get(ACCOUNT) not in (None, self._account)

    async def look(self, keys: Iterable[str], deep_enough: Callable[[Task], bool] = lambda _: False) -> Look:
        """Read the list of tasks, and take over those that belong to unclear submissions: a match is proof."""
        walked = await walk(self.wiro, deep_enough)
        found = sort_out(self.history, sightings(self._project, walked.tasks), frozenset(keys))
        self.note([_adopted(one, task) for one, task in found.resolved])
        return Look(found, walked.tasks, walked.complete)

    async def look_again(self, keys: Iterable[str], grace: float, *, first: bool) -> bool:
        """Read the list until no submission is unclear, or for the grace period; say whether the last look was whole.

        `first` begins at once: without it, somebody has just looked.
        """
        keys = frozenset(keys)
        began, complete = time.monotonic(), True
        for after in (*([0.0] if first else []), *(one for one in _LOOKS if one < grace), grace):
            left = [one for one in self.unclear(keys) if after == 0.0 or not self.foreign(one)]
            if not left:
                break
            if wait := max(began + after - time.monotonic(), 0.0):
                voice.say(
                    f"{len(left)} unclear submissions are not in the service's list; looking again in {wait:.0f} s "
                    f"(for {grace:.0f} s in all, see --grace)"
                )
                await asyncio.sleep(wait)
            complete = (await self.look(keys, _below(min(map(_watermark, left)) - _BELOW))).complete
        return complete


def _below(floor: int) -> Callable[[Task], bool]:
    return lambda task: int(task.id) < floor


def _watermark(one: Submission) -> int:
    return int(one.watermark) if one.watermark and one.watermark.isdecimal() else 0


def _adopted(one: Submission, task: Task) -> Submission:
    return Submission(id=one.id, key=one.key, tasks=(task.id,), adopted=True)
