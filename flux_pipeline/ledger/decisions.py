"""What somebody decided on a picture after looking at it.

A decision is a fact like any other: it is never taken back, only followed by another one, and two lockfiles that are
joined agree on which of them came last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

__all__ = ["Decision", "Verdict", "latest", "moment"]

Verdict = Literal["approved", "rejected", "none"]

_AT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z")
_TEXTS: Final = frozenset({"verdict", "by", "at", "sha256", "note"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict on the picture whose bytes have this SHA-256; `none` takes an earlier one back.

    `by` is a name, with an address if it is known; `at` is UTC, ISO 8601; `cells` are the ids that wanted the picture
    when somebody looked at it, sorted.
    """

    verdict: Verdict
    by: str
    at: str
    sha256: str
    note: str = ""
    cells: tuple[str, ...] = ()

    @property
    def day(self) -> str:
        return self.at[:10]


def latest(decisions: Iterable[Decision | None]) -> Decision | None:
    """Return the decision that holds: the one made last, and the same one in whatever order they come."""
    return max((one for one in decisions if one is not None), key=_order, default=None)


def _order(one: Decision) -> tuple[Any, ...]:
    # Without its Z a moment comes before those of the same second that are told more exactly.
    return (one.at.removesuffix("Z"), one.verdict, one.sha256, one.by, one.note, one.cells)


def moment(now: datetime, after: Iterable[Decision | None]) -> str:
    """Return when a decision is made that has to hold against these, whatever their authors' clocks said.

    `now` is UTC.
    """
    known = latest(after)
    if known is not None:
        now = max(now, datetime.fromisoformat(known.at) + timedelta(microseconds=1))
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond:06d}Z"


def body(one: Decision) -> dict[str, Any]:
    """Return the decision as a line holds it."""
    said = {"verdict": one.verdict, "by": one.by, "at": one.at, "sha256": one.sha256}
    return said | ({"note": one.note} if one.note else {}) | ({"cells": list(one.cells)} if one.cells else {})


def read(value: Any) -> Decision:
    """Read what a line says of a decision; ValueError says what is wrong with it."""
    try:
        cells = value.get("cells", [])
        sound = all(isinstance(text, str) for name, text in value.items() if name in _TEXTS)
        one = Decision(**{**value, "cells": tuple(sorted(set(cells)))})
    except (TypeError, AttributeError) as error:
        raise ValueError("x-review is not a decision that this version knows") from error
    if not sound or not isinstance(cells, list) or not all(isinstance(cell, str) for cell in cells):
        raise ValueError("x-review has a value of the wrong kind")
    if one.verdict not in get_args(Verdict):
        raise ValueError("x-review has no verdict that this version knows")
    if not _AT.fullmatch(one.at) or not _is_a_day(one.at):
        raise ValueError("x-review has no moment in UTC")
    return one


def _is_a_day(at: str) -> bool:
    try:
        return datetime.fromisoformat(at).year < 9999
    except ValueError:
        return False
