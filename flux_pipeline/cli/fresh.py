"""A project, its history and its decisions, kept for as long as every file that they were read from is the same.

A file is known by what the system tells of it: which one it is, its size, and when it was changed. Two changes in one tick
of the clock can look alike. So nothing is kept of what was changed shortly before it was read: it is read again each time
until its files are at rest.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Any, Final, Generic, TypeVar

from flux_pipeline.cli import project
from flux_pipeline.cli.project import Project
from flux_pipeline.ledger.history import History
from flux_pipeline.review.standing import Standing, paths_to_survey

_AT_REST: Final = 3_000_000_000  # nanoseconds; the coarsest clocks of file systems count in two seconds

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells a file from another one, or from itself after a change; times in nanoseconds."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


Marks = Mapping[Path, Mark | None]


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    value: T
    marks: Marks


class Fresh:
    """The project that a command's `scope` names, and what its lockfiles say, as they are now; threads may share it."""

    def __init__(self, scope: Mapping[str, Any], clock: Callable[[], int] = time.time_ns) -> None:
        """Read nothing yet; `clock` tells nanoseconds as the file system does."""
        self._scope = scope
        self._clock = clock
        self._reading = threading.Lock()  # also because where stderr goes is the whole process's
        self._project: _Kept[Project] | None = None
        self._history: _Kept[History] | None = None
        self._looking = threading.Lock()
        self._standings: _Kept[tuple[Project, History, tuple[Standing, ...]]] | None = None

    def project(self) -> Project:
        """Return the project; UsageError as for `project.load`."""
        with self._reading:
            return self._project_now()

    def with_history(self) -> tuple[Project, History]:
        """Return the project and what has happened; FluxError where one of them cannot be read."""
        with self._reading:
            work = self._project_now()
            return work, self._history_now(work)

    def standings(self) -> tuple[Project, History, tuple[Standing, ...]]:
        """Return the project, what has happened and what was decided; a picture is read again only when it, or its folder, has changed."""
        with self._looking:
            work, history = self.with_history()
            kept, self._standings = self._standings, None
            same = kept if kept and kept.value[0] is work and kept.value[1] is history else None
            files = tuple(same.marks) if same else _pictures(work, history)
            began, before = self._clock(), marks(files, links=True)
            if same and same.marks == before:
                self._standings = same
                return same.value
            found = work.standings(history)
            there = {file: one for file, one in before.items() if one}
            if before == marks(files, links=True) and _at_rest(there, began):
                self._standings = _Kept((work, history, found), before)
            return work, history, found

    def _project_now(self) -> Project:
        kept = self._project
        if kept and kept.marks == marks(kept.value.sources):
            return kept.value
        self._project = None
        began, before = self._clock(), marks(project.schemas_in_reach().files())
        with redirect_stderr(StringIO()):  # its warnings were said when the review began
            work = project.load(**self._scope)
        after = marks(work.sources)
        if before.items() <= after.items() and _at_rest(after, began):
            self._project = _Kept(work, after)
        return work

    def _history_now(self, work: Project) -> History:
        files = [part.lockfile for part in work.parts]
        kept = self._history
        if kept and kept.marks == marks(files):
            return kept.value
        self._history = None
        began = self._clock()
        history = work.history()
        after = marks(files)
        if _at_rest(after, began):
            self._history = _Kept(history, after)
        return history


def marks(files: Iterable[Path], *, links: bool = False) -> Marks:
    """Return what the system tells of each file, None of one that cannot be seen; with `links`, of a link itself."""
    return {file: _mark(file, links=links) for file in files}


def _mark(file: Path, *, links: bool) -> Mark | None:
    try:
        facts = os.stat(file, follow_symlinks=not links)
    except OSError:
        return None
    return Mark(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


def _pictures(work: Project, history: History) -> tuple[Path, ...]:
    """Return the files on which somebody decided, and all folders that lead to them."""
    paths = paths_to_survey(work.cells, history)
    folders = {PurePosixPath(path.rpartition("/")[0]) for path in paths}
    above = {place for folder in folders for place in (folder, *folder.parents)}
    return (*(work.root / path for path in paths), *(work.root / place for place in above))


def _at_rest(found: Marks, moment: int) -> bool:
    """Tell whether all of them are there, and none was changed near a moment or after it."""
    return all(one and max(one.modified, one.changed) < moment - _AT_REST for one in found.values())
