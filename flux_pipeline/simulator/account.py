"""The money of the account, and what it allows."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

from flux_pipeline.simulator.ledger import MICRO

if TYPE_CHECKING:
    from flux_pipeline.simulator.ledger import Ledger

UNLIMITED_ABOVE = Decimal(250)
LEAST = Decimal("0.50")


class Account:
    """What was paid in, less what the ledger says was charged, less what a fault took away."""

    def __init__(self, paid_in: Decimal, ledger: Ledger) -> None:
        self._paid_in, self._ledger = paid_in, ledger

    def balance(self, now: float) -> Decimal:
        return self._paid_in - Decimal(self._ledger.charged(now)) / MICRO

    def lose(self, amount: Decimal) -> None:
        self._paid_in -= amount

    def refusal(self, now: float) -> tuple[int, str] | None:
        """Say why no further task may start, as code and message, or nothing."""
        balance = self.balance(now)
        if balance < LEAST:
            return 97, no_money(balance)
        if balance <= UNLIMITED_ABOVE:
            limit = concurrency(balance)
            if self._ledger.active(now) >= limit:
                return 96, too_many(balance)
        return None


def concurrency(balance: Decimal) -> int:
    return max(1, int((balance * Decimal("0.10")).to_integral_value(ROUND_DOWN)))


def too_many(balance: Decimal) -> str:
    return (
        f"You have reached your concurrent task limit. With your current balance of ${balance:.2f}, you can run up to "
        f"{concurrency(balance)} tasks at the same time. Add balance to your account to raise the limit."
    )


def no_money(balance: Decimal) -> str:
    return f"Insufficient balance. At least ${LEAST} is needed to run a task; your balance is ${balance:.2f}."
