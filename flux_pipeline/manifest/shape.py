"""Hold a document against the manifest's schema, and take out of it what does not fit."""

from __future__ import annotations

from typing import Any

from flux_pipeline.manifest.complaints import Complaints
from flux_pipeline.manifest.document import LOST, Document, Path
from flux_pipeline.manifest.schema import MAX_REASONS, Schemas
from flux_pipeline.manifest.schema_words import Reason


def judge_shape(document: Document, schemas: Schemas, complaints: Complaints) -> None:
    """Hold the document against the manifest's schema; what does not fit becomes LOST."""
    data, judge = document.data, schemas.manifest
    if not document.lost and judge.is_valid(data):
        return
    entries = data.get("entries")
    many = isinstance(entries, list) and bool(entries)
    shell = {**data, "entries": [{"id": "sound"}]} if many else data
    before = len(complaints)
    _drop(data, (), list(judge.explain(shell)), complaints)
    for index, entry in enumerate(entries if many and isinstance(entries, list) else ()):
        alone = {"version": 1, "entries": [entry]}
        if not judge.is_valid(alone):
            _drop(data, ("entries", index), list(judge.explain(alone)), complaints)
    if not document.lost and len(complaints) == before:
        complaints.add((), "the manifest does not fit its schema", "schema")


def _drop(data: dict[str, Any], base: Path, found: list[Reason], complaints: Complaints) -> None:
    if len(found) >= MAX_REASONS:
        for reason in found:
            path = (*base, *reason.path[2:]) if base else reason.path
            complaints.add(path, reason.message, reason.code, on="key" if reason.on_key else "value")
        raise complaints.too_many()
    for reason in found:
        path = (*base, *reason.path[2:]) if base else reason.path
        parent = _holder(data, path)
        if parent is None:
            continue
        step = path[-1]
        if reason.code == "required" and step in parent:
            continue  # a misspelt key already stands for it
        complaints.add(path, reason.message, reason.code, on="key" if reason.on_key else "value")
        if reason.code == "unknown-key":
            parent.pop(step, None)
            if reason.meant is not None:
                parent.setdefault(reason.meant, LOST)
        else:
            parent[step] = LOST


def _holder(data: Any, path: Path) -> Any:
    """Return the list or mapping that holds the node at `path`, None where it is gone already."""
    for step in path[:-1]:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data if path and isinstance(data, dict | list) else None


def holds_lost(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(holds_lost, value.values()))
    if isinstance(value, list):
        return any(map(holds_lost, value))
    return value is LOST
