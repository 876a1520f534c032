"""The `matrix:` of one entry → axes, each value judged once at its own line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flux_pipeline.manifest.complaints import Complaints, listed, show
from flux_pipeline.manifest.document import LOST, Path
from flux_pipeline.manifest.matrix import Choice, Spread
from flux_pipeline.manifest.paths import fold
from flux_pipeline.manifest.prompt import Template, template
from flux_pipeline.manifest.schema import ModelSchema
from flux_pipeline.manifest.template_filters import TemplateFault, text_of
from flux_pipeline.manifest.words import RESERVED

_SETS: Final = {"size": ("width", "height"), "format": ("outputFormat",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The model that a manifest is for. `known` is False when it stands in for one that has no schema."""

    schema: ModelSchema
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """What was found under `matrix:`. `lost` are names of axes without one sound value."""

    axes: tuple[Spread, ...]
    names: frozenset[str]
    lost: frozenset[str]


def read_axes(path: Path, section: Any, target: Target | None, complaints: Complaints) -> Axes:
    """Complain about every value that is wrong; return the axes with those that are sound."""
    reader = _Reader(target, complaints)
    axes: list[Spread] = []
    lost: set[str] = set()
    for name, values in section.items() if isinstance(section, dict) else ():
        place = (*path, name)
        if name in RESERVED:
            if values is not LOST:
                complaints.add(place, f'"{name}" is reserved; choose another name for the axis', "reserved", on="key")
        elif not isinstance(values, list) or not reader.means_something(place, name, section):
            lost.add(name)
        else:
            axis = reader.axis(place, name, values)
            axes.append(axis)
            if not axis.choices:
                lost.add(name)
    return Axes(axes=tuple(axes), names=frozenset(lost.union(axis.name for axis in axes)), lost=frozenset(lost))


class _Reader:
    def __init__(self, target: Target | None, complaints: Complaints) -> None:
        self._target = target
        self._complaints = complaints

    def means_something(self, path: Path, name: str, section: Mapping[str, Any]) -> bool:
        """Tell whether the model takes what the axis sets, and no other axis sets it too."""
        if self._target is None:
            return True
        model = self._target.schema
        if self._target.known and name in _SETS and not set(_SETS[name]) <= set(model.properties):
            takes = f"{model.name} takes {listed(model.properties)}"
            self._complaints.add(
                path, f"{name} sets {' and '.join(_SETS[name])}, and {takes}", "unknown-axis", on="key"
            )
            return False
        for wide, narrow in _SETS.items():
            if name in narrow and wide in section:
                said = f"{name} and {wide} both set the {name}; keep one of the two"
                self._complaints.add(path, said, "conflict", on="key")
                return False
        return True

    def axis(self, path: Path, name: str, values: list[Any]) -> Spread:
        choices: list[Choice] = []
        seen: dict[str, str] = {}
        for index, value in enumerate(values):
            if value is LOST or isinstance(value, list | dict) or value is None:
                continue
            text = " ".join(text_of(value).split())
            twin = seen.get(name_of := fold(text))
            if twin is not None:
                said = (
                    f"{show(value)} is in this axis twice"
                    if twin == text
                    else f"{show(value)} and {show(twin)} make one name"
                )
                self._complaints.add((*path, index), f"{said}; each value makes cells of its own", "duplicate-value")
                continue
            seen[name_of] = text
            choice = self._choice((*path, index), name, value, text)
            if choice is not None:
                choices.append(choice)
        return Spread(name=name, choices=tuple(choices), written=len(values), path=path)

    def _choice(self, path: Path, name: str, value: Any, text: str) -> Choice | None:
        part = f"{name}={text}"
        properties = self._target.schema.properties if self._target else ()
        if name == "prompt" and "prompt" in properties:
            found = self._prompt(path, value)
            return None if found is None else Choice(value=value, text=text, part=part, path=path, template=found)
        updates = self._updates(path, name, value)
        if updates is None:
            return None
        return Choice(value=value, text=text, part=part, path=path, updates=updates)

    def _prompt(self, path: Path, value: Any) -> Template | None:
        if not isinstance(value, str):
            self._complaints.add(path, f"{show(value)} is not text", "type")
            return None
        try:
            return template(value)
        except TemplateFault as fault:
            self._complaints.add(path, str(fault), "template", word=fault.word)
            return None

    def _updates(self, path: Path, name: str, value: Any) -> dict[str, Any] | None:
        """Return the parameters that a value sets, None when the model does not take them."""
        if self._target is None:
            return {}
        model = self._target.schema
        if name == "size" and model.has_size:
            width, _, height = str(value).partition("x")
            updates: dict[str, Any] = {"width": int(width), "height": int(height)}
        elif name == "format" and model.has_format:
            updates = {"outputFormat": value}
        elif name in model.properties:
            updates = {name: value}
        else:
            return {}
        wrong = {fault: None for parameter, given in updates.items() for fault in model.faults(parameter, given)}
        if wrong and not self._target.known:
            return {}  # the model that stands in has no say in values
        for fault in wrong:
            self._complaints.add(path, fault, "parameter")
        return None if wrong else updates
