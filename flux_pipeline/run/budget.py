"""How much: dollars that are gone or may still go, against the limit."""

from __future__ import annotations

from decimal import Decimal


class Budget:
    """Reservations by submission. Once a charge was above its estimate, all estimates are taken to be as wrong.

    A price that nobody knows fits no limit, and reserves nothing where there is none.
    """

    def __init__(self, limit: Decimal | None, reserved: Decimal) -> None:
        """Start from what earlier runs have spent and reserved."""
        self._limit = limit
        self._total = reserved
        self._open: dict[str, Decimal] = {}
        self._factor = Decimal(1)  # how far a charge has been above its estimate, at worst
        self.charged = Decimal(0)

    def fits(self, estimate: Decimal | None) -> bool:
        if self._limit is None or estimate is None:
            return self._limit is None
        dearer = (self._factor - 1) * sum(self._open.values(), Decimal(0))
        return self._total + dearer + self._factor * estimate <= self._limit

    def reserve(self, submission: str, estimate: Decimal | None) -> None:
        self._open[submission] = estimate or Decimal(0)
        self._total += self._open[submission]

    def release(self, submission: str, reserved: Decimal) -> None:
        """Give back what was reserved, in this run or (then `reserved`) an earlier one, for what made no task."""
        self._total -= self._open.pop(submission, reserved)

    def settle(self, submission: str, reserved: Decimal, cost: Decimal) -> None:
        """Replace a reservation, of this run or (then of `reserved`) of an earlier one, by what was charged."""
        expected = self._open.pop(submission, reserved)
        if expected and cost > expected:
            self._factor = max(self._factor, cost / expected)
        self._total += cost - expected
        self.charged += cost
