"""What came of a call, as values that know nothing else of ours.

A POST that would cost money has exactly one of five outcomes, and the difference between `Unsent`, `NotTaken` and
`Unknown` is the whole point: only the first two may be sent again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from flux_pipeline.wiro.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The service made a task and named it."""

    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """Not one byte of the request left. `cause` says whether waiting can help (`network`) or somebody has to act."""

    reason: str
    cause: Literal["network", "certificate", "proxy", "request"] = "network"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTaken:
    """The service says that it made no task, for now.

    `wait` are the seconds that it asked for; `limit` is how many tasks it lets run at once, where it said so; `full`
    means that a task has to end first.
    """

    reason: str
    wait: float | None = None
    full: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The service made no task and will not: of this render, of any of this model, or of anything for this account."""

    code: str
    message: str
    scope: Literal["render", "model", "account"] = "render"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """There may be a task. `stop` means that nothing more may be sent until somebody has looked."""

    reason: str
    stop: bool = False


PostOutcome: TypeAlias = Accepted | Unsent | NotTaken | Refused | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """What Detail or List told, newest first for List."""

    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoTask:
    """The service does not know the task: not yet, not any more, or not for this account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A read without an answer; it may be repeated.

    `account` means that repeating cannot help, `missing` that the service has no such call.
    """

    reason: str
    wait: float | None = None
    account: bool = False
    missing: bool = False


ReadOutcome: TypeAlias = Tasks | NoTask | Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The link to a file does not work (any more); the service may give a new one."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """A download that did not come to its end although the link works."""

    reason: str
