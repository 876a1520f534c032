"""What the service says about a task, as values that know nothing else of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

QUEUED = frozenset({"task_queue"})
_ENDED = "task_postprocess_end"
_CANCELLED = "task_cancel"
_FATAL = "task_error"  # in Detail and List; on the WebSocket the same word is only a log line


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A file on the service's CDN. `url` works for a limited time and is never written down."""

    url: str
    name: str
    content_type: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Running:
    """Not at its end; a status that nobody has heard of counts as running too."""


@dataclass(frozen=True, slots=True)
class Finished:
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    reason: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Cancelled or killed: no picture, no charge, whatever else the record says."""


Verdict: TypeAlias = Running | Finished | Failed | Cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task as Detail and List describe it.

    `cost` is in dollars, None where the record has none or it cannot be read. `model` is `owner/name` where the
    record tells. `params` are as echoed: types may have become text. Times are unix seconds, None where unknown.
    """

    id: str
    status: str
    pexit: str | None = None
    outputs: tuple[Output, ...] = ()
    cost: Decimal | None = None
    reason: str = ""
    model: str | None = None
    params: Mapping[str, Any] | None = None
    created: float | None = None

    def verdict(self) -> Verdict:
        """Judge by the status first, then `pexit`, then the outputs."""
        if self.status == _CANCELLED:
            return Cancelled()
        if self.status == _FATAL:
            return Failed(self.reason or "the task failed before it started")
        if self.status != _ENDED:
            return Running()
        if self.pexit not in (None, "", "0"):
            return Failed(self.reason or f"the task ended with exit code {self.pexit}")
        if not self.outputs:
            return Failed(self.reason or "the task ended without an output")
        return Finished(self.outputs)
