"""Run many schedules: `python tests/simulation/explore.py --schedules 1000000 --seed 1 --mutant grace`."""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from simulation import mutants
from simulation.invariants import HARM
from simulation.schedules import KINDS, draw
from simulation.world import RENDERS, World, violation

from flux_pipeline.ledger.facts import Submission
from flux_pipeline.run.events import Answered, Fetch, Fetched, Listed, Post, Told, Write, Written
from flux_pipeline.wiro.outcomes import Tasks

_TRACED = 500  # schedules that coverage may look at


@dataclass(frozen=True, slots=True)
class Found:
    """A schedule that broke a promise; `tried` schedules were run, it included."""

    seed: int
    tried: int
    text: str
    trace: str

    def __str__(self) -> str:
        return f"schedule {self.seed} (the {self.tried}th): {self.text}\n{self.trace}"


def explore(schedules: int, seed: int, mutant: str | None = None, *, harm: bool = False) -> Found | None:
    """Run schedules with the seeds from `seed` on; return the first that breaks a promise.

    `harm` counts only what costs money or pictures, and not the rules that protect them.
    """
    with mutants.applied(mutant) if mutant else nullcontext(), _untraced() if schedules > _TRACED else nullcontext():
        kinds = mutants.WHERE.get(mutant or "", KINDS)
        seeds = (one for one in itertools.count(seed) if kinds is KINDS or draw(Random(one)).kind in kinds)
        for tried, one in enumerate(itertools.islice(seeds, schedules), start=1):
            broken = violation(one, mutant, HARM if harm else None)
            if broken is not None:
                return Found(one, tried, str(broken[0]), told(broken[1]))
    return None


def find(mutant: str, budget: int) -> Found | None:
    """Look for harm in the protocol without one of its rules, for at most `budget` schedules."""
    return explore(budget, mutants.FROM.get(mutant, 0), mutant, harm=mutant not in mutants.HARMLESS)


@contextmanager
def _untraced() -> Iterator[None]:
    """Leave coverage out: after some hundred schedules there is nothing new to see, and it costs half the speed."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)


def told(world: World) -> str:
    """Return the end of a world's history, for people."""
    return "\n".join([f"  {world.schedule}", *(f"  {at:10.2f}  {_short(what)}" for at, what in world.trace)])


def _short(what: object) -> str:
    match what:
        case Write(fact=fact):
            return f"write    {_fact(fact)}"
        case Written(fact=fact):
            return f"durable  {_fact(fact)}"
        case Post(submission=submission, render=render):
            return f"POST     {submission[:6]} of render {render.params['seed']}"
        case Answered(submission=submission, outcome=outcome):
            return f"answer   {submission[:6]} {outcome}"
        case Told(task=task, outcome=Tasks(tasks=tasks)):
            return f"told     {task} {[one.status for one in tasks]}"
        case Listed(start=start, purpose=purpose, outcome=Tasks(tasks=tasks)):
            return f"listed   {purpose} from {start}: {' '.join(one.id for one in tasks)}"
        case Fetch(key=key):
            return f"fetch    {_render(key)}"
        case Fetched(key=key, outcome=outcome):
            return f"fetched  {_render(key)} {type(outcome).__name__}"
        case _:
            return str(what)


def _fact(fact: Submission) -> str:
    said = (
        fact.intended_at and f"intended at {fact.intended_at} above {fact.watermark}",
        fact.tasks and f"task {fact.tasks[0]}{' adopted' if fact.adopted else ''}",
        fact.unsent and f"unsent: {fact.unsent}",
        fact.absent and f"absent: {fact.absent}",
        fact.refused and f"refused: {fact.refused.code}",
        fact.settled and f"settled: {fact.settled.state}",
        fact.files and f"files {' '.join(fact.files)}",
    )
    return f"{fact.id[:6]} {_render(fact.key)}: {', '.join(str(one) for one in said if one)}"


def _render(key: str) -> str:
    return f"render {next(number for number, one in enumerate(RENDERS) if one.key == key)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mutant", choices=sorted(mutants.NAMES))
    parser.add_argument("--harm", action="store_true", help="count only what costs money or pictures")
    given = parser.parse_args()
    began = time.perf_counter()
    found = explore(given.schedules, given.seed, given.mutant, harm=given.harm)
    seconds = time.perf_counter() - began
    ran = found.tried if found else given.schedules
    print(f"{ran} schedules in {seconds:.1f} s, {ran / seconds:.0f} a second")  # noqa: T201 -- a script
    if found:
        print(found)  # noqa: T201 -- a script
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
