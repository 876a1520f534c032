"""Drafts → cells: ids, parameters, prompts and paths, and the checks that need all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flux_pipeline.ledger.keys import Json, Render, key_of
from flux_pipeline.manifest import paths
from flux_pipeline.manifest.cell import NO_ROW, Cell, Fields
from flux_pipeline.manifest.complaints import Complaints, show
from flux_pipeline.manifest.derive import Derivations
from flux_pipeline.manifest.document import Path
from flux_pipeline.manifest.draft import Checked, Draft
from flux_pipeline.manifest.exclude import Exclude, Filter
from flux_pipeline.manifest.matrix import Combination, Row, Spread, combinations
from flux_pipeline.manifest.prompt import Template
from flux_pipeline.manifest.prompts import Prompts
from flux_pipeline.manifest.routes import Routes


@dataclass(slots=True)
class _Pair:
    """Two cells that meet, and how many more do so in the same place."""

    what: str
    first: str
    second: str
    more: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """What the program decided for an entry that says nothing of it."""

    entry: str
    message: str

    def __str__(self) -> str:
        return f"{self.entry}: {self.message}"


class _Shape:
    """Cells of one entry that have the same axes: those of the product, or those of one `include`."""

    def __init__(
        self, draft: Draft, axes: tuple[Spread, ...], output: Template | None, complaints: Complaints, path: Path
    ) -> None:
        self.axes = axes
        self.path = path
        self.names = tuple(axis.name for axis in axes)
        self.setting = [index for index, axis in enumerate(axes) if any(choice.updates for choice in axis.choices)]
        self.prompts = Prompts(draft, axes, complaints)
        self.routes = Routes(draft, axes, output, complaints)
        self.ids: _Ids | None = None
        self.idle = False
        self.keeps: Callable[[Combination], bool] | None = None

    def combinations(self, row: Row | None) -> Iterator[Combination]:
        made = combinations(self.axes, row)
        return made if self.keeps is None else filter(self.keeps, made)


class Expander:
    """Makes cells entry by entry, remembering what must not happen twice."""

    def __init__(
        self, model: str, checked: Checked, complaints: Complaints, place: Callable[[str], str] | None
    ) -> None:
        assert checked.target is not None
        self._model = model
        self._schema = checked.target.schema
        self._known = checked.target.known
        self._sizes = checked.sizes
        self._output = checked.output
        self._complaints = complaints
        self._place = place
        self._claims = paths.Claims()
        self._firsts: dict[str, Cell] = {}  # by key: the first cell that asks for a render
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}  # of parameters, each once
        self._clashes: dict[Path, _Pair] = {}
        self._shared: dict[int, _Pair] = {}
        self._derivations: list[Derivations] = []
        self._notes: list[Note] = []

    def cells(self, draft: Draft) -> Iterator[Cell]:
        """Yield the cells of one entry; those that cannot be paid for are checked as far as possible and left out."""
        for axis in draft.axes:
            axis.settle()
        axes = tuple(axis for axis in draft.axes if axis.choices)
        rows: Sequence[Row] = draft.rows.choices if draft.rows is not None else ()
        sieve = Filter(self._sound(draft, axes), axes, rows, self._sizes, self._complaints) if draft.excludes else None
        shapes = self._shapes(draft, axes, sieve)
        derivations = Derivations(draft.derive, self._complaints) if draft.derive else None
        if derivations is not None and not draft.twin:
            self._derivations.append(derivations)
        unseeded = seeded = 0
        for row in rows or (None,):
            for shape in shapes:
                made = 0
                for made, cell in enumerate(self._made(draft, shape, row, derivations), 1):  # noqa: B007 -- the last one counts them
                    yield cell
                if "seed" in shape.names or (row is not None and "seed" in row.updates):
                    seeded += made
                else:
                    unseeded += made
        if sieve is not None:
            sieve.finish()
            if not sieve.kept and not draft.includes:
                said = "everything is excluded and nothing included: no cell is left"
                self._complaints.add(("entries", draft.index, "matrix", "exclude"), said, "empty", on="key")
        self._note_seeds(draft, seeded, unseeded)

    def _shapes(self, draft: Draft, axes: tuple[Spread, ...], sieve: Filter | None) -> list[_Shape]:
        """Return the product, if there is one, and then the extra cells."""
        shapes: list[_Shape] = []
        idle = self._idle(draft, axes)
        if draft.product:
            product = _Shape(draft, axes, self._output, self._complaints, ("entries", draft.index, "matrix"))
            product.keeps = None if sieve is None else sieve.keeps
            product.idle = idle
            shapes.append(product)
        shapes += [
            _Shape(draft, include.axes, self._output, self._complaints, include.path)
            for include in draft.includes
            if include.ready
        ]
        choices = [choice for shape in shapes for axis in shape.axes for choice in axis.choices]
        rows = draft.rows.choices if draft.rows is not None else ()
        if draft.includes or any("," in choice.part for choice in (*choices, *rows)):
            ids = _Ids(self._complaints)
            for shape in shapes:
                shape.ids = ids
        return shapes

    @staticmethod
    def _sound(draft: Draft, axes: tuple[Spread, ...]) -> list[Exclude]:
        """Return the excludes that speak only of axes without a wrong value: others might match what is missing."""
        whole = {axis.name for axis in axes if len(axis.choices) == axis.written}
        known = whole | (draft.rows.fields if draft.rows is not None else frozenset())
        return [exclude for exclude in draft.excludes if exclude.wanted.keys() <= known]

    def _made(self, draft: Draft, shape: _Shape, row: Row | None, derivations: Derivations | None) -> Iterator[Cell]:
        names, setting, ids = shape.names, shape.setting, shape.ids
        width = len(names)
        prefix = f"{draft.id}/" if names or row is not None else draft.id
        base: Mapping[str, Any] = {**draft.params, **row.updates} if row is not None else draft.params
        fields = row.value if row is not None else NO_ROW
        asks = "prompt" in self._schema.properties
        prompt_of, path_of, idle, whole = shape.prompts.of, shape.routes.of, shape.idle, row is None
        for combination in shape.combinations(row):
            cell = prefix + ",".join([choice.part for choice in combination])
            if ids is not None and not ids.free(cell, shape.path):
                continue
            params = dict(base)
            for index in setting:
                params.update(combination[index].updates)
            prompt = prompt_of(combination, cell)
            if asks:
                params["prompt"] = prompt or ""
            render = self._render(draft, params, cell, idle=idle) if prompt is not None else None
            path = path_of(combination, params, render, cell)
            if path is not None:
                path = self._placed(path, draft, cell)
            derived = derivations.of(path, params, cell) if derivations is not None and path is not None else ()
            if render is not None and path is not None:
                values = [choice.value for choice in (combination if whole else combination[:width])]
                made = Cell(cell, draft.id, Fields(names, values), path, render, derived, fields)
                self._firsts.setdefault(render.key, made)
                yield made

    def _note_seeds(self, draft: Draft, seeded: int, unseeded: int) -> None:
        """Say when cells have the model's default for want of a seed of their own."""
        if unseeded and not draft.seeded and "seed" in self._schema.defaults:
            where = f" for {unseeded:,} of {seeded + unseeded:,} cells" if seeded else ""
            default = show(self._schema.defaults["seed"])
            self._notes.append(Note(draft.id, f"no seed given{where}; the model's default {default} is sent"))

    def finish(self) -> tuple[Note, ...]:
        """Say what can only be said when every cell is there; return what was decided where the manifest is silent."""
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
        return tuple(self._notes)

    def _render(self, draft: Draft, params: dict[str, Json], cell: str, *, idle: bool) -> Render | None:
        if not self._known:
            return None
        if not self._schema.is_valid(params):
            self._explain(draft, params, cell)
            return None
        key = key_of(self._model, params)
        first = self._firsts.get(key)
        if first is None:
            names = tuple(params)
            fields = Fields(self._names.setdefault(names, names), params.values())
            return Render(model=self._model, params=fields, key=key)
        if not (idle and first.entry == draft.id):
            _note(self._shared, draft.index, key, first.id, cell)
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
    """Refuses two cells of one id: possible only where values hold a comma, and where there are extra cells."""

    def __init__(self, complaints: Complaints) -> None:
        self._complaints = complaints
        self._seen: set[str] = set()

    def free(self, cell: str, path: Path) -> bool:
        """Take an id; complain when another cell has it."""
        name = paths.fold(cell)
        if name in self._seen:
            extra = "include" in path
            hint = "an extra cell has to differ from all others" if extra else "take the commas out"
            self._complaints.add(path, f"two cells have the id {cell}; {hint}", "id-clash", once="id")
            return False
        self._seen.add(name)
        return True
