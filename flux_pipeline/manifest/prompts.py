"""The prompt of each cell, filled in once per distinct choice of what it uses."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from flux_pipeline.manifest.complaints import Complaints
from flux_pipeline.manifest.draft import Draft
from flux_pipeline.manifest.matrix import Combination, Spread
from flux_pipeline.manifest.routes import MAX_FAILURES
from flux_pipeline.manifest.template_filters import TemplateFault


class Prompts:
    """The prompts of cells that have the same axes; the row, where there are rows, comes last in a combination."""

    def __init__(self, draft: Draft, axes: tuple[Spread, ...], complaints: Complaints) -> None:
        self._draft = draft
        self._names = tuple(axis.name for axis in axes)
        self._complaints = complaints
        self._source = next((index for index, name in enumerate(self._names) if name == "prompt"), None)
        self._pick = self._picker()
        self._known: dict[Any, str | None] = {}
        self._failures = 0
        # Only what may be written: there may be thousands of variables, and this is copied for every prompt.
        self._fixed = {name: value for name, value in draft.values.items() if name in draft.used}

    def _picker(self) -> Callable[[Combination], Any] | None:
        """Return what tells apart the combinations that matter to a prompt, None when every one does."""
        used = self._draft.used
        where = [index for index, name in enumerate(self._names) if name in used or name == "prompt"]
        rows = self._draft.rows
        if rows is not None and (rows.names & used or any(row.template is not None for row in rows.choices)):
            where.append(len(self._names))
        if len(where) == len(self._names) + (rows is not None):
            return None
        return operator.itemgetter(*where) if where else lambda _: None

    def of(self, combination: Combination, cell: str) -> str | None:
        """Return the prompt, "" for a model that takes none, None when there is no usable one."""
        if not self._draft.ready or self._failures >= MAX_FAILURES:
            return None
        if self._pick is None:
            return self._filled(combination, cell)
        choice = self._pick(combination)
        if choice not in self._known:
            self._known[choice] = self._filled(combination, cell)
        return self._known[choice]

    def _filled(self, combination: Combination, cell: str) -> str | None:
        draft = self._draft
        text, path = draft.prompt, draft.prompt_path
        values: dict[str, Any] = dict(self._fixed)
        if draft.rows is not None:
            row = combination[-1]
            values |= row.value
            values["row"] = row.value
            if row.template is not None:
                text, path = row.template, (*row.path, "prompt")
        if self._source is not None:
            text, path = combination[self._source].template, combination[self._source].path
        if text is None:
            return ""
        values |= {name: choice.value for name, choice in zip(self._names, combination, strict=False)}
        try:
            prompt = text.render(values).strip()  # servers trim, and the key must not depend on whether they do
        except TemplateFault as fault:
            self._failures += 1
            self._complaints.add(path, f"{fault} (in {cell})", "template", once=("fill", str(fault)), word=fault.word)
            self._complaints.spoilt.add(draft.index)
            return None
        if not prompt:
            self._complaints.add(path, f"the prompt is empty (in {cell})", "empty", once="empty")
            return None
        return prompt
