"""One picture that somebody wants, kept small: there may be a million."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from flux_pipeline.ledger.keys import Json, Render
from flux_pipeline.manifest.derive import Derived

_item: Final = tuple.__getitem__


class Fields(tuple[Any, ...], Mapping[str, Json]):
    """The axes, or the parameters, of one cell: a mapping in a third of a dict's memory, its names shared.

    Its items as a tuple are the names, and then the values. `dict(cell.axes)` is what a JSON encoder takes.
    """

    __slots__ = ()

    def __new__(cls, names: tuple[str, ...], values: Iterable[Json]) -> Self:
        return tuple.__new__(cls, (names, *values))

    def __getitem__(self, name: str) -> Json:  # type: ignore[override] # as a mapping
        try:
            at = _item(self, 0).index(name) + 1
        except ValueError:
            raise KeyError(name) from None
        value: Json = _item(self, at)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(_item(self, 0))

    def __len__(self) -> int:
        return len(_item(self, 0))

    def __contains__(self, name: object) -> bool:
        return name in _item(self, 0)

    __eq__ = Mapping.__eq__
    __ne__ = object.__ne__

    def __hash__(self) -> int:
        return tuple.__hash__(self)

    def __repr__(self) -> str:
        return f"Fields({dict(self)!r})"


NO_ROW: Final[Mapping[str, Json]] = Fields((), ())


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
