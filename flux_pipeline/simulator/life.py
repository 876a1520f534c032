"""What becomes of a task, as a pure function of its row and the time.

No worker moves tasks along: a task goes on while the process is dead, and every reader sees the same history.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FINISHED, CANCELLED, ERROR = "task_postprocess_end", "task_cancel", "task_error"
TERMINAL = frozenset({FINISHED, CANCELLED, ERROR})

# When each status begins: the share of the queue time, then of the run time, that has passed.
_STEPS = (
    ("task_queue", 0.0, 0.0),
    ("task_accept", 1.0, 0.0),
    ("task_assign", 1.0, 0.02),
    ("task_preprocess_start", 1.0, 0.04),
    ("task_preprocess_end", 1.0, 0.08),
    ("task_start", 1.0, 0.10),
    ("task_output", 1.0, 0.70),
    ("task_output_full", 1.0, 0.86),
    ("task_end", 1.0, 0.90),
    ("task_postprocess_start", 1.0, 0.94),
    (FINISHED, 1.0, 1.0),
)


class Outcome(StrEnum):
    """How a task ends unless somebody stops it; only a success costs money, `EMPTY_CHARGED` apart."""

    SUCCESS = "success"
    FAILED = "failed"
    MODERATED = "moderated"
    EMPTY = "empty"
    EMPTY_CHARGED = "empty_charged"
    ERROR = "error"
    CANCELLED = "cancelled"


class Storage(StrEnum):
    """Where the file of a finished task is: served, deleted by the user, or lost by the CDN."""

    KEPT = "kept"
    DELETED = "deleted"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Mean seconds in the queue and in the model; `jitter` is the largest share by which one draw departs from them."""

    queue: float = 0.9
    run: float = 1.6
    jitter: float = 0.4

    def draw(self, seed: int, task_id: int, speed: float) -> tuple[float, float]:
        """Draw queue and run seconds for one task; the same seed and id give the same draw."""
        if math.isinf(speed):
            return 0.0, 0.0
        rng = random.Random(f"{seed}:{task_id}")
        queue, run = (1 + self.jitter * rng.uniform(-1, 1) for _ in range(2))
        return self.queue * queue / speed, self.run * run / speed


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One row of the ledger. Times are unix seconds, money is in millionths of a dollar."""

    id: int
    token: str
    uuid: str
    model: str
    parameters: Mapping[str, Any]
    created: float
    queue: float
    run: float
    outcome: Outcome
    price: int
    stopped: float | None = None
    file_token: str
    storage: Storage = Storage.KEPT

    def history(self) -> list[tuple[str, float]]:
        """List every status the task has or will have if nobody stops it, with the time at which it begins."""
        cut, last = self._cut()
        start, begun = self.created, self.created + self.queue
        steps = [(name, begun + self.run * run if queue else start) for name, queue, run in _STEPS]
        if cut is None:
            return steps
        return [step for step in steps if step[1] <= cut and step[0] not in TERMINAL] + [(last, cut)]

    def _cut(self) -> tuple[float | None, str]:
        if self.stopped is not None:
            return self.stopped, CANCELLED
        if self.outcome is Outcome.ERROR:
            return self.created + self.queue, ERROR
        if self.outcome is Outcome.CANCELLED:
            return self.created + self.queue + self.run / 2, CANCELLED
        return None, FINISHED

    @property
    def ends(self) -> float:
        cut, _ = self._cut()
        return self.created + self.queue + self.run if cut is None else cut

    def status(self, now: float) -> str:
        """Name the newest status that has begun; a clock that runs backwards finds the task in the queue."""
        if now >= self.ends:
            return self._cut()[1]
        current = "task_queue"
        for name, begins in self.history():
            if begins > now:
                break
            current = name
        return current

    @property
    def charge(self) -> int:
        """What the task costs once it has ended."""
        charged = self.stopped is None and self.outcome in {Outcome.SUCCESS, Outcome.EMPTY_CHARGED}
        return self.price if charged else 0

    def has_picture(self, now: float) -> bool:
        finished = self.outcome is Outcome.SUCCESS and self.stopped is None and now >= self.ends
        return finished and self.storage is not Storage.DELETED
