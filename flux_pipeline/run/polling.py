"""When to ask about which task: one schedule for all of them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from flux_pipeline.run.pace import Pace

_FIRST_GUESS = 0.5  # seconds that a task is taken to need until one has been seen to end
_SHORTEST = 0.15
_LONGEST = 10.0
_GROWTH = 1.4
_MANY = 8  # from so many tasks on, pages of the list are cheaper than the tasks' details
_BEAT = 0.2  # seconds at least from one sweep of the list to the next
_PAGE = 100
_PARALLEL = 16


@dataclass(slots=True)
class _Watched:
    task: str
    since: float
    due: float
    pause: float
    learn: bool  # how long it takes is worth knowing
    asked: bool = False  # a Detail is under way
    polls: int = 0


@dataclass(slots=True)
class _Sweep:
    """A walk through the list's pages for the tasks that were due when it began."""

    wanted: set[str]
    pages: int
    seen: int = 0


@dataclass(slots=True)
class Polls:
    """The tasks that are followed, and the reads that are under way for them.

    The first look at a task comes near the time at which tasks have been ending, learned as they do; then the pauses
    grow. When many are watched, a page of the list tells of a hundred at once: looks that are nearly due are taken
    together, on a beat, and only what ended is asked in detail.
    """

    pace: Pace
    _watched: dict[str, _Watched] = field(default_factory=dict)
    _heap: list[tuple[float, str]] = field(default_factory=list)
    _urgent: dict[str, None] = field(default_factory=dict)
    _sweep: _Sweep | None = None
    _next_sweep: float = 0.0
    _under_way: int = 0
    _expected: float = _FIRST_GUESS
    _reads: int = 0

    def __len__(self) -> int:
        return len(self._watched)

    def follow(self, task: str, now: float, *, after: float | None = None) -> None:
        """Begin to watch a task, `after` so many seconds; None for one that has just been submitted."""
        due = now + (self._expected if after is None else after)
        self._watched[task] = _Watched(task, now, due, max(self._expected / 2, _SHORTEST), learn=after is None)
        heapq.heappush(self._heap, (due, task))

    def ended(self, task: str, now: float) -> None:
        """Stop watching, and learn from how long it took."""
        watched = self._watched.pop(task, None)
        self._urgent.pop(task, None)
        if watched is None or not watched.learn:
            return
        age = now - watched.since
        target = self._expected * 0.8 if watched.polls <= 1 else 0.7 * self._expected + 0.3 * age
        self._expected = min(max(target, _SHORTEST), 60.0)

    def ask_now(self, task: str) -> None:
        """Ask for a task's detail as soon as the pace allows."""
        if task in self._watched and not self._watched[task].asked:
            self._urgent[task] = None

    def running(self, task: str, now: float, wait: float | None = None) -> None:
        """Look at a task again after its pause (or `wait` seconds), and let the pause grow."""
        if watched := self._watched.get(task):
            watched.polls += 1
            watched.due = now + max(watched.pause, wait or 0.0)
            watched.pause = min(watched.pause * _GROWTH, max(_LONGEST, self._expected / 4))
            heapq.heappush(self._heap, (watched.due, task))

    def listed_running(self, task: str, now: float) -> None:
        """Note that the list shows a task as running; one that was not due yet keeps its time."""
        if self._sweep is not None and task in self._sweep.wanted:
            self.running(task, now)

    def answered(self, task: str | None) -> None:
        """Note that a read has come back: the Detail of `task`, or a page of the list."""
        self._under_way -= 1
        if task is not None and (watched := self._watched.get(task)):
            watched.asked = False

    def page(self, seen: set[str], *, full: bool, failed: bool, now: float) -> int | None:
        """Note a page of the list; return where the next page starts, None when the sweep is over."""
        sweep = self._sweep
        if sweep is None:
            return None
        sweep.wanted -= seen
        sweep.seen += 1
        if sweep.wanted and full and not failed and sweep.seen < sweep.pages:
            self._begin_read(now)
            return sweep.seen * _PAGE
        self._sweep = None
        for task in sweep.wanted:
            if failed:
                self.running(task, now)
            else:
                self.ask_now(task)
        return None

    def next_reads(self, now: float) -> tuple[tuple[str, ...], bool]:
        """Return the tasks whose detail is to be asked now, and whether a sweep of the list is to begin."""
        sweep = False
        if len(self._watched) < _MANY:
            self._urgent.update(dict.fromkeys(self._due(now)))
        elif self._sweep is None and self._next_sweep <= now and self._free(now) and self._due(now):
            sweep = True
            nearly = {one.task for one in self._watched.values() if one.due <= now + one.pause / 2 and not one.asked}
            self._sweep = _Sweep(nearly - self._urgent.keys(), pages=len(self._watched) // _PAGE + 2)
            self._next_sweep = now + max(_BEAT, self._expected / 8)
            self._begin_read(now)
        asked = []
        while self._urgent and self._free(now):
            task = next(iter(self._urgent))
            del self._urgent[task]
            self._watched[task].asked = True
            self._begin_read(now)
            asked.append(task)
        return tuple(asked), sweep

    def wakeup(self, now: float) -> float | None:
        """Return when there is something to ask, as far as that is known."""
        if self._under_way >= _PARALLEL:
            return None
        at = self.pace.at(now) or now
        if self._urgent:
            return at
        if self._sweep is not None:
            return None
        while self._heap and not self._current(*self._heap[0]):
            heapq.heappop(self._heap)
        if not self._heap:
            return None
        return max(at, self._heap[0][0], 0.0 if len(self._watched) < _MANY else self._next_sweep)

    def _due(self, now: float) -> list[str]:
        due = []
        while self._heap and self._heap[0][0] <= now:
            at, task = heapq.heappop(self._heap)
            if self._current(at, task):
                due.append(task)
        return due

    def _current(self, at: float, task: str) -> bool:
        watched = self._watched.get(task)
        return watched is not None and watched.due == at and not watched.asked and task not in self._urgent

    def _free(self, now: float) -> bool:
        at = self.pace.at(now)
        return self._under_way < _PARALLEL and at is not None and at <= now

    def _begin_read(self, now: float) -> None:
        self._under_way += 1
        self._reads += 1
        name = str(self._reads)
        self.pace.grant(name, now)
        self.pace.answered(name, now)
