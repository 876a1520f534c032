"""Runs that are asked to stop at any moment, or whose reader has gone."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kills import warm
from kills.worlds import RUN, Place, Violation, World, complete

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_IN_TIME = 7.0  # seconds from the first signal to the end


@dataclass(frozen=True, slots=True)
class Stop:
    """What a run meets: signals, each so many seconds after the start; or descriptors that nobody reads."""

    seed: int
    signals: tuple[tuple[float, int], ...] = ()
    closed: tuple[int, ...] = ()
    flags: tuple[str, ...] = ()

    def __str__(self) -> str:
        sent = ", ".join(f"{signal.Signals(number).name} after {at:.3f} s" for at, number in self.signals)
        return sent or f"{self.closed} closed {' '.join(self.flags)}"


def stops(moments: int, seed: int, length: float) -> Iterator[Stop]:
    """Yield so many stops by signals, half of them with a second one, and each way to lose a reader."""
    for one in range(seed, seed + moments):
        dice = random.Random(one)
        first = dice.uniform(0.0, length * 1.2)
        signals = [(first, dice.choice(_NUMBERS))]
        if one % 2:
            signals.append((first + dice.uniform(0.0, 0.2), dice.choice(_NUMBERS)))
        yield Stop(one, tuple(signals))
    for number, closed in enumerate(((1,), (2,), (1, 2))):
        for flags in ((), ("--json",), ("-v", "--json")):
            yield Stop(seed + number, (), closed, flags)


def stop(how: Stop, folder: Path) -> None:
    """Stop a run like this, then end what it began; Violation says what did not hold."""
    world = World(how.seed, 1.0)
    world.faults = [
        {"on": "run", "what": "slow", "delay": 1.0, "rate": 0.3},
        {"on": "run", "what": "lost_answer", "rate": 0.2},
    ]
    place = Place(folder, world.manifest)
    with warm.Server(folder, world.faults, seed=how.seed) as server:
        done = warm.call(folder, *RUN, *how.flags, environ=server.environ, signals=how.signals, closed=how.closed)
        try:
            _judge(how, done)
            place.look()
            place.announced(server.rows())
            complete(place, server)
        except Violation as violation:
            raise Violation(f"{how}: {violation}\nexit {done.code} after {done.seconds:.3f} s\n{done.err}") from None


def _judge(how: Stop, done: warm.Done) -> None:
    gone = {141} if how.closed else set()
    allowed = {0} | gone | {128 + number for _, number in how.signals}
    code = 128 + done.signal if done.signal else done.code
    if code not in allowed:
        raise Violation(f"ended with exit {code}")
    if how.signals and code and code != 128 + how.signals[0][1] and len({number for _, number in how.signals}) == 1:
        raise Violation(f"ended with exit {code}, which is another signal's")
    if how.signals and done.seconds > how.signals[0][0] + _IN_TIME:
        raise Violation(f"took {done.seconds - how.signals[0][0]:.1f} s to end")
    if done.ugly:
        raise Violation(done.ugly)
