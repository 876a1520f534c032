"""The tree of errors, each with its exit code.

FluxError
├── UsageError (2)          the command line or the environment is wrong; nothing was sent
│   └── ManifestError (2)   the manifest has problems, all of them named
├── AccountError (3)        the account or the budget stopped the run
├── LockfileError (5)
│   ├── LockfileDamaged     a line that cannot be trusted
│   ├── LockfileForeign     of a newer version, or of another server
│   └── LockfileHeld        another run holds it
├── StoppedError (6)        ended before the end; running again resumes
│   ├── DiskError           the disk refused a write
│   └── ServiceError        the service cannot be reached or understood
└── PlanMismatch (7)        the frozen plan no longer fits

Nothing below `cli` prints or exits: it raises one of these, and `cli` turns it into words and an exit code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal


class FluxError(Exception):
    """What happened, where, and what to do next, in a message that can be shown as it is."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *lines: str) -> None:
        """Take the message as the lines that it is meant to have: a line break in a name makes none."""
        super().__init__("\n".join(lines))
        self.lines = lines


class UsageError(FluxError):
    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One complaint about one place of a manifest.

    `line` and `column` count from 1 and are 0 where the complaint is about the file as a whole; `path` names the node
    as `entries[0].matrix.size[1]`; `source` is the quoted line, cut and made safe to show, and `marks` the carets under
    what is meant, which on the line itself goes from `column` up to, not including, `end_column`; `code` is a stable word
    such as `unknown-key`.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    end_column: int = 0
    source: str = ""
    marks: str = ""
    code: str = "invalid"
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return "\n".join(self.lines)

    @property
    def lines(self) -> tuple[str, ...]:
        """The complaint, and under it what is quoted."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        head = f"{place} {self.path}: {self.message}" if self.path else f"{place}: {self.message}"
        return (head, *(f"    {line}" for line in (self.source, self.marks) if line))


class ManifestError(UsageError):
    """A manifest that cannot be used, with every problem found in it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(*(line for problem in problems for line in problem.lines))


class AccountError(FluxError):
    exit_code = 3


class LockfileError(FluxError):
    exit_code = 5


class LockfileDamaged(LockfileError): ...


class LockfileForeign(LockfileError): ...


class LockfileHeld(LockfileError): ...


class StoppedError(FluxError):
    exit_code = 6


class DiskError(StoppedError): ...


class ServiceError(StoppedError): ...


class PlanMismatch(FluxError):
    exit_code = 7
