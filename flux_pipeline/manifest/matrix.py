"""Axes and rows → combinations: the rows outermost, then the axes in the written order, the last one fastest.

Sizes are known before any combination is made, ranges and counts included.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from flux_pipeline.ledger.keys import Json
from flux_pipeline.manifest.document import Path
from flux_pipeline.manifest.prompt import Template

_ENDLESS: Final = 10**300
_FACTORS: Final = 12  # of a product that a message shows
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(slots=True, eq=False)
class Choice:
    """One value of an axis: what it is, how it is written, and which parameters it sets."""

    value: Any
    text: str
    part: str  # its part of a cell's id: `color=red`
    path: Path
    updates: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    template: Template | None = None


@dataclass(slots=True, eq=False)
class Row(Choice):
    """One row of data, chosen like the value of an axis; `value` are its fields, `first` what the first one holds."""

    first: Json = None


@dataclass(slots=True, eq=False)
class Counted:
    """How the seeds of `{count: N}` are made: by N, for what the other axes and the row are."""

    count: int
    make: Callable[[Mapping[str, Json], Json], tuple[Choice, ...]]


@dataclass(slots=True, eq=False)
class Spread:
    """The sound choices of one axis. `written` counts the values that the file asks for, sound or not.

    A range's choices are made by `pending`, once they are known to be few enough. Where `counted` is there, the choices
    are numbers that stand for seeds.
    """

    name: str
    choices: tuple[Choice, ...]
    written: int
    path: Path
    pending: Callable[[], tuple[Choice, ...]] | None = None
    counted: Counted | None = None

    @property
    def sound(self) -> bool:
        """Whether there is anything to choose."""
        return bool(self.choices) or self.pending is not None

    def settle(self) -> None:
        """Make the choices that were only counted so far."""
        if self.pending is not None:
            self.choices, self.pending = self.pending(), None


Combination: TypeAlias = tuple[Choice, ...]


def combinations(axes: tuple[Spread, ...], row: Row | None = None) -> Iterator[Combination]:
    """Yield every combination of choices; one, empty, where there are no axes. The row, if any, comes last in each."""
    fixed: tuple[tuple[Choice, ...], ...] = () if row is None else ((row,),)
    product = itertools.product(*(axis.choices for axis in axes), *fixed)
    at = next((index for index, axis in enumerate(axes) if axis.counted is not None), None)
    return product if at is None else _seeded(product, axes, at, row)


def _seeded(
    product: Iterator[Combination], axes: tuple[Spread, ...], at: int, row: Row | None
) -> Iterator[Combination]:
    """Put the seeds where their numbers stand."""
    counted = axes[at].counted
    assert counted is not None
    names = [axis.name for axis in axes]
    del names[at]
    first = None if row is None else row.first
    known: dict[Combination, Combination] = {}
    for combination in product:
        others = (*combination[:at], *combination[at + 1 :])
        seeds = known.get(others)
        if seeds is None:
            values = {name: choice.value for name, choice in zip(names, others, strict=False)}  # no name for the row
            seeds = known[others] = counted.make(values, first)
        yield (*combination[:at], seeds[combination[at].value], *combination[at + 1 :])


def number(count: int) -> str:
    """Write a number, one beyond all use by its magnitude only."""
    return f"{count:,}" if count < 10**18 else f"more than 10^{int(math.log10(count)) if count < _ENDLESS else 300}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How many cells an entry's rows, axes and extra cells make as written. `rows` is None where there are none."""

    rows: int | None = None
    axes: tuple[int, ...] = ()
    included: int = 0
    product: bool = True

    @property
    def cells(self) -> int:
        """Counted no further than anybody can want to know."""
        each = 1 if self.product else 0
        for size in self.axes:
            each *= size
            if each > _ENDLESS:
                break
        each += self.included
        return each if self.rows is None else each * self.rows

    def __str__(self) -> str:
        """Write the product as a person would: `100 × 50 × 3 = 15,000`, `20 rows × (3 × 2 + 1 included) = 140`."""
        rows = "" if self.rows is None else f"{self.rows:,} rows"
        more = " × …" if len(self.axes) > _FACTORS else ""
        axes = " × ".join(map(number, self.axes[:_FACTORS])) + more
        if not self.included:
            inner = axes or ("" if rows else "1")
        else:
            inner = f"{axes or '1'} + {self.included:,} included" if self.product else f"{self.included:,} included"
            inner = f"({inner})" if rows and self.product else inner
        return f"{' × '.join(filter(None, (rows, inner)))} = {number(self.cells)}"


def overflow(
    sizes: list[tuple[str, Extent]], limit: int, *, remedy: str = "--max-cells or run.max_cells"
) -> tuple[int | None, str] | None:
    """Return which entry (None: all of them together) makes more cells than `limit`, and what to say; None if fine."""
    total = sum(extent.cells for _, extent in sizes)
    if total <= limit:
        return None
    allowed = f"more than the {limit:,} that max_cells allows; raise it with {remedy}"
    largest = max(range(len(sizes)), key=lambda index: sizes[index][1].cells)
    name, extent = sizes[largest]
    if extent.cells > limit:
        others = f" ({number(total)} in the whole manifest)" if len(sizes) > 1 else ""
        return largest, f"{extent} cells{others}, {allowed}"
    return None, f"{number(total)} cells in {len(sizes):,} entries (the largest, {name}: {extent}), {allowed}"
