"""What a run leaves for other machines to show: a JUnit file, and a page in a GitHub job. Neither ever fails the run."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from flux_pipeline.cli import voice
from flux_pipeline.errors import UsageError

if TYPE_CHECKING:
    from flux_pipeline.cli.project import Project
    from flux_pipeline.ledger.history import History
    from flux_pipeline.report.table import Table
    from flux_pipeline.run.outcome import Outcome

_SUMMARY = "GITHUB_STEP_SUMMARY"
_JUNIT = b"<testsuite"
_HEAD = 500  # bytes, in which a JUnit file says what it is
_UNENDED = 6
_OURS = (".yaml", ".yml", ".lock")


def begin_junit(file: Path) -> None:
    """Write that the run has not ended, so that whatever ends it, an earlier report never passes for its own.

    Raises:
        UsageError: there is no folder for it, or it is none that a run has written. What else keeps it from being
            written is said, and the run goes on.
    """
    from flux_pipeline.report import junit

    if not file.parent.is_dir():
        raise UsageError(f"--junit {file}: there is no folder {file.parent}; make it, or name another place")
    if file.suffix in _OURS:
        raise UsageError(f"--junit {file}: manifests and lockfiles are called so; name another file")
    if file.is_dir():
        raise UsageError(f"--junit {file} is a folder; name a file, such as {file / 'junit.xml'}")
    try:
        _make_sure(file)
    except (OSError, ValueError) as error:
        raise UsageError(f"--junit {file}: {_why(error)}; name another file") from error
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


def _make_sure(file: Path) -> None:
    """Refuse to replace anything but an empty file or a JUnit file: ValueError, OSError."""
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            raise ValueError("it is no file")
        with file.open("rb") as stream:
            head = stream.read(_HEAD)
    except FileNotFoundError:
        return
    if head and not (head.startswith(b"<") and _JUNIT in head):
        raise ValueError("it is no JUnit file, and was left as it is")


def _put(file: Path, data: bytes) -> None:
    """Give a file its new contents, all of them or none."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        _make_sure(file)  # again: the run itself may have made it meanwhile
        with part.open("wb") as stream:
            stream.write(voice.masked(data.decode()).encode())
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except (OSError, ValueError) as error:
        with suppress(OSError, ValueError):
            part.unlink()
        voice.say(f"{file} could not be written: {_why(error)}", head="note", level="warning", event="report")


def _append(name: str, compose: Callable[[int], str]) -> None:
    """Add to the job's page what still has room on it."""
    from flux_pipeline.report.summary import MOST_BYTES

    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        with open(descriptor, "ab") as stream:
            stream.write(voice.masked(compose(MOST_BYTES - _size(descriptor))).encode(errors="replace"))
    except (OSError, ValueError) as error:
        voice.say(
            f"{_SUMMARY} {name} could not be written: {_why(error)}", head="note", level="warning", event="report"
        )


def _size(descriptor: int) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a file")
    return status.st_size


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
