"""The pictures of a plan as one value: what a page, a review or a comparison of pictures shows. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from flux_pipeline.derivation import Derivation
from flux_pipeline.errors import UsageError
from flux_pipeline.ledger.facts import FileFact
from flux_pipeline.ledger.history import History
from flux_pipeline.ledger.keys import Json
from flux_pipeline.manifest.cells import Cell
from flux_pipeline.manifest.complaints import did_you_mean
from flux_pipeline.plan import Plan, PlannedRender
from flux_pipeline.report.state import STATES, state_of

_LONG: Final = 40  # characters: more than this is to be read, and names nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A recorded picture that is on disk, at a path below the output root."""

    path: str
    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedFile:
    """A file that is wanted of a picture besides it, made locally.

    `size` is width and height as text, None where nobody knows. `sha256` is the sum of the file, empty where it is not there
    as it should be: then `reason` says why.
    """

    path: str
    format: str
    size: str | None
    sha256: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One cell, as it is shown.

    `name` is the cell's id, or the manifest and the id where two manifests have the same one: no other card has it.
    `axes` and `parameters` (without the prompt) are texts by name; `fields` are the names in `axes` that are fields of the
    row of data that the cell is made for. `cost` is what the render did cost, in dollars, and
    `estimate` what it is expected to cost; None is unknown. `sharing` is how many cells of the plan have this render: it is
    paid for once. `state` is one of `report.state.STATES`; `reason` says why the picture is not at `path`, and is empty
    where it is. `picture` is None where there is none on disk.
    """

    name: str
    id: str
    manifest: str
    entry: str
    axes: Mapping[str, str]
    model: str
    prompt: str
    parameters: Mapping[str, str]
    seed: str | None
    size: str | None
    key: str
    task: str | None
    cost: Decimal | None
    estimate: Decimal | None
    sharing: int
    state: str
    reason: str
    path: str
    picture: Picture | None
    derived: tuple[DerivedFile, ...] = ()
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The cards of one entry, in the manifest's order.

    `name` is the entry's id, or the manifest and the id where two manifests have the same one: no other section has it.
    `varying` are the axes in which they differ, and `labels` those of them that a card says of itself.
    """

    name: str
    manifest: str
    entry: str
    cards: tuple[Card, ...]
    varying: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """Everything that a page shows. `rows` and `columns` are the axes that it begins with, empty for a plain grid."""

    manifests: tuple[str, ...]
    simulated: bool
    sections: tuple[Section, ...]
    rows: str = ""
    columns: str = ""

    @property
    def cards(self) -> tuple[Card, ...]:
        return tuple(card for section in self.sections for card in section.cards)

    @property
    def pictures(self) -> int:
        return sum(card.picture is not None for card in self.cards)

    @property
    def spent(self) -> tuple[Decimal, int]:
        """Return the dollars that the renders shown have cost, and how many pictures have an unknown cost."""
        renders = {card.key: card for card in self.cards if card.state in ("saved", "paid")}
        known = [card.cost for card in renders.values() if card.cost is not None]
        return sum(known, Decimal(0)), len(renders) - len(known)

    def counts(self) -> dict[str, int]:
        """Return how many cells are in each state, without the states in which none is."""
        counted = Counter(card.state for card in self.cards)
        return {state: counted[state] for state in STATES if counted[state]}

    def axes(self) -> dict[str, tuple[str, ...]]:
        """Return the values of every axis, in the order in which they first occur."""
        found: dict[str, dict[str, None]] = {}
        for card in self.cards:
            for name, value in card.axes.items():
                found.setdefault(name, {})[value] = None
        return {name: tuple(values) for name, values in found.items()}


def album(
    parts: Sequence[tuple[str, Sequence[Cell]]],
    plan: Plan,
    history: History,
    derivations: Iterable[Derivation] = (),
    *,
    simulated: bool = False,
    rows: str = "",
    columns: str = "",
) -> Album:
    """Put together what a page shows; `parts` are the manifests by name, each with the cells to show.

    Raises:
        UsageError: `rows` or `columns` is no axis of these cells, or both are the same.
    """
    planned = {one.key: one for one in plan.renders}
    facts = {one.key: _facts(one, history) for one in plan.renders}
    derived = {one.path: _derived(one) for one in derivations}
    twice = {name for name, count in Counter(cell.id for _, cells in parts for cell in cells).items() if count > 1}
    sections: dict[tuple[str, str], list[Card]] = {}
    for manifest, cells in parts:
        for cell in cells:
            name = f"{manifest}: {cell.id}" if cell.id in twice else cell.id
            files = tuple(derived[one.path] for one in cell.derived if one.path in derived)
            card = _card(cell, name, manifest, planned[cell.key], facts[cell.key], files)
            sections.setdefault((manifest, cell.entry), []).append(card)
    made = Album(
        manifests=tuple(manifest for manifest, _ in parts),
        simulated=simulated,
        sections=tuple(_sections(sections)),
        rows=rows,
        columns=columns,
    )
    _known(made, rows=rows, cols=columns)
    if rows and rows == columns:
        raise UsageError(f"--rows {rows} --cols {columns}: one axis cannot be both; name another for one of them")
    return made


def text_of(value: Json) -> str:
    """Return a value as people read it: text as it is, anything else as JSON, whose numbers no browser rounds."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _known(made: Album, **chosen: str) -> None:
    axes = made.axes()
    for flag, name in chosen.items():
        if name and name not in axes:
            there = f"the axes are {', '.join(axes)}" if axes else "nothing shown has an axis"
            parts = [axis for axis in axes if axis.startswith(f"{name}.")]  # of zipped values
            meant = f'; did you mean "{parts[0]}"?' if parts else did_you_mean(name, axes)
            raise UsageError(f"--{flag} {name}: no entry has this axis; {there}{meant}")


def _sections(found: Mapping[tuple[str, str], Sequence[Card]]) -> Iterable[Section]:
    """Yield the sections of cards by manifest and entry."""
    count = Counter(entry for _, entry in found)
    for (manifest, entry), cards in found.items():
        names = dict.fromkeys(name for card in cards for name in card.axes)
        varying = tuple(name for name in names if len({card.axes.get(name) for card in cards}) > 1)
        yield Section(
            name=f"{manifest}: {entry}" if count[entry] > 1 else entry,
            manifest=manifest,
            entry=entry,
            cards=tuple(cards),
            varying=varying,
            labels=_labels(cards, varying),
        )


def _labels(cards: Sequence[Card], varying: Sequence[str]) -> tuple[str, ...]:
    """Return what a card says of itself: its axes, and of the fields of its row those that it takes to tell rows apart.

    A row may have twenty fields, paragraphs among them, and a card has room for a few words. So it has the fields that
    the ids name, and in their order those without which two rows would look alike; a long text only where no short one
    does. A field that says again what those before it have said is left to the large view, like all the others.
    """
    fields = {name for card in cards for name in card.fields}
    long = {name for name in fields if any(len(card.axes.get(name, "")) > _LONG for card in cards)}
    taken: list[str] = []
    for name in sorted(fields.intersection(varying), key=lambda name: (name in long, varying.index(name))):
        named = name not in long and any(f"{before}{name}=" in card.id for card in cards for before in "/,")
        if named or _different(cards, (*taken, name)) > _different(cards, taken):
            taken.append(name)
    return tuple(name for name in varying if name not in fields or name in taken)


def _different(cards: Sequence[Card], names: Sequence[str]) -> int:
    return len({tuple(card.axes.get(name) for name in names) for card in cards})


def _facts(one: PlannedRender, history: History) -> dict[str, FileFact]:
    """Return the recorded pictures of a render by path; a path that is said to hold one and does not is left out."""
    if one.source is None:
        return {}
    recorded = {path: fact for submission in history.of(one.key) for path, fact in submission.files.items()}
    return {path: recorded.get(path, one.source[1]) for path in one.held} | {one.source[0]: one.source[1]}


def _derived(one: Derivation) -> DerivedFile:
    size = one.recipe.size(one.picture.width, one.picture.height) if one.picture else None
    return DerivedFile(
        path=one.path,
        format=one.recipe.format,
        size=f"{size[0]}x{size[1]}" if size else None,
        sha256=one.sha256 if one.state == "made" else "",
        reason=one.reason,
    )


def _card(
    cell: Cell,
    name: str,
    manifest: str,
    one: PlannedRender,
    facts: Mapping[str, FileFact],
    derived: tuple[DerivedFile, ...],
) -> Card:
    there = cell.path in one.held
    where = cell.path if there else one.source[0] if one.source else ""
    fact = facts.get(where)
    parameters = {key: text_of(value) for key, value in cell.params.items() if key != "prompt"}
    settled = one.submission.settled if one.submission else None
    axes, fields = dict(_texts(cell.axes)), _fields(cell)
    return Card(
        name=name,
        id=cell.id,
        manifest=manifest,
        entry=cell.entry,
        axes=axes | {name: text for name, text in fields.items() if name not in axes},
        model=cell.model,
        prompt=text_of(cell.params.get("prompt", "")),
        parameters=parameters,
        seed=parameters.get("seed"),
        size=_size(parameters, fact),
        key=cell.key,
        task=one.task,
        cost=settled.cost if settled else None,
        estimate=one.estimate,
        sharing=len(one.wanted),
        state=state_of(one),
        reason="" if there else one.reason,
        path=cell.path,
        picture=Picture(path=where, sha256=fact.sha256, width=fact.width, height=fact.height) if fact else None,
        derived=derived,
        fields=tuple(name for name in fields if name not in axes),
    )


def _fields(cell: Cell) -> dict[str, str]:
    """Return the fields of a cell's row as texts; an axis hides a field of its name, and null says nothing."""
    return dict(
        _texts({name: value for name, value in cell.row.items() if name not in cell.axes and value is not None})
    )


def _texts(axes: Mapping[str, Json]) -> Iterable[tuple[str, str]]:
    """Yield every value as text; of a mapping each of its parts by itself, named as in a template."""
    for name, value in axes.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", text) for inner, text in _texts(value))
        else:
            yield name, text_of(value)


def _size(parameters: Mapping[str, str], fact: FileFact | None) -> str | None:
    if "width" in parameters and "height" in parameters:
        return f"{parameters['width']}x{parameters['height']}"
    return f"{fact.width}x{fact.height}" if fact else None
