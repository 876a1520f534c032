"""One walk through the service's list of tasks, newest first, that knows whether it saw everything.

The list moves while it is read: a new task pushes the others down. So every page begins a little before the last one
ended, and must show that one's last task again. When ids do not fall strictly, two pages do not fit together, or there
is more behind what looked like the end, the walk starts over; after five times it is incomplete, and nothing may be
concluded from what it did not show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from flux_pipeline.wiro.tasks import Task

_OVERLAP = 5
_RESTARTS = 5
_PAGES = 2000  # of up to a hundred tasks each

Progress = Literal["going", "complete", "incomplete"]


@dataclass(slots=True)
class Sweep:
    """A walk down to a floor; `began` is the tick of its first page.

    `deep_enough` says of a task whether it lies below everything that the walk is for.
    """

    began: float
    deep_enough: Callable[[Task], bool]
    start: int = 0
    tasks: dict[str, Task] = field(default_factory=dict)
    _last: tuple[str, ...] = ()
    _at_end: bool = False
    _restarts: int = 0
    _pages: int = 0

    def page(self, tasks: tuple[Task, ...]) -> Progress:
        """Take the page that begins at `start`, and set `start` to where the next one begins."""
        ids = tuple(task.id for task in tasks)
        self._pages += 1
        if self._at_end:
            return self._beyond(ids)
        if not _falling(ids) or self._torn(ids):
            return self._again()
        new = [task for task in tasks if task.id not in self.tasks]
        self.tasks.update((task.id, task) for task in new)
        if not ids or self.deep_enough(tasks[-1]):
            return "complete"
        if self._pages >= _PAGES:
            return "incomplete"
        self._last, self._at_end = ids, not new
        self.start += max(len(ids) - _OVERLAP, 1) if new else len(ids)
        return "going"

    def _beyond(self, ids: tuple[str, ...]) -> Progress:
        """Judge the page behind one that showed nothing new: a list that grew shows known tasks there, and no others."""
        if not ids:
            return "complete"
        if not all(one in self.tasks for one in ids) or self._pages >= _PAGES:
            return self._again()
        self.start += len(ids)
        return "going"

    def _torn(self, ids: tuple[str, ...]) -> bool:
        """Say whether a page and those before it do not fit together, so that tasks are missing in one of them.

        It has to show the last task of the page before, and nothing above that task that was not there already.
        """
        past_the_only_one = len(self._last) == 1 and not ids
        if not self._last or past_the_only_one:
            return False
        last = self._last[-1]
        return last not in ids or any(int(one) > int(last) and one not in self.tasks for one in ids)

    def _again(self) -> Progress:
        self._restarts += 1
        self.start, self._last, self._at_end = 0, (), False
        self.tasks.clear()
        return "going" if self._restarts <= _RESTARTS else "incomplete"


def _falling(ids: tuple[str, ...]) -> bool:
    numbers = [int(one) for one in ids]
    return all(one > other for one, other in pairwise(numbers))
