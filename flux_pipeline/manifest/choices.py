"""What one value means: which parameters it sets, whether the model takes them, how it is written."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flux_pipeline.manifest.complaints import Complaints, listed, show
from flux_pipeline.manifest.document import Path
from flux_pipeline.manifest.matrix import Choice
from flux_pipeline.manifest.prompt import Template, template
from flux_pipeline.manifest.schema import ModelSchema
from flux_pipeline.manifest.sizes import Sizes
from flux_pipeline.manifest.template_filters import TemplateFault, text_of

_SETS: Final = {"size": ("width", "height"), "format": ("outputFormat",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The model that a manifest is for. `known` is False when it stands in for one that has no schema."""

    schema: ModelSchema
    known: bool


def written(value: Any) -> str:
    """Return a value as it stands in ids and default paths."""
    return " ".join(text_of(value).split())


class Meaning:
    """What values mean in one manifest: for its model, with its presets."""

    def __init__(self, target: Target | None, sizes: Sizes, complaints: Complaints) -> None:
        self.target: Final = target
        self.sizes: Final = sizes
        self.complaints: Final = complaints

    def parameter(self, name: str) -> bool:
        """Tell whether a name sets something of the model, whatever its value is."""
        return self.target is not None and (name in _SETS or name in self.target.schema.properties)

    def fits(self, path: Path, name: str, beside: Container[str]) -> bool:
        """Tell whether the model takes what a name sets, and nothing beside it sets the same; complain if not."""
        if self.target is None:
            return True
        model = self.target.schema
        if self.target.known and name in _SETS and not set(_SETS[name]) <= set(model.properties):
            said = f"{name} sets {' and '.join(_SETS[name])}, and {model.name} takes {listed(model.properties)}"
            self.complaints.add(path, said, "unknown-axis", on="key")
            return False
        for wide, narrow in _SETS.items():
            if name in narrow and wide in beside:
                said = f"{name} and {wide} both set the {name}; keep one of the two"
                self.complaints.add(path, said, "conflict", on="key")
                return False
        return True

    def choice(self, path: Path, name: str, value: Any, text: str) -> Choice | None:
        """Return a value as a choice; complain and return None when the model does not take it."""
        part = f"{name}={text}"
        if self.is_prompt(name):
            found = self.prompt(path, value)
            return None if found is None else Choice(value=value, text=text, part=part, path=path, template=found)
        updates = self.updates(path, name, value)
        if updates is None:
            return None
        return Choice(value=value, text=text, part=part, path=path, updates=updates)

    def is_prompt(self, name: str) -> bool:
        return name == "prompt" and self.target is not None and "prompt" in self.target.schema.properties

    def prompt(self, path: Path, value: Any) -> Template | None:
        """Return the template that a value under `prompt` is; complain and return None when it is none."""
        if not isinstance(value, str):
            self.complaints.add(path, f"{show(value)} is not text", "type")
            return None
        try:
            return template(value)
        except TemplateFault as fault:
            self.complaints.add(path, str(fault), "template", word=fault.word)
            return None

    def updates(self, path: Path, name: str, value: Any) -> Mapping[str, Any] | None:
        """Return the parameters that a value sets; complain and return None when the model does not take them."""
        if self.target is None:
            return {}
        model, aside = self.target.schema, ""
        if name == "size" and model.has_size:
            size = self.sizes.read(value)
            if size is None:
                if str(value) not in self.sizes.lost:
                    self.complaints.add(path, self.sizes.fault(value), "size")
                return None
            updates: dict[str, Any] = {"width": size[0], "height": size[1]}
            if str(value) in self.sizes.presets:
                aside = f"the preset {value} is {size[0]}x{size[1]}: "
        elif name == "format" and model.has_format:
            updates = {"outputFormat": value}
        elif name in model.properties:
            updates = {name: value}
        else:
            return {}
        wrong = {fault: None for parameter, given in updates.items() for fault in model.faults(parameter, given)}
        if wrong and not self.target.known:
            return {}  # the model that stands in has no say in values
        for fault in wrong:
            self.complaints.add(path, aside + fault, "parameter")
        return None if wrong else updates
