"""Manifest → cells and renders: the one call that the rest of the program makes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from flux_pipeline.errors import ManifestError, Problem
from flux_pipeline.manifest.bounds import bound
from flux_pipeline.manifest.cell import Cell, Fields
from flux_pipeline.manifest.check import check
from flux_pipeline.manifest.complaints import Complaints
from flux_pipeline.manifest.document import Path
from flux_pipeline.manifest.draft import Checked
from flux_pipeline.manifest.expander import Expander, Note
from flux_pipeline.manifest.foreach import Reader
from flux_pipeline.manifest.manifest import DEFAULT_MAX_CELLS, DEFAULT_MODEL, Axis, Entry, Manifest
from flux_pipeline.manifest.matrix import overflow
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.manifest.settings import RunSettings, read_settings
from flux_pipeline.manifest.words import SPECIAL
from flux_pipeline.manifest.yaml_text import parse

__all__ = ["Cell", "Expansion", "Fields", "Note", "expand"]


@dataclass(frozen=True, slots=True)
class Expansion:
    """A sound manifest, its cells in the manifest's order, and what is odd about it all the same.

    `notes` say what the program decided where the manifest says nothing.
    """

    manifest: Manifest
    cells: tuple[Cell, ...]
    warnings: tuple[Problem, ...]
    notes: tuple[Note, ...] = ()


def expand(
    source: bytes,
    *,
    file: str,
    schemas: Schemas,
    max_cells: int | None = None,
    place: Callable[[str], str] | None = None,
    writable: Callable[[str], bool] = lambda _: True,
    read: Reader | None = None,
) -> Expansion:
    """Return the cells that a manifest's text describes.

    `file` is what problems call it; `max_cells` wins over the manifest's own; `place` moves each path before paths are
    compared; `writable` tells whether files of a format can be derived here; `read` returns the bytes of a file that
    `foreach` names, or raises UsageError.

    Raises:
        ManifestError: with every problem found, errors by line and then warnings by line.
        UsageError: a schema file is unusable.
    """
    collecting = gc.isenabled()
    gc.disable()  # a million small values and no garbage: looking for some costs more than making them
    try:
        document = parse(source, file)
        complaints = Complaints(document)
        checked = check(document, schemas, complaints, writable, read)
        cells: list[Cell] = []
        notes: tuple[Note, ...] = ()
        if checked.target is not None and _fits(checked, max_cells, complaints):
            model = _model(document.data)
            expander = Expander(model, checked, complaints, place)
            cells = [cell for draft in checked.drafts for cell in expander.cells(draft)]
            notes = expander.finish()
        if complaints.errors:
            raise ManifestError(complaints.sorted())
        return Expansion(_manifest(document.data, checked, file), tuple(cells), complaints.sorted(), notes)
    finally:
        if collecting:
            gc.enable()


def _fits(checked: Checked, max_cells: int | None, complaints: Complaints) -> bool:
    """Complain when there are more cells than allowed: for each entry that has its own bound, and in total."""
    limit = max_cells or checked.run.max_cells or DEFAULT_MAX_CELLS
    sizes = [(draft.id, draft.extent) for draft in checked.drafts]
    for draft in checked.drafts:
        if draft.max_cells is not None and (
            over := overflow([(draft.id, draft.extent)], draft.max_cells, remedy="the entry's run.max_cells")
        ):
            complaints.add(("entries", draft.index, "matrix"), over[1], "too-many-cells")
    if over := overflow(sizes, limit):
        where, message = over
        path: Path = ("entries",)
        if where is not None:
            draft = checked.drafts[where]
            path = ("entries", draft.index, "matrix" if draft.axes or draft.includes else "foreach")
        complaints.add(path, message, "too-many-cells")
    return over is None and bound(checked, limit, complaints)


def _model(data: Mapping[str, Any]) -> str:
    return str(data.get("model", DEFAULT_MODEL))


def _manifest(data: Mapping[str, Any], checked: Checked, file: str) -> Manifest:
    return Manifest(
        file=file,
        version=int(data["version"]),
        model=_model(data),
        params=MappingProxyType(data.get("params", {})),
        vars=MappingProxyType(data.get("vars", {})),
        output=data.get("output"),
        run=checked.run,
        entries=tuple(_entry(entry) for entry in data["entries"]),
        presets=MappingProxyType(data.get("presets", {})),
    )


def _entry(data: Mapping[str, Any]) -> Entry:
    matrix = cast("dict[str, Any]", data.get("matrix", {}))
    foreach = data.get("foreach")
    run: RunSettings = read_settings(data.get("run", {}))[0]
    return Entry(
        id=data["id"],
        prompt=data.get("prompt"),
        vars=MappingProxyType(data.get("vars", {})),
        params=MappingProxyType(data.get("params", {})),
        matrix=tuple(_axis(name, values) for name, values in matrix.items() if name not in SPECIAL),
        run=run,
        foreach=tuple(foreach) if isinstance(foreach, list) else foreach,
        exclude=tuple(matrix.get("exclude", ())),
        include=tuple(matrix.get("include", ())),
    )


def _axis(name: str, values: Any) -> Axis:
    return Axis(name=name, values=tuple(values) if isinstance(values, list) else MappingProxyType(values))
