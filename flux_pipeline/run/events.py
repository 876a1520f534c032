"""What the engine is told, and what it asks for.

The engine neither waits nor looks at a clock: a runner carries effects out, and reports each one's end as an event
together with the moment at which it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from flux_pipeline.ledger.facts import FileFact, Submission
from flux_pipeline.ledger.keys import Render
from flux_pipeline.wiro.outcomes import Gone, PostOutcome, ReadOutcome, Undelivered
from flux_pipeline.wiro.tasks import Output


@dataclass(frozen=True, slots=True)
class Moment:
    """A reading of both clocks: `tick` in monotonic seconds decides.

    `stamp` (UTC, ISO 8601) is for people; `wall` (unix seconds) only says how long ago a task was made.
    """

    tick: float
    stamp: str
    wall: float = 0.0


# --- effects: what the engine asks for -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Write:
    """Make a fact durable. Facts are written in the order in which they are asked for."""

    fact: Submission


@dataclass(frozen=True, slots=True)
class Post:
    """Send a render that costs money; never before its intent is durable."""

    submission: str
    render: Render


@dataclass(frozen=True, slots=True)
class AskDetail:
    task: str


@dataclass(frozen=True, slots=True)
class AskList:
    """Ask for the page of the account's tasks that begins at `start`; `purpose` says which part of the engine asks."""

    start: int
    purpose: Literal["poll", "reconcile"]


@dataclass(frozen=True, slots=True)
class Fetch:
    """Bring a finished picture to every path; `known` are sums of files that may be replaced."""

    key: str
    render: Render
    output: Output
    paths: tuple[str, ...]
    known: frozenset[str]


@dataclass(frozen=True, slots=True)
class Move:
    """The picture `fact`, on disk at `source` and wanted at `path` as well."""

    key: str
    source: str
    path: str
    fact: FileFact


@dataclass(frozen=True, slots=True)
class Copy:
    """Bring pictures that are on disk to further paths: all are read before the first is replaced."""

    moves: tuple[Move, ...]
    known: frozenset[str]


Effect: TypeAlias = Write | Post | AskDetail | AskList | Fetch | Copy


# --- events: what the engine is told ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Woken:
    """The moment that the engine asked for has come."""


@dataclass(frozen=True, slots=True)
class Written:
    """A fact is durable."""

    fact: Submission


@dataclass(frozen=True, slots=True)
class Sent:
    """The first byte of a POST leaves."""

    submission: str


@dataclass(frozen=True, slots=True)
class Answered:
    submission: str
    outcome: PostOutcome


@dataclass(frozen=True, slots=True)
class Told:
    """The answer of Detail about one task."""

    task: str
    outcome: ReadOutcome


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the account's tasks, newest first, from `start` on."""

    start: int
    purpose: Literal["poll", "reconcile"]
    outcome: ReadOutcome


@dataclass(frozen=True, slots=True)
class Saved:
    """A checked picture is on disk at every path asked for."""

    files: Mapping[str, FileFact]


@dataclass(frozen=True, slots=True)
class Unfit:
    """The file is not the picture that was asked for; it is kept aside."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fetched:
    key: str
    outcome: Saved | Unfit | Gone | Undelivered


@dataclass(frozen=True, slots=True)
class Copied:
    """For every move what is now at its path, or why it is not."""

    outcomes: Mapping[Move, FileFact | str]


@dataclass(frozen=True, slots=True)
class Broke:
    """The disk or the lockfile failed: nothing more may be submitted. `unwritten` facts will never be reported."""

    reason: str
    exit_code: int
    unwritten: int = 0


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A signal asked the program to end; `exit_code` is 128 plus its number."""

    exit_code: int


Event: TypeAlias = Woken | Written | Sent | Answered | Told | Listed | Fetched | Copied | Broke | Interrupted
