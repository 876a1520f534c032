"""Axes → combinations, in the written order, the last axis fastest; counted before any is made.

Rows, `exclude`, `include` and zipped values will change what `combinations` yields, and nothing else.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from flux_pipeline.manifest.document import Path
from flux_pipeline.manifest.prompt import Template

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
class Spread:
    """The sound choices of one axis. `written` counts the values in the file, sound or not."""

    name: str
    choices: tuple[Choice, ...]
    written: int
    path: Path


Combination: TypeAlias = tuple[Choice, ...]


def combinations(axes: tuple[Spread, ...]) -> Iterator[Combination]:
    """Yield every combination; one, empty, where there are no axes."""
    return itertools.product(*(axis.choices for axis in axes if axis.choices))


def size(axes: tuple[Spread, ...]) -> int:
    """Return how many cells the axes as written make."""
    return math.prod(axis.written for axis in axes)


def product_text(axes: tuple[Spread, ...]) -> str:
    """Return the product as a person would write it: `100 × 50 × 3 = 15,000`."""
    factors = [f"{axis.written:,}" for axis in axes[:12]] + ["…"] * (len(axes) > 12)
    return f"{' × '.join(factors) or '1'} = {number(size(axes))}"


def number(count: int) -> str:
    """Write a number, one beyond all use by its magnitude only."""
    return f"{count:,}" if count < 10**18 else f"more than 10^{int(math.log10(count)) if count < 10**300 else 300}"


def overflow(
    sizes: list[tuple[str, tuple[Spread, ...]]], limit: int, *, remedy: str = "--max-cells or run.max_cells"
) -> tuple[int | None, str] | None:
    """Return which entry (None: all of them together) makes more cells than `limit`, and what to say; None if fine."""
    total = sum(size(axes) for _, axes in sizes)
    if total <= limit:
        return None
    allowed = f"more than the {limit:,} that max_cells allows; raise it with {remedy}"
    largest = max(range(len(sizes)), key=lambda index: size(sizes[index][1]))
    name, axes = sizes[largest]
    if size(axes) > limit:
        others = f" ({number(total)} in the whole manifest)" if len(sizes) > 1 else ""
        return largest, f"{product_text(axes)} cells{others}, {allowed}"
    return (
        None,
        f"{number(total)} cells in {len(sizes):,} entries (the largest, {name}: {product_text(axes)}), {allowed}",
    )
