"""Whether a manifest can be expanded within a fair time and memory: judged before any cell is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from flux_pipeline.manifest.complaints import Complaints
from flux_pipeline.manifest.draft import Checked, Draft
from flux_pipeline.manifest.matrix import Spread
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
            said = f"the ids of {draft.extent.cells:,} cells would have {ids:,} characters, more than {text:,}; shorten values"
            where = "matrix" if draft.axes or draft.includes else "foreach"
            complaints.add(("entries", draft.index, where), said, "too-much")
        length_of = _sizes(draft)
        for template in _templates(draft):
            _judge(template, _fills(draft), length_of, (text, work), draft, complaints)
        if checked.output is not None:
            _judge(checked.output, draft.extent.cells, length_of, (math.inf, work), None, complaints)
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
    """Return the entry's prompt; of the prompts of axes and rows the longest, for all of them."""
    rows = draft.rows.choices if draft.rows is not None else ()
    choices = (choice for axis in _axes(draft) for choice in axis.choices)
    found = [choice.template for choice in (*choices, *rows) if choice.template is not None]
    longest = [max(found, key=lambda template: len(template.source))] if found else []
    return [*longest, *([draft.prompt] if draft.prompt is not None else [])]


def _axes(draft: Draft) -> list[Spread]:
    """Return the axes of the product and of every extra cell."""
    return [*draft.axes, *(axis for include in draft.includes for axis in include.axes)]


def _fills(draft: Draft) -> int:
    """Return how often a prompt may have to be filled in: once for each choice that it can tell apart."""
    product = math.prod(axis.written for axis in draft.axes if axis.name in draft.used) if draft.product else 0
    rows = len(draft.rows.choices) if draft.rows is not None else 1
    return (product + len(draft.includes)) * rows


def _sizes(draft: Draft) -> Callable[[str], int]:
    """Return what tells how long the text of a name can be; each is measured once."""
    axes: dict[str, list[Spread]] = {}
    for axis in _axes(draft):
        axes.setdefault(axis.name, []).append(axis)
    rows = draft.rows.choices if draft.rows is not None else ()
    fields = draft.rows.names if draft.rows is not None else frozenset[str]()
    known: dict[str, int] = {}

    def measured(name: str) -> int:
        if name not in known:
            found = [extent(choice.value) for axis in axes.get(name, ()) for choice in axis.choices]
            if name in fields:
                found += [extent(row.value if name == "row" else row.value.get(name, 0)) for row in rows]
            found.append(extent(draft.values.get(name, 0)))
            known[name] = max(found)
        return known[name]

    return measured


def _id_length(draft: Draft) -> int:
    """Return how many characters the ids of an entry's cells have together, about: numbers of a range count for few."""
    rows = draft.rows.choices if draft.rows is not None else ()
    product = math.prod(axis.written for axis in draft.axes) if draft.product else 0
    parts = sum(product // max(1, axis.written) * _written(axis) for axis in draft.axes) if product else 0
    parts += sum(_written(axis) for include in draft.includes for axis in include.axes)
    each = product + len(draft.includes)
    return (
        parts * (len(rows) or 1) + each * (sum(len(row.part) + 1 for row in rows)) + draft.extent.cells * len(draft.id)
    )


def _written(axis: Spread) -> int:
    return sum(len(choice.part) + 1 for choice in axis.choices)
