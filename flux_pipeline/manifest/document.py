"""JSON-shaped data that knows where in its file each node stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from flux_pipeline.errors import Problem

Path: TypeAlias = tuple[str | int, ...]

COLUMNS: Final = 22  # bits of a packed place that hold the column: enough for the largest file on one line


_COLUMN: Final = (1 << COLUMNS) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a node begins, or its key does; `whole` tells that it is a list or mapping, `around` where what holds it begins."""

    line: int
    column: int
    whole: bool
    around: tuple[int, int] | None


class Lost:
    """Stands for a value that was complained about: its name counts as known, nobody complains again."""

    def __repr__(self) -> str:
        return "LOST"


LOST: Final = Lost()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The data of one file and where each node stands.

    `data` may hold LOST where `problems` already says what is wrong; `lost` are the paths of those. `_places` has the
    shape of the data: a packed place for a scalar, `(place, {key: (place of key, place of value)})` for a mapping,
    `(place, [places])` for a list.
    """

    file: str
    lines: list[str]
    data: dict[str, Any]
    problems: tuple[Problem, ...]
    lost: tuple[Path, ...]
    _places: Any

    def place(self, path: Path, *, on: Literal["key", "value"] = "value") -> tuple[int, int]:
        """Return line and column of a node, or of the nearest one around it that exists.

        A list or mapping that begins below its key is placed at the key, where people look for it.
        """
        spot = self.spot(path, on=on)
        return spot.line, spot.column

    def spot(self, path: Path, *, on: Literal["key", "value"] = "value") -> Spot:
        """Return where a node is, as `place` does, and what is needed to tell how far it goes."""
        node, at = self._places, self._places[0]
        around: int | None = None
        whole = True
        for depth, step in enumerate(path):
            parts = node[1] if isinstance(node, tuple) else ()
            outer = node[0] if isinstance(node, tuple) else 0
            if isinstance(step, int) and isinstance(parts, list) and step < len(parts):
                node = parts[step]
                whole = isinstance(node, tuple)
                at = node[0] if isinstance(node, tuple) else node
            elif isinstance(step, str) and isinstance(parts, dict) and step in parts:
                key_at, node = parts[step]
                whole = isinstance(node, tuple)
                at = node[0] if isinstance(node, tuple) else node
                if (on == "key" and depth == len(path) - 1) or (whole and at >> COLUMNS != key_at >> COLUMNS):
                    at, whole = key_at, False
            else:
                break
            around = outer
        return Spot(
            line=at >> COLUMNS,
            column=at & _COLUMN,
            whole=whole,
            around=None if around is None else (around >> COLUMNS, around & _COLUMN),
        )
