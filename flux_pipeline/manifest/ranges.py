"""`{range: [first, last, step]}`: numbers from one end to the other, counted long before any is made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from flux_pipeline.ledger.keys import Json


class RangeFault(ValueError):
    """Why a range cannot be, in words that can be shown."""


class Range:
    """The numbers from `first` to `last`, both included. Exact: 0.1 is a tenth, and 0.1 to 0.3 are three numbers.

    Raises:
        RangeFault: the steps never get to `last`, or there are none.
    """

    __slots__ = ("_first", "_step", "count")

    def __init__(self, numbers: Sequence[Any]) -> None:
        self._first, last = _exact(numbers[0]), _exact(numbers[1])
        self._step = _exact(numbers[2]) if len(numbers) > 2 else Fraction(1)
        if self._step == 0:
            raise RangeFault("a step of 0 never gets anywhere; leave it out for steps of 1")
        steps = (last - self._first) / self._step
        if steps < 0:
            there = f"[{_said(self._first)}, {_said(last)}, {_said(-self._step)}]"
            raise RangeFault(
                f"from {_said(self._first)}, steps of {_said(self._step)} lead away from {_said(last)}; write {there}"
            )
        whole = math.floor(steps)
        if whole != steps:
            before = self._first + whole * self._step
            near = f"{_said(before)} or {_said(before + self._step)}"
            raise RangeFault(
                f"from {_said(self._first)}, steps of {_said(self._step)} pass {_said(last)} by; end it at {near}"
            )
        self.count = whole + 1

    def __iter__(self) -> Iterator[Json]:
        return (_said(self._first + index * self._step) for index in range(self.count))


def _exact(number: Any) -> Fraction:
    return Fraction(str(number))


def _said(number: Fraction) -> int | float:
    return number.numerator if number.denominator == 1 else float(number)
