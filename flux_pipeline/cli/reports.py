"""What a run leaves for other machines to show: a JUnit file, and a page in a GitHub job. Neither ever fails the run."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from flux_pipeline.cli import voice
from flux_pipeline.cli.output import Outlet, why
from flux_pipeline.errors import FluxError

if TYPE_CHECKING:
    from flux_pipeline.cli.project import Project
    from flux_pipeline.ledger.history import History
    from flux_pipeline.report.table import Table
    from flux_pipeline.run.outcome import Outcome

_SUMMARY = "GITHUB_STEP_SUMMARY"
_UNENDED = 6
_OUTLET = Outlet(
    flag="--junit",
    what="JUnit file",
    example="junit.xml",
    is_ours=lambda head: head.startswith(b"<") and b"<testsuite" in head,
)


def begin_junit(file: Path) -> None:
    """Write that the run has not ended, so that whatever ends it, an earlier report never passes for its own.

    Raises:
        UsageError: there is no folder for it, or it is none that a run has written. What else keeps it from being
            written is said, and the run goes on.
    """
    from flux_pipeline.report import junit

    _OUTLET.make_sure(file)
    _put(file, junit.xml((), seconds=0.0, exit_code=_UNENDED, stopped="the run has not ended, or was killed"))


class Reports:
    """The reports that were asked for; each is written however the run ends."""

    def __init__(self, title: str, junit: Path | None) -> None:
        """Take what the run is called, and the JUnit file that was begun, if there is to be one."""
        self._title = title
        self._junit = junit
        self._summary = os.environ.get(_SUMMARY, "")

    def ended(self, work: Project, outcome: Outcome, history: History, table: Table) -> None:
        """Write the reports of a run that has ended."""
        if self._junit is None and not self._summary:
            return
        from flux_pipeline.report import junit, summary
        from flux_pipeline.report.cases import cases

        found = cases(work.selected, outcome, history)
        code, stopped = outcome.exit_code, outcome.stopped
        if self._junit is not None:
            _put(self._junit, junit.xml(found, seconds=outcome.seconds, exit_code=code, stopped=stopped))
        if self._summary:
            _append(self._summary, lambda room: summary.markdown(outcome, table, found, title=self._title, most=room))

    def broke(self, reason: str, exit_code: int) -> None:
        """Write the reports of a run that did not come to its end, or not even to its beginning."""
        from flux_pipeline.report import junit, summary

        if self._junit is not None:
            _put(self._junit, junit.xml((), seconds=0.0, exit_code=exit_code, stopped=reason))
        if self._summary:
            _append(self._summary, lambda room: summary.broken(self._title, reason, most=room))


def _put(file: Path, data: bytes) -> None:
    try:
        _OUTLET.put(file, [voice.masked(data.decode()).encode()])
    except FluxError as error:
        voice.say(str(error), head="note", level="warning", event="report")


def _append(name: str, compose: Callable[[int], str]) -> None:
    """Add to the job's page what still has room on it."""
    from flux_pipeline.report.summary import MOST_BYTES

    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        with open(descriptor, "ab") as stream:
            stream.write(voice.masked(compose(MOST_BYTES - _size(descriptor))).encode(errors="replace"))
    except (OSError, ValueError) as error:
        voice.say(f"{_SUMMARY} {name} could not be written: {why(error)}", head="note", level="warning", event="report")


def _size(descriptor: int) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a file")
    return status.st_size
