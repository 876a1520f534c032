"""What a complete walk through the service's list of tasks proves; pure.

`claimed` is the render's key of every task that the lockfile knows, `identify` gives the keys that a task's echoed
parameters may be those of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from flux_pipeline.wiro.tasks import Cancelled, Failed, Task

RECENT = 24 * 3600.0  # seconds for which a task that nothing claims is still taken over
_PLAUSIBLE = 365 * 24 * 3600.0  # seconds that our clock may be ahead of the newest task and still be believed

Identify = Callable[[Task], frozenset[str]]
Listing = Mapping[str, Task]


def control(tasks: Listing, claimed: Mapping[str, str], wanted: AbstractSet[str], identify: Identify) -> int:
    """Return the highest task of ours that the list shows under the key that we know it by, 0 for none.

    A task that nothing claims and that ended without a charge counts as well when it is one of the keys in `wanted`:
    nobody needs it, but it shows that the list has tasks of that age, and that their parameters can be read.
    """
    ours = (task for task in tasks.values() if task.id in claimed or unbilled(task))
    keys = ((task, {claimed[task.id]} if task.id in claimed else wanted) for task in ours)
    return max((int(task.id) for task, known in keys if known & identify(task)), default=0)


def hidden(tasks: Listing, claimed_at: Mapping[str, float], long_since: float) -> int:
    """Return the highest task of ours that the list should show by now and does not, 0 for none.

    Those are the tasks that we have known since the tick `long_since` or earlier. A list that is later than that, or
    has lost some of our tasks, is no evidence of absence.
    """
    due = (task for task, since in claimed_at.items() if since <= long_since)
    return max((int(task) for task in due if task not in tasks), default=0)


def taken(tasks: Listing, claimed: Mapping[str, str], identify: Identify) -> set[str]:
    """Return the keys of tasks that we claim for another render than they are of: an answer named the wrong one."""
    keys = ((claimed[task.id], identify(task)) for task in tasks.values() if task.id in claimed)
    return {key for mine, theirs in keys if mine not in theirs for key in theirs}


def unbilled(task: Task) -> bool:
    """Say whether a task ended without a charge, so that its render may be submitted again."""
    verdict = task.verdict()
    return isinstance(verdict, Cancelled) or (isinstance(verdict, Failed) and not task.cost)


def recent(tasks: Listing, wall: float) -> Callable[[Task], bool]:
    """Return what says of a task whether it is recent enough to be taken over; `wall` is our clock, in unix seconds.

    A clock that the newest task contradicts is not believed: then that task's time stands for now.
    """
    newest = max((task.created for task in tasks.values() if task.created is not None), default=0.0)
    now = wall if 0 <= wall - newest <= _PLAUSIBLE else newest
    return lambda task: task.created is None or now - task.created <= RECENT


def age(created: float, wall: float) -> float:
    """Return how many seconds ago a task was made, 0 where our clock cannot be believed."""
    return wall - created if 0 <= wall - created <= _PLAUSIBLE else 0.0
