"""One of the manifests of a command: none may be in another's way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flux_pipeline.errors import UsageError
from flux_pipeline.manifest.cells import Cell, Expansion
from flux_pipeline.manifest.paths import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One manifest of a command, with the lockfile that is its own, and the files of rows that it names."""

    manifest: Path
    expansion: Expansion
    lockfile: Path
    rows: tuple[Path, ...] = ()


def keep_apart(parts: Sequence[Part]) -> None:
    """Make sure that no two manifests share a lockfile, or a path for different pictures.

    Raises:
        UsageError: two of them do; the message names both.
    """
    if len(parts) < 2:
        return
    owners: dict[Path, Part] = {}
    claims: dict[str, tuple[Part, Cell, str]] = {}
    for part in parts:
        other = owners.setdefault(part.lockfile.resolve(), part)
        if other is not part:
            raise UsageError(f"{other.manifest} and {part.manifest} have one lockfile, {part.lockfile}; rename one")
        for cell, path, made in _paths(part):
            first, theirs, thus = claims.setdefault(fold(path), (part, cell, f"{path} {made}"))
            if first is not part and (thus, theirs.key) != (f"{path} {made}", cell.key):
                remedy = "write `output`, or the suffix of what is derived," if made else "write `output`"
                raise UsageError(
                    f"{path} is the path of {cell.id} in {part.manifest} and of {theirs.id} in {first.manifest}; "
                    f"{remedy} so that they differ"
                )


def _paths(part: Part) -> Iterator[tuple[Cell, str, str]]:
    """Yield every path of a manifest with its cell, and the digest of the recipe by which it is derived, if it is."""
    for cell in part.expansion.cells:
        yield cell, cell.path, ""
        for one in cell.derived:
            yield cell, one.path, one.recipe.digest()
