"""What happens in one schedule, drawn from its dice before it begins: the world's habits, and how each life ends.

A life is one run of the program. Schedules are small on purpose: many of them find more than few long ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, Literal

PRICE = Decimal("0.03")
KINDS = frozenset({"usual", "rollback", "hiding", "late"})
_KINDS = ("usual",) * 12 + ("rollback",) * 3 + ("hiding",) * 2 + ("late",)
_MOMENTS = ("step", "step", "step", "step", "effect", "effect", "arrive", "answer", "durable", "durable", "listed")


@dataclass(slots=True, kw_only=True)
class Life:
    """One run of the program: until it is done, or until the `nth` time that `dies_at` happens."""

    policy: dict[str, Any]
    dies_at: str | None = None
    nth: int = 0
    interrupted: int = -1  # the step before which a signal comes
    frozen: int = -1  # the step before which the machine sleeps for an hour
    breaks: int = -1  # the write that fails, and every one after it
    gap: float = 0.0  # seconds until the next life
    wall: float = 0.0  # by which the computer's clock is wrong
    rolled_back: float | None = None  # how much of the lockfile the next life finds
    deleted: bool = False  # the user deletes a picture afterwards
    wanted: int = 0  # renders in the manifest


@dataclass(slots=True, kw_only=True)
class Schedule:
    """The habits of a world. Times are in virtual seconds.

    In a `usual` world a request arrives within `late` after the client gave it up, and the list shows a task within
    `lag`; together that is less than the grace period. `rollback` also loses lines of the lockfile. Two kinds break
    the rules that the protocol rests on: in a `hiding` world the list never shows a task of ours, in a `late` one
    requests arrive when they please.
    """

    kind: Literal["usual", "rollback", "hiding", "late"]
    renders: int
    two_paths: bool
    concurrency: int
    grace: float
    late: float
    lag: float
    page: int
    faults: int
    odds: float
    slow: float  # the longest time that a task takes
    step: int  # between task ids, because other people's tasks have some too
    fsync: float  # the longest time that the disk takes
    ancient: bool  # identical tasks, older than a day, that no lockfile knows
    max_cost: Decimal | None
    lives: tuple[Life, ...]


def draw(dice: Random) -> Schedule:
    kind = dice.choice(_KINDS)
    renders = dice.choice((1, 1, 2, 2, 3, 4)) if dice.random() > 0.01 else 9
    concurrency = dice.choice((1, 2, 3)) if renders < 9 else 9
    grace = dice.choice((10.0, 20.0, 60.0, 120.0))
    late = grace * dice.uniform(0.0, 0.6)
    lag = grace * dice.uniform(0.0, 0.3) if dice.random() < 0.5 else 0.0
    short_of_money = dice.random() < 0.1
    max_cost = PRICE * (renders - (renders > 1 and dice.random() < 0.5)) if short_of_money else None
    return Schedule(
        kind=kind,
        renders=renders,
        two_paths=dice.random() < 0.1,
        concurrency=concurrency,
        grace=grace,
        late=late if kind != "late" else grace * 4,
        lag=lag,
        page=dice.choice((100, 100, 7, 3)),
        faults=dice.choice((0, 2, 4, 8)) if kind != "hiding" else 6,
        odds=dice.choice((0.1, 0.3, 0.6)) if kind != "hiding" else 0.8,
        slow=dice.choice((0.3, 2.0, 2.0, 15.0)),
        step=dice.choice((1, 7, 700)),
        fsync=3.0 if dice.random() < 0.1 else 0.05,
        ancient=dice.random() < 0.15,
        max_cost=max_cost,
        lives=tuple(_life(dice, kind, renders) for _ in range(dice.choice((0, 1, 1, 2, 3)))),
    )


def _life(dice: Random, kind: str, renders: int) -> Life:
    life = Life(policy=_policy(dice), wanted=renders)
    if dice.random() < 0.8:
        life.dies_at = dice.choice(_MOMENTS)
        life.nth = dice.randint(1, 40) if life.dies_at in {"step", "effect"} else dice.randint(1, 6)
    accident = dice.random()
    if accident < 0.08:
        life.interrupted = dice.randint(0, 40)
    elif accident < 0.14:
        life.breaks = dice.randint(0, 8)
    elif accident < 0.18:
        life.frozen = dice.randint(0, 40)
    life.gap = dice.uniform(0.0, 3.0) if dice.random() < 0.7 else dice.uniform(0.0, 200.0)
    life.deleted = dice.random() < 0.1
    if dice.random() < 0.15:
        life.wall = dice.choice((-3600.0, 3600.0, -3e8, 6e8))
    if kind == "rollback" and dice.random() < 0.7:
        life.rolled_back = 0.0 if dice.random() < 0.4 else dice.random()
    if kind == "usual" and renders > 1 and dice.random() < 0.1:
        life.wanted = renders - 1
    return life


def _policy(dice: Random) -> dict[str, Any]:
    policy: dict[str, Any] = {"rate": dice.choice((5.0, 100.0)), "retries": dice.choice((0, 1, 1, 2))}
    if dice.random() < 0.04:
        policy["resubmit_doubtful"] = True
    elif dice.random() < 0.04:
        policy["rerender_expired"] = True
    elif dice.random() < 0.05:
        policy["submit"] = False
    elif dice.random() < 0.05:
        policy["follow"] = False
    elif dice.random() < 0.05:
        policy["timeout"] = dice.uniform(1.0, 60.0)
    elif dice.random() < 0.03:
        policy["fail_fast"] = True
    return policy
