"""One picture that somebody wants, kept small: there may be a million."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from flux_pipeline.ledger.keys import Json, Render
from flux_pipeline.manifest.derive import Derived


class Axes(Mapping[str, Json]):
    """The axes of one cell: a mapping in less than half of a dict's memory, its names shared with all the others.

    `dict(cell.axes)` is what a JSON encoder takes.
    """

    __slots__ = ("_names", "_values")

    def __init__(self, names: tuple[str, ...], values: tuple[Json, ...]) -> None:
        self._names = names
        self._values = values

    def __getitem__(self, name: str) -> Json:
        try:
            return self._values[self._names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __hash__(self) -> int:
        return hash((self._names, self._values))

    def __repr__(self) -> str:
        return f"Axes({dict(self)!r})"


NO_ROW: Final[Mapping[str, Json]] = Axes((), ())


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture that somebody wants, and what is to be derived of it.

    Cells that ask for the same thing share one `render` object. `row` are the fields of the row of data that it is made
    for, shared with the other cells of that row.
    """

    id: str
    entry: str
    axes: Mapping[str, Json]
    path: str
    render: Render
    derived: tuple[Derived, ...] = ()
    row: Mapping[str, Json] = NO_ROW

    @property
    def key(self) -> str:
        return self.render.key

    @property
    def params(self) -> Mapping[str, Json]:
        return self.render.params

    @property
    def model(self) -> str:
        return self.render.model
