"""How much text a template may make and handle, told before it is filled in even once.

A form is a sum: so many characters of its own, and so many times the length of each variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Form: TypeAlias = Mapping[str, int]  # by variable; "" counts characters

NOTHING: Final[Form] = {}
_NUMBER: Final = 24  # characters of the longest number
_MOST: Final = 10**12  # where a count stops: more is always too much


@dataclass(frozen=True, slots=True)
class Cost:
    """How long the text may be, and how many characters are handled on the way to it."""

    length: Form
    work: Form


def total(forms: Iterable[Form], times: int = 1) -> Form:
    """Return the sum of some forms, each taken so many times."""
    found: dict[str, int] = {}
    for form in forms:
        for name, count in form.items():
            found[name] = min(_MOST, found.get(name, 0) + count * times)
    return found


def characters(form: Form, size: Callable[[str], int]) -> int:
    """Return how many characters a form is when `size` tells the length of each variable."""
    return sum(count * (size(name) if name else 1) for name, count in form.items())


def extent(value: Any) -> int:
    """Return how many characters of text there are in plain data, nested ones included, and one more for each item."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(extent, value.values())) + len(value)
    return sum(map(extent, value)) + len(value) if isinstance(value, list | tuple) else _NUMBER
