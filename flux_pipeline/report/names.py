"""What entries and cells are called: by their ids, and by their manifest too where two manifests have an entry of one id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from flux_pipeline.manifest.cells import Cell

Parts = Sequence[tuple[str, Sequence[Cell]]]  # manifests by name, each with its cells


def entries(parts: Parts) -> Mapping[tuple[str, str], str]:
    """Return what every entry is called, by its manifest and its id, in the manifests' order."""
    found = dict.fromkeys((manifest, cell.entry) for manifest, cells in parts for cell in cells)
    count = Counter(entry for _, entry in found)
    return {(manifest, entry): f"{manifest}: {entry}" if count[entry] > 1 else entry for manifest, entry in found}


def owners(parts: Parts) -> Mapping[str, str]:
    """Return what the entry is called that a render counts for, by key: the first that asks for it."""
    called, found = entries(parts), dict[str, str]()
    for manifest, cells in parts:
        for cell in cells:
            found.setdefault(cell.key, called[manifest, cell.entry])
    return found


def cells(parts: Parts) -> Mapping[tuple[str, str], str]:
    """Return what those cells are called, by key and id, of which the id does not say in which manifest they are."""
    if len(parts) < 2:
        return {}
    called, found = entries(parts), dict[tuple[str, str], str]()
    for manifest, some in parts:
        for cell in some:
            if called[manifest, cell.entry] != cell.entry:
                found.setdefault((cell.key, cell.id), f"{manifest}: {cell.id}")
    return found
