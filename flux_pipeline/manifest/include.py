"""`include:` cells beside the product, each naming as many axes as it likes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flux_pipeline.manifest.axes import Axes, Naming
from flux_pipeline.manifest.choices import Meaning
from flux_pipeline.manifest.complaints import Complaints, did_you_mean, listed, show
from flux_pipeline.manifest.document import Path
from flux_pipeline.manifest.matrix import Spread
from flux_pipeline.manifest.shape import holds_lost
from flux_pipeline.manifest.words import RESERVED


@dataclass(slots=True, kw_only=True)
class Include:
    """One extra cell (per row, where there are rows): axes of one value each. `ready` tells whether it can be made."""

    path: Path
    axes: tuple[Spread, ...]
    ready: bool = True

    @property
    def names(self) -> frozenset[str]:
        return frozenset(axis.name for axis in self.axes)


def read_includes(
    path: Path,
    items: Any,
    found: Axes,
    meaning: Meaning,
    complaints: Complaints,
    *,
    fields: Collection[str],
    variables: Collection[str],
) -> tuple[Include, ...]:
    """Return the items that are sound, their axes in the order of the matrix; complain about the others."""
    reader = _Reader(found, meaning, complaints, fields, variables)
    items = items if isinstance(items, list) else []
    read = [reader.include((*path, index), item) for index, item in enumerate(items) if isinstance(item, dict)]
    return tuple(include for include in read if include is not None)


class _Reader:
    def __init__(
        self,
        found: Axes,
        meaning: Meaning,
        complaints: Complaints,
        fields: Collection[str],
        variables: Collection[str],
    ) -> None:
        self._found = found
        self._order = {axis.name: index for index, axis in enumerate(found.axes)}
        self._meaning = meaning
        self._complaints = complaints
        self._fields = fields
        self._variables = variables

    def include(self, path: Path, item: Mapping[str, Any]) -> Include | None:
        spreads = [self._spread((*path, name), name, value, item) for name, value in item.items()]
        sound = [spread for spread in spreads if spread is not None]
        if len(sound) < len(spreads) or not sound:
            return None
        last = len(self._order)
        return Include(path=path, axes=tuple(sorted(sound, key=lambda spread: self._order.get(spread.name, last))))

    def _spread(self, path: Path, name: str, value: Any, item: Mapping[str, Any]) -> Spread | None:
        if not self._known(path, name) or not self._meaning.fits(path, name, item) or holds_lost(value):
            return None
        text = self._found.namings.get(name, Naming([value])).text(value)
        if text is None:
            said = f"{show(value)} has no field with text, a number, true or false, and ids need one"
            self._complaints.add(path, said, "type")
            return None
        choice = self._meaning.choice(path, name, value, text)
        return None if choice is None else Spread(name=name, choices=(choice,), written=1, path=path)

    def _known(self, path: Path, name: str) -> bool:
        """Tell whether a name may stand in an extra cell; complain if not."""
        if name in RESERVED:
            self._complaints.add(path, f'"{name}" is reserved; choose another name', "reserved", on="key")
        elif name in self._fields:
            said = f'"{name}" is a field of the rows, and every row makes this cell; leave it out'
            self._complaints.add(path, said, "conflict", on="key")
        elif (
            not self._found.names
            or name in self._found.names
            or name in self._variables
            or self._meaning.parameter(name)
        ):
            return True
        else:
            hint = did_you_mean(name, {*self._found.names, *self._variables, "size", "format"})
            there = f"; there is {listed(self._found.names)}" if not hint else ""
            said = f'"{name}" is not an axis, a variable or a parameter{hint}{there}'
            self._complaints.add(path, said, "unknown-axis", on="key")
        return False
