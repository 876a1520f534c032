"""The prompts of a manifest, each once, for whoever writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flux_pipeline.manifest.cells import Cell
from flux_pipeline.report.controls import plain


def document(cells: Iterable[Cell]) -> dict[str, Any]:
    """Return what `expand --prompts --json` prints."""
    return {"prompts": [{"prompt": prompt, "cells": ids} for prompt, ids in _by_prompt(cells).items()]}


def text(cells: Iterable[Cell]) -> Iterator[str]:
    """Yield every prompt once, under the cells that it is for."""
    for prompt, ids in _by_prompt(cells).items():
        more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
        yield f"{plain(ids[0])}{more}"
        yield f"  {plain(prompt)}"


def _by_prompt(cells: Iterable[Cell]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for cell in cells:
        found.setdefault(str(cell.params.get("prompt", "")), []).append(cell.id)
    return found
