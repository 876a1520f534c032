"""The axes under the `matrix:` of one entry, each value judged once at its own line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flux_pipeline.ledger.keys import Json
from flux_pipeline.manifest.choices import Meaning, written
from flux_pipeline.manifest.complaints import Complaints, show
from flux_pipeline.manifest.document import LOST, Path
from flux_pipeline.manifest.matrix import Choice, Counted, Spread
from flux_pipeline.manifest.paths import fold
from flux_pipeline.manifest.ranges import Range, RangeFault
from flux_pipeline.manifest.seeds import HIGHEST, LOWEST, derived
from flux_pipeline.manifest.shape import holds_lost
from flux_pipeline.manifest.words import RESERVED, SPECIAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """What was found under `matrix:`. `lost` are names of axes without one sound value."""

    axes: tuple[Spread, ...]
    names: frozenset[str]
    lost: frozenset[str]
    namings: Mapping[str, Naming]


def axis_names(section: Any) -> list[str]:
    """Return what the matrix calls axes, sound or not."""
    return [name for name in section if name not in SPECIAL] if isinstance(section, dict) else []


def read_axes(path: Path, section: Any, meaning: Meaning, complaints: Complaints) -> Axes:
    """Complain about every value that is wrong; return the axes with those that are sound."""
    reader = _Reader(meaning, complaints)
    axes: list[Spread] = []
    lost: set[str] = set()
    namings: dict[str, Naming] = {}
    for name in axis_names(section):
        place, values = (*path, name), section[name]
        if name in RESERVED:
            if values is not LOST:
                complaints.add(place, f'"{name}" is reserved; choose another name for the axis', "reserved", on="key")
        elif values is LOST or not meaning.fits(place, name, section):
            lost.add(name)
        else:
            namings[name] = Naming([*(values if isinstance(values, list) else ()), *_included(section, name)])
            axis = reader.axis(place, name, values, namings[name])
            if axis is not None:
                axes.append(axis)
            if axis is None or not axis.sound:
                lost.add(name)
    names = frozenset(lost.union(axis.name for axis in axes))
    return Axes(axes=tuple(axes), names=names, lost=frozenset(lost), namings=namings)


def _included(section: Mapping[str, Any], name: str) -> list[Any]:
    """Return what the extra cells choose on an axis: their texts have to differ from those of the axis itself."""
    extra = section.get("include")
    return [item[name] for item in extra if isinstance(item, dict) and name in item] if isinstance(extra, list) else []


class Naming:
    """How the values of one axis are written: a mapping by its first scalar, or by all where that is not enough."""

    def __init__(self, values: Iterable[Any]) -> None:
        distinct: dict[str, Any] = {}
        for value in values:
            if isinstance(value, dict):
                if not holds_lost(value):
                    distinct[json.dumps(value, sort_keys=True)] = value
            elif isinstance(value, str | int | float):
                distinct[f"={value!r}"] = value
        self._brief = True
        if any(isinstance(value, dict) for value in distinct.values()):  # a scalar is its own first and only text
            firsts = [fold((scalars(value) or [""])[0]) for value in distinct.values()]
            self._brief = len(set(firsts)) == len(firsts)

    def text(self, value: Any) -> str | None:
        """Return a value's text; None for a mapping that holds nothing that can be written."""
        texts = scalars(value)
        if not texts:
            return None
        return texts[0] if self._brief else "-".join(texts)


def scalars(value: Any) -> list[str]:
    """Return the texts of what can be written of a value: itself, or the direct fields of a mapping."""
    if not isinstance(value, dict):
        return [written(value)]
    return [written(inner) for inner in value.values() if isinstance(inner, str | int | float)]


class _Reader:
    def __init__(self, meaning: Meaning, complaints: Complaints) -> None:
        self._meaning = meaning
        self._complaints = complaints

    def axis(self, path: Path, name: str, values: Any, naming: Naming) -> Spread | None:
        if isinstance(values, list):
            return self._listed(path, name, values, naming)
        if not values or LOST in values.values():
            return None  # complained about already
        return self._range(path, name, values["range"]) if "range" in values else self._counted(path, values["count"])

    def _listed(self, path: Path, name: str, values: list[Any], naming: Naming) -> Spread:
        choices: list[Choice] = []
        seen: dict[str, str] = {}
        for index, value in enumerate(values):
            if isinstance(value, list) or value is None or holds_lost(value):
                continue
            text = naming.text(value)
            if text is None:
                said = f"{show(value)} has no field with text, a number, true or false, and ids need one"
                self._complaints.add((*path, index), said, "type")
                continue
            twin = seen.get(name_of := fold(text))
            if twin is not None:
                said = (
                    f"{show(value)} is in this axis twice"
                    if twin == text
                    else f"{show(value)} and {show(twin)} make one name"
                )
                self._complaints.add((*path, index), f"{said}; each value makes cells of its own", "duplicate-value")
                continue
            seen[name_of] = text
            choice = self._meaning.choice((*path, index), name, value, text)
            if choice is not None:
                choices.append(choice)
        return Spread(name=name, choices=tuple(choices), written=len(values), path=path)

    def _range(self, path: Path, name: str, numbers: list[Any]) -> Spread | None:
        place = (*path, "range")
        if holds_lost(numbers):
            return None
        try:
            wanted = Range(numbers)
        except RangeFault as fault:
            self._complaints.add(place, str(fault), "range")
            return None

        def pending() -> tuple[Choice, ...]:
            made: list[Choice] = []
            for number in wanted:
                choice = self._meaning.choice(place, name, number, written(number))
                if choice is None:
                    break  # the first number that the model refuses says enough
                made.append(choice)
            return tuple(made)

        return Spread(name=name, choices=(), written=wanted.count, path=path, pending=pending)

    def _counted(self, path: Path, count: int) -> Spread | None:
        place = (*path, "count")
        low, high = self._bounds()
        if count > high - low + 1:
            said = f"there are no {count:,} different seeds from {low:,} to {high:,}"
            self._complaints.add(place, said, "range")
            return None
        sets = self._meaning.target is not None and "seed" in self._meaning.target.schema.properties

        def seed(number: int) -> Choice:
            updates = {"seed": number} if sets else {}
            return Choice(value=number, text=str(number), part=f"seed={number}", path=place, updates=updates)

        def make(others: Mapping[str, Json], first: Json) -> tuple[Choice, ...]:
            return tuple(map(seed, derived(others, first, count, low=low, high=high)))

        def pending() -> tuple[Choice, ...]:
            return tuple(map(seed, range(count)))

        counted = Counted(count, make)
        return Spread(name="seed", choices=(), written=count, path=path, pending=pending, counted=counted)

    def _bounds(self) -> tuple[int, int]:
        """Return the lowest and the highest seed that the model takes, inside those that are derived at all."""
        target = self._meaning.target
        rule = target.schema.rules.get("seed", {}) if target is not None and target.known else {}
        above, below = rule.get("exclusiveMinimum", LOWEST - 1), rule.get("exclusiveMaximum", HIGHEST + 1)
        low = max(math.ceil(rule.get("minimum", LOWEST)), math.floor(above) + 1, LOWEST)
        high = min(math.floor(rule.get("maximum", HIGHEST)), math.ceil(below) - 1, HIGHEST)
        return low, high
