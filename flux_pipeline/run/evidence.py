"""What a complete walk through the service's list of tasks proves; pure.

`claimed` is the render's key of every task that the lockfile knows, `identify` gives the keys that a task's echoed
parameters may be those of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from flux_pipeline.ledger.keys import Render
from flux_pipeline.wiro.tasks import Cancelled, Failed, Task

RECENT = 24 * 3600.0  # seconds for which a task that nothing claims is still taken over
_PLAUSIBLE = 365 * 24 * 3600.0  # seconds that our clock may be ahead of the newest task and still be believed

_PLAIN = re.compile(r"[^A-Za-z0-9]+")

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


def garbled(tasks: Listing, claimed: Mapping[str, str], wanted: AbstractSet[str], identify: Identify) -> bool:
    """Say whether the list shows a task of ours, of a render in `wanted`, with parameters that are nobody's.

    A list that has changed one task's parameters may have changed those of the task that is looked for.
    """
    ours = ((task, claimed[task.id]) for task in tasks.values() if claimed.get(task.id) in wanted)
    return any(key not in (keys := identify(task)) and not keys & wanted for task, key in ours)


def lookalike(tasks: Listing, claimed: Mapping[str, str], case: tuple[Render, int], identify: Identify) -> Task | None:
    """Return a task above the mark that may be the one looked for although its parameters came back changed.

    `case` is the render and the mark. Nothing claims such a task, and only the prompt differs, in what is easily lost on
    the way: its length, spaces, letters that are not plain.
    """
    render, mark = case
    free = (task for task in tasks.values() if task.id not in claimed and int(task.id) > mark and not unbilled(task))
    return next((task for task in free if render.key not in identify(task) and resembles(task, render)), None)


def resembles(task: Task, render: Render) -> bool:
    """Say whether a task's parameters may be those of a render after the prompt was garbled."""
    if task.params is None or task.model not in (None, render.model):
        return False
    others = (name for name in render.params if name != "prompt" and name in task.params)
    return all(str(task.params[name]) == str(render.params[name]) for name in others) and same_words(task, render)


def same_words(task: Task, render: Render) -> bool:
    """Say whether one prompt is the beginning of the other, as far as plain letters and digits go."""
    echoed = _PLAIN.sub("", str((task.params or {}).get("prompt", ""))).lower()
    asked = _PLAIN.sub("", str(render.params.get("prompt", ""))).lower()
    return echoed.startswith(asked) or asked.startswith(echoed)


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


def below(mark: int | None, *, takes_over: bool, wall: float) -> Callable[[Task], bool]:
    """Return what says of a task whether a sweep need not go deeper.

    It lies below the mark, and before the tasks that may be taken over where the sweep `takes_over`.
    """

    def deep_enough(task: Task) -> bool:
        old = not takes_over or (task.created is not None and age(task.created, wall) > RECENT)
        return (mark is None or int(task.id) < mark) and old

    return deep_enough


def age(created: float, wall: float) -> float:
    """Return how many seconds ago a task was made, 0 where our clock cannot be believed."""
    return wall - created if 0 <= wall - created <= _PLAUSIBLE else 0.0
