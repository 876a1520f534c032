"""How fast: at most so many submissions in any second, wherever one looks."""

from __future__ import annotations

import math
from collections import deque

_LATENESS = 0.05  # seconds that a late wake-up may make good again
_TRAVEL = 0.3  # seconds after which a request that left is taken to have arrived


class Pace:
    """A rate without a burst: an even spacing, under a bound on any second that the server can measure.

    The spacing (a GCRA) makes good only 50 ms of lateness. Spacing alone would not bound what arrives, because
    connections take uneven time: so the grant that is `rate` grants after another waits until a second after that
    other's request has certainly arrived, which is when its answer came, or 0.3 s after its first byte left.
    """

    def __init__(self, rate: float) -> None:
        """Set the rate, in submissions a second."""
        self._spacing = 1.0 / rate
        self._window = math.ceil(rate)
        self._period = self._window / rate
        self._next = 0.0
        self._arrivals: deque[_Arrival] = deque(maxlen=self._window)
        self._travelling: dict[str, _Arrival] = {}

    def at(self, now: float) -> float | None:
        """Return the earliest moment of the next grant (`now` or later); None while that hangs on an event."""
        oldest = self._arrivals[0] if len(self._arrivals) == self._window else None
        if oldest is None:
            return max(now, self._next)
        if oldest.by is None:
            return None
        return max(now, self._next, oldest.by + self._period)

    def grant(self, name: str, now: float) -> None:
        """Use a grant for the submission `name`."""
        self._next = max(self._next, now - _LATENESS) + self._spacing
        arrival = _Arrival()
        self._arrivals.append(arrival)
        self._travelling[name] = arrival

    def sent(self, name: str, now: float) -> None:
        if arrival := self._travelling.get(name):
            arrival.by = now + _TRAVEL

    def answered(self, name: str, now: float) -> None:
        """Note that the request has arrived, or never will."""
        if arrival := self._travelling.pop(name, None):
            arrival.by = now if arrival.by is None else min(arrival.by, now)


class _Arrival:
    """The moment by which a request has certainly arrived; None while it has not left."""

    __slots__ = ("by",)

    def __init__(self) -> None:
        self.by: float | None = None
