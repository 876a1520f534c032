"""`exclude:` which combinations are left out: partial matches of axes, of what is inside their values, and of rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from flux_pipeline.manifest.choices import written
from flux_pipeline.manifest.complaints import Complaints, did_you_mean, listed, show
from flux_pipeline.manifest.document import Path
from flux_pipeline.manifest.matrix import Choice, Combination, Row, Spread
from flux_pipeline.manifest.paths import fold
from flux_pipeline.manifest.shape import holds_lost
from flux_pipeline.manifest.sizes import Sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclude:
    """One item of `exclude`: what it says of axes and of fields of rows, by name."""

    path: Path
    wanted: Mapping[str, Any]


def read_excludes(
    path: Path, items: Any, axes: Collection[str], fields: Collection[str], complaints: Complaints
) -> tuple[Exclude, ...]:
    """Return the items whose names are all known; complain about the others."""
    known = {*axes, *fields}
    sound: list[Exclude] = []
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if not isinstance(item, dict):
            continue
        place = (*path, index)
        strange = [name for name in item if name not in known]
        for name in strange:
            what = "an axis or a field of the rows" if fields else "an axis"
            hint = did_you_mean(name, known) or f"; there is {listed(known)}"
            complaints.add((*place, name), f'"{name}" is not {what}{hint}', "unknown-axis", on="key")
        if not strange and not holds_lost(item):
            sound.append(Exclude(path=place, wanted=item))
    return tuple(sound)


Choices: TypeAlias = Collection[Choice]  # asked only what is in it
Conditions: TypeAlias = tuple[tuple[int, Choices], ...]  # by position in a combination


class Filter:
    """Tells which combinations of one entry stay. Asking costs the same however many excludes there are, mostly."""

    def __init__(
        self,
        excludes: Sequence[Exclude],
        axes: Sequence[Spread],
        rows: Sequence[Row],
        sizes: Sizes,
        complaints: Complaints,
    ) -> None:
        self._complaints = complaints
        self._tables: dict[int, dict[Choice, list[Conditions]]] = {}
        self._seeded: list[tuple[Exclude, Conditions]] = []  # whose match is known only once seeds are derived
        self._hits: set[int] = set()
        self.kept = False  # whether any combination stays
        finder = _Finder(axes, rows, sizes)
        for exclude in excludes:
            conditions = self._conditions(exclude, finder)
            if conditions is None:
                continue
            if any(isinstance(choices, _Seeds) for _, choices in conditions):
                self._seeded.append((exclude, conditions))
                continue
            at, choices = min(conditions, key=lambda condition: len(condition[1]))
            rest = tuple(condition for condition in conditions if condition[0] != at)
            for choice in choices:
                self._tables.setdefault(at, {}).setdefault(choice, []).append(rest)

    def keeps(self, combination: Combination) -> bool:
        out = False
        for number, (_, conditions) in enumerate(self._seeded):
            if all(combination[at] in choices for at, choices in conditions):
                self._hits.add(number)
                out = True
        for at, table in self._tables.items():
            for rest in table.get(combination[at], ()):
                if all(combination[there] in choices for there, choices in rest):
                    return False
        if out:
            return False
        self.kept = True
        return True

    def finish(self) -> None:
        """Complain about what turned out to match nothing."""
        for number, (exclude, _) in enumerate(self._seeded):
            if number not in self._hits:
                self._complaints.add(exclude.path, f"{show(exclude.wanted)} matches no cell", "exclude")

    def _conditions(self, exclude: Exclude, finder: _Finder) -> Conditions | None:
        """Return what has to be chosen where, None (after a complaint) when nothing can match."""
        found: dict[int, Choices] = {}
        for name, wanted in exclude.wanted.items():
            at, choices, words = finder.find(name, wanted)
            if not choices:
                self._complaints.add((*exclude.path, name), words, "exclude")
                return None
            found[at] = choices if at not in found else set(found[at]) & set(choices)
            if not found[at]:
                self._complaints.add(exclude.path, f"{show(exclude.wanted)} matches no row", "exclude")
                return None
        return tuple(found.items())


class _Seeds(Collection[Choice]):
    """The derived seeds that a value names: they exist only one combination at a time."""

    def __init__(self, wanted: Any) -> None:
        self._text = fold(written(wanted))

    def __contains__(self, choice: object) -> bool:
        return isinstance(choice, Choice) and choice.text == self._text

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 1


class _Finder:
    """Finds choices by what a manifest says of them, in its typed or its written form."""

    def __init__(self, axes: Sequence[Spread], rows: Sequence[Row], sizes: Sizes) -> None:
        self._axes = {axis.name: (index, axis) for index, axis in enumerate(axes)}
        self._rows = rows
        self._sizes = sizes
        self._known: dict[str, dict[Any, list[Choice]]] = {}

    def find(self, name: str, wanted: Any) -> tuple[int, Choices, str]:
        """Return the position, the choices that match there, and what to say if there are none."""
        at, axis = self._axes.get(name, (len(self._axes), None))
        if axis is not None and axis.counted is not None and not isinstance(wanted, dict):
            return at, _Seeds(wanted), ""
        choices: Sequence[Choice] = self._rows if axis is None else axis.choices
        if isinstance(wanted, dict):
            found = {choice for choice in choices if self._inside(wanted, _value(choice, name, axis))}
        else:
            known = self._known.setdefault(name, {}) or self._index(name, choices, axis)
            found = {choice for mark in self._marks(name, wanted) for choice in known.get(mark, ())}
        where = f"no row has {show(wanted)} as its {name}" if axis is None else f"no value of {name} is {show(wanted)}"
        if isinstance(wanted, str) and not found:
            where += did_you_mean(wanted, (choice.text for choice in choices if axis is not None))
        if name == "size" and not found and not isinstance(wanted, dict) and self._sizes.read(wanted) is None:
            where = self._sizes.fault(wanted)
        return at, found, where

    def _index(self, name: str, choices: Sequence[Choice], axis: Spread | None) -> dict[Any, list[Choice]]:
        known = self._known[name]
        for choice in choices:
            value = _value(choice, name, axis)
            marks = self._marks(name, value) if isinstance(value, str | int | float) else []
            for mark in {*marks, *([] if axis is None else [choice.text])}:
                known.setdefault(mark, []).append(choice)
        return known

    def _marks(self, name: str, value: Any) -> list[Any]:
        """Return what a scalar can be found by: its text, its number, its size in pixels."""
        marks: list[Any] = [written(value)]
        if isinstance(value, int | float) and not isinstance(value, bool):
            marks.append(value)
        if name == "size" and (size := self._sizes.read(value)) is not None:
            marks.append(size)
        return marks

    def _inside(self, wanted: Mapping[str, Any], value: Any) -> bool:
        """Tell whether a mapping has what is wanted of it, and perhaps more."""
        return isinstance(value, dict) and all(
            name in value and self._like(inner, value[name]) for name, inner in wanted.items()
        )

    def _like(self, wanted: Any, value: Any) -> bool:
        if isinstance(wanted, dict):
            return self._inside(wanted, value)
        if isinstance(wanted, str | int | float) and isinstance(value, str | int | float):
            return not set(self._marks("", wanted)).isdisjoint(self._marks("", value))
        return bool(wanted == value)


def _value(choice: Choice, name: str, axis: Spread | None) -> Any:
    return choice.value.get(name) if axis is None else choice.value
