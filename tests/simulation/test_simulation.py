"""Fifty thousand schedules of faults, crashes and restarts: every promise of the protocol, at every step.

A failure names its schedule: `python tests/simulation/explore.py --schedules 1 --seed N` replays it.
"""

from __future__ import annotations

from collections import Counter

import pytest
from simulation.explore import explore
from simulation.world import World

_CHUNKS = 10
_IN_A_CHUNK = 5_000


def test_no_promise_is_broken_in_a_few_hundred_schedules():
    found = explore(300, 10_000_000)
    assert found is None, str(found)


@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_no_promise_is_broken_in_fifty_thousand_schedules(chunk):
    found = explore(_IN_A_CHUNK, chunk * _IN_A_CHUNK)
    assert found is None, str(found)


def test_a_schedule_can_be_replayed_from_its_seed():
    told = []
    for _ in range(2):
        world = World(4711)
        world.run()
        told.append([(at, str(what)) for at, what in world.trace])
    assert told[0] == told[1]
    assert len(told[0]) > 10


def test_the_schedules_reach_what_they_are_for():
    """Guards the other tests: a world in which nothing happens breaks no promise either."""
    seen: Counter[str] = Counter()
    for seed in range(500):
        world = World(seed)
        world.run()
        facts = world.durable
        seen.update(f"exit {code}" for code in world.exits)
        seen["adopted"] += any(fact.adopted for fact in facts)
        seen["absent"] += any(fact.absent is not None for fact in facts)
        seen["canary"] += any("canary" in (fact.absent or "") for fact in facts)
        seen["rolled back"] += world.rolled_back
        seen[world.schedule.kind] += 1
    wanted = ("None", "0", "1", "3", "4", "6", "130")  # None is a run that died
    rare = {name for name in (*(f"exit {code}" for code in wanted), "late") if seen[name] < 3}
    rare |= {name for name in ("adopted", "absent", "canary", "rolled back", "hiding", "usual") if seen[name] < 30}
    assert not rare, seen
