"""Drafts → cells: ids, parameters, prompts and paths, and the checks that need all of them at once."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_pipeline.ledger.keys import Json, Render
from flux_pipeline.manifest import paths
from flux_pipeline.manifest.cell import Axes, Cell
from flux_pipeline.manifest.check import Checked, Draft
from flux_pipeline.manifest.complaints import Complaints, show
from flux_pipeline.manifest.derive import Derivations
from flux_pipeline.manifest.document import Path
from flux_pipeline.manifest.matrix import Combination, Spread, combinations
from flux_pipeline.manifest.routes import MAX_FAILURES, Routes
from flux_pipeline.manifest.template_filters import TemplateFault


@dataclass(slots=True)
class _Pair:
    """Two cells that meet, and how many more do so in the same place."""

    what: str
    first: str
    second: str
    more: int = 0


class Expander:
    """Makes cells entry by entry, remembering what must not happen twice."""

    def __init__(
        self, model: str, checked: Checked, complaints: Complaints, place: Callable[[str], str] | None
    ) -> None:
        assert checked.target is not None
        self._model = model
        self._schema = checked.target.schema
        self._known = checked.target.known
        self._output = checked.output
        self._complaints = complaints
        self._place = place
        self._claims = paths.Claims()
        self._firsts: dict[str, Cell] = {}  # by key: the first cell that asks for a render
        self._clashes: dict[Path, _Pair] = {}
        self._shared: dict[int, _Pair] = {}
        self._derivations: list[Derivations] = []

    def cells(self, draft: Draft) -> Iterator[Cell]:
        """Yield the cells of one entry; those that cannot be paid for are checked as far as possible and left out."""
        axes = tuple(axis for axis in draft.axes if axis.choices)
        names = tuple(axis.name for axis in axes)
        prefix = f"{draft.id}/" if axes else draft.id
        setting = [index for index, axis in enumerate(axes) if any(choice.updates for choice in axis.choices)]
        prompts = _Prompts(draft, axes, self._complaints)
        routes = Routes(draft, axes, self._output, self._complaints)
        derivations = Derivations(draft.derive, self._complaints)
        if draft.derive and not draft.twin:
            self._derivations.append(derivations)
        idle = self._idle(draft, axes)
        ids = _Ids(self._complaints, draft) if any("," in c.text for axis in axes for c in axis.choices) else None
        asks = "prompt" in self._schema.properties
        for combination in combinations(axes):
            cell = prefix + ",".join([choice.part for choice in combination])
            if ids is not None:
                ids.check(cell)
            params = dict(draft.params)
            for index in setting:
                params.update(combination[index].updates)
            prompt = prompts.of(combination, cell)
            if asks:
                params["prompt"] = prompt or ""
            render = self._render(draft, params, cell, idle=idle) if prompt is not None else None
            path = routes.of(combination, params, render, cell)
            if path is not None:
                path = self._placed(path, draft, cell)
            derived = derivations.of(path, params, cell) if draft.derive and path is not None else ()
            if render is not None and path is not None:
                values = tuple([choice.value for choice in combination])
                made = Cell(cell, draft.id, Axes(names, values), path, render, derived)
                self._firsts.setdefault(render.key, made)
                yield made

    def finish(self) -> None:
        """Say what can only be said when every cell is there."""
        for derivations in self._derivations:
            derivations.claim(self._claims)
        for folder, one, other in self._claims.swallowed():
            said = f"{show(folder)} is the picture of {one} and a folder that {other} needs"
            self._complaints.add(self._output_path(None), said, "path-clash")
        for path, pair in self._clashes.items():
            more = f", and {pair.more:,} more cells have a path that is taken" if pair.more else ""
            said = (
                f"{show(pair.what)} would be the path of both {pair.first} and {pair.second}{more}; paths must differ"
            )
            hint = " in more than upper and lower case; add what tells them apart to output" if self._output else ""
            self._complaints.add(path, said + hint, "path-clash")
        for index, pair in self._shared.items():
            if index not in self._complaints.spoilt:
                more = f", and {pair.more:,} more like them" if pair.more else ""
                said = f"{pair.second} asks for the same picture as {pair.first}{more}: paid once, saved twice"
                self._complaints.add(("entries", index), said, "shared-render", severity="warning")

    def _render(self, draft: Draft, params: dict[str, Json], cell: str, *, idle: bool) -> Render | None:
        if not self._known:
            return None
        if not self._schema.is_valid(params):
            self._explain(draft, params, cell)
            return None
        render = Render.of(self._model, params)
        first = self._firsts.get(render.key)
        if first is None:
            return render
        if not (idle and first.entry == draft.id):
            _note(self._shared, draft.index, render.key, first.id, cell)
        return first.render

    def _explain(self, draft: Draft, params: Mapping[str, Any], cell: str) -> None:
        """Complain about parameters that are sound one by one and not together."""
        for name, message, _ in self._schema.explain(params):
            said = f"{name} {message}" if name else message
            once = ("together", name, message)
            self._complaints.add(("entries", draft.index), f"{said} (in {cell})", "parameter", once=once)

    def _idle(self, draft: Draft, axes: tuple[Spread, ...]) -> bool:
        """Warn of axes that change neither prompt nor parameters; return whether there are any."""
        idle = [
            axis
            for axis in axes
            if axis.name != "prompt" and axis.name not in draft.used and not any(c.updates for c in axis.choices)
        ]
        for axis in idle if self._known and draft.ready and draft.index not in self._complaints.spoilt else ():
            said = f'the axis "{axis.name}" changes neither the prompt nor a parameter: its cells share their pictures'
            self._complaints.add(axis.path, said, "idle-axis", on="key", severity="warning")
        return any(len(axis.choices) > 1 for axis in idle)

    def _placed(self, path: str, draft: Draft, cell: str) -> str:
        """Return the path where the picture really goes, once nobody else has it."""
        if self._place is not None:
            path = self._place(path)
        owner = None if draft.twin else self._claims.claim(path, cell)
        if owner is not None:
            _note(self._clashes, self._output_path(draft), path, owner, cell)
        return path

    def _output_path(self, draft: Draft | None) -> Path:
        return ("output",) if self._output or draft is None else ("entries", draft.index)


def _note(pairs: dict[Any, _Pair], place: Any, what: str, first: str, second: str) -> None:
    if place in pairs:
        pairs[place].more += 1
    else:
        pairs[place] = _Pair(what, first, second)


class _Ids:
    """Refuses two cells of one id: possible only where values hold a comma."""

    def __init__(self, complaints: Complaints, draft: Draft) -> None:
        self._complaints = complaints
        self._path: Path = ("entries", draft.index, "matrix")
        self._seen: set[str] = set()

    def check(self, cell: str) -> None:
        name = paths.fold(cell)
        if name in self._seen:
            self._complaints.add(
                self._path, f"two cells have the id {cell}; take the commas out", "id-clash", once="id"
            )
        self._seen.add(name)


def _picker(axes: tuple[Spread, ...], used: frozenset[str]) -> Callable[[Combination], Any] | None:
    """Return what tells apart the combinations that matter to a template, None when every one does."""
    where = [index for index, axis in enumerate(axes) if axis.name in used]
    if len(where) == len(axes):
        return None
    return operator.itemgetter(*where) if where else lambda _: None


class _Prompts:
    """The prompt of each cell, filled in once per distinct choice of the axes that it uses."""

    def __init__(self, draft: Draft, axes: tuple[Spread, ...], complaints: Complaints) -> None:
        self._draft = draft
        self._axes = axes
        self._complaints = complaints
        self._source = next((index for index, axis in enumerate(axes) if axis.name == "prompt"), None)
        used = draft.used | {"prompt"} if self._source is not None else draft.used
        self._pick = _picker(axes, used)
        self._known: dict[Any, str | None] = {}
        self._failures = 0
        # Only what may be written: there may be thousands of variables, and this is copied for every prompt.
        self._fixed = {name: value for name, value in draft.values.items() if name in draft.used}

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
        if self._source is not None:
            text, path = combination[self._source].template, combination[self._source].path
        if text is None:
            return ""
        values = {**self._fixed, **{a.name: c.value for a, c in zip(self._axes, combination, strict=True)}}
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
