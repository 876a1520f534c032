"""Whether a manifest can be expanded within a fair time and memory: judged before any cell is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from flux_pipeline.manifest.check import Checked, Draft
from flux_pipeline.manifest.complaints import Complaints
from flux_pipeline.manifest.matrix import Spread, size
from flux_pipeline.manifest.prompt import Template
from flux_pipeline.manifest.template_cost import characters, extent

LEAST_TEXT: Final = 64_000_000  # characters of all prompts, and of all ids, whatever max_cells is
TEXT_PER_CELL: Final = 1000  # and for each cell that max_cells allows
LEAST_WORK: Final = 240_000_000  # characters that templates may handle, weighed as `prompt` does
WORK_PER_CELL: Final = 8000


def bound(checked: Checked, limit: int, complaints: Complaints) -> bool:
    """Complain about texts that are too long for so many cells; tell whether there are none."""
    before = len(complaints)
    text = max(LEAST_TEXT, TEXT_PER_CELL * limit)
    work = max(LEAST_WORK, WORK_PER_CELL * limit)
    for draft in checked.drafts:
        ids = _id_length(draft)
        if ids > text:
            said = f"the ids of {size(draft.axes):,} cells would have {ids:,} characters, more than {text:,}; shorten values"
            complaints.add(("entries", draft.index, "matrix"), said, "too-much")
        length_of = _sizes(draft)
        for template in _templates(draft):
            fills = math.prod(axis.written for axis in draft.axes if axis.name in draft.used)
            _judge(template, fills, length_of, (text, work), draft, complaints)
        if checked.output is not None:
            _judge(checked.output, size(draft.axes), length_of, (math.inf, work), None, complaints)
    return len(complaints) == before


def _judge(
    template: Template,
    fills: int,
    length_of: Callable[[str], int],
    allowed: tuple[float, float],
    draft: Draft | None,
    complaints: Complaints,
) -> None:
    path = ("output",) if draft is None else draft.prompt_path
    length = fills * characters(template.cost.length, length_of)
    work = fills * characters(template.cost.work, length_of)
    if length > allowed[0]:
        said = f"{fills:,} prompts may have {length:,} characters together, more than {allowed[0]:,.0f}; shorten what they say"
        complaints.add(path, said, "too-much")
    elif work > allowed[1]:
        said = f"to fill it in {fills:,} times means to handle {work:,} characters, more than {allowed[1]:,.0f}"
        complaints.add(path, f"{said}; use fewer filters, or shorter values", "too-much")


def _templates(draft: Draft) -> list[Template]:
    """Return the entry's prompt; of an axis of prompts the longest, for all of them."""
    if draft.prompt is not None:
        return [draft.prompt]
    found = [choice.template for axis in draft.axes for choice in axis.choices if choice.template is not None]
    return [max(found, key=lambda template: len(template.source))] if found else []


def _sizes(draft: Draft) -> Callable[[str], int]:
    """Return what tells how long the text of a name can be; each is measured once."""
    axes: dict[str, Spread] = {axis.name: axis for axis in draft.axes}
    known: dict[str, int] = {}

    def measured(name: str) -> int:
        if name not in known:
            if name in axes:
                known[name] = max((extent(choice.value) for choice in axes[name].choices), default=0)
            else:
                known[name] = extent(draft.values.get(name, 0))
        return known[name]

    return measured


def _id_length(draft: Draft) -> int:
    """Return how many characters the ids of an entry's cells have together."""
    cells = size(draft.axes)
    parts = sum(
        cells // max(1, axis.written) * sum(len(choice.part) + 1 for choice in axis.choices) for axis in draft.axes
    )
    return parts + cells * len(draft.id)
