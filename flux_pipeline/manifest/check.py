"""Document → drafts: everything that can be said of a manifest before its cells are made.

A node that is wrong is complained about once and becomes LOST; what is sound goes on to be checked. So one mistake
hides no other, and makes no second one up.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flux_pipeline.manifest.axes import Target, read_axes
from flux_pipeline.manifest.complaints import Complaints, did_you_mean, listed, suggestion
from flux_pipeline.manifest.derive import Wanted, Writable, read_derive
from flux_pipeline.manifest.document import LOST, Document, Path
from flux_pipeline.manifest.manifest import DEFAULT_MODEL
from flux_pipeline.manifest.matrix import Spread
from flux_pipeline.manifest.paths import fold
from flux_pipeline.manifest.prompt import Template, template
from flux_pipeline.manifest.schema import ModelSchema, Schemas
from flux_pipeline.manifest.settings import RunSettings, read_settings
from flux_pipeline.manifest.shape import holds_lost, judge_shape
from flux_pipeline.manifest.template_filters import TemplateFault
from flux_pipeline.manifest.words import RESERVED, words_in


@dataclass(slots=True, kw_only=True)
class Draft:
    """One entry as far as it is sound.

    `names` are all names that its templates may use; `lost` those of them whose value is unusable. `prompt` is None
    where it comes from an axis, or is unusable; `ready` tells whether there can be renders. `open` tells that names may
    be missing here through no fault of the templates, because what would define them is unusable as a whole.
    """

    index: int
    id: str
    twin: bool
    names: frozenset[str]
    lost: frozenset[str]
    values: Mapping[str, Any]
    params: Mapping[str, Any]
    axes: tuple[Spread, ...]
    prompt: Template | None
    prompt_path: Path
    used: frozenset[str]
    ready: bool
    open: bool
    max_cells: int | None
    derive: tuple[Wanted, ...]
    output_ready: bool = False


@dataclass(slots=True, kw_only=True)
class Checked:
    """What `check` found usable. `target` and `output` are None where there is nothing usable."""

    target: Target | None
    run: RunSettings
    output: Template | None
    drafts: list[Draft]


def check(document: Document, schemas: Schemas, complaints: Complaints, writable: Writable) -> Checked:
    """Complain about everything wrong in the document; return what is sound."""
    judge_shape(document, schemas, complaints)
    return _Checker(document.data, schemas, complaints, writable).checked()


_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_MOST_NAMES: Final = 2_000_000
_FACTS: Final = frozenset({"ext", "key"})


class _Checker:
    def __init__(self, data: dict[str, Any], schemas: Schemas, complaints: Complaints, writable: Writable) -> None:
        self._data = data
        self._writable = writable
        self._complaints = complaints
        self._target = self._model(schemas)
        self._vars, self._vars_lost = self._variables(("vars",), data.get("vars"))
        self._params, self._params_lost = self._parameters(("params",), data.get("params"))
        self._ids: dict[str, int] = {}

    def checked(self) -> Checked:
        run = self._settings(("run",), self._data.get("run"))
        source = self._data.get("output")
        output = self._template(("output",), source, is_path=True) if isinstance(source, str) else None
        entries = self._data.get("entries")
        count = len(entries) if isinstance(entries, list) else 0
        if len(self._vars) * count > _MOST_NAMES:
            said = f"{len(self._vars):,} variables for {count:,} entries are too many; move some into the entries"
            self._complaints.add(("vars",), said, "too-much")
            self._vars, self._data["vars"] = {}, LOST
        drafts = []
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict):
                draft = self._entry(index, entry)
                self._check_output(draft, output, written=source)
                drafts.append(draft)
        return Checked(target=self._target, run=run, output=output, drafts=drafts)

    def _model(self, schemas: Schemas) -> Target | None:
        name = self._data.get("model", DEFAULT_MODEL)
        schema = schemas.model(name) if isinstance(name, str) else None
        if schema is not None:
            return Target(schema=schema, known=True)
        known = schemas.models()
        guess = suggestion(name, known) if isinstance(name, str) else None
        if isinstance(name, str):
            hint = did_you_mean(name, known) or f"; known: {listed(known)}"
            pull = f' "flux-pipeline schema pull {name}" writes one' if "/" in name and guess is None else ""
            self._complaints.add(("model",), f'no schema is known for the model "{name}"{hint}{pull}', "unknown-model")
        # Another model stands in, so that paths and templates are looked at all the same.
        stand_in = schemas.model(guess or DEFAULT_MODEL) or (schemas.model(known[0]) if known else None)
        return Target(schema=stand_in, known=False) if stand_in is not None else None

    def _settings(self, path: Path, section: Any) -> RunSettings:
        sound = {key: value for key, value in section.items() if value is not LOST} if isinstance(section, dict) else {}
        settings, wrong = read_settings(sound)
        for name, message in wrong.items():
            self._complaints.add((*path, name), message, "setting")
        return settings

    def _variables(self, path: Path, section: Any) -> tuple[dict[str, Any], set[str]]:
        """Return the sound variables, and the names of the others."""
        sound: dict[str, Any] = {}
        lost: set[str] = set()
        for name, value in section.items() if isinstance(section, dict) else ():
            if name in RESERVED:
                self._complaints.add((*path, name), f'"{name}" is reserved; choose another name', "reserved", on="key")
            elif holds_lost(value):
                lost.add(name)
            else:
                sound[name] = value
                if isinstance(value, str):
                    self._look_for_bidi((*path, name), value)
                if self._target and self._target.known and name in self._target.schema.properties and name != "prompt":
                    said = f'a variable "{name}" does not set the model\'s {name}; that would be params.{name}'
                    self._complaints.add((*path, name), said, "shadow", on="key", severity="warning")
        return sound, lost

    def _parameters(self, path: Path, section: Any) -> tuple[dict[str, Any], set[str]]:
        """Return the sound parameters, and the names of the others; names that were meant count as there."""
        sound: dict[str, Any] = {}
        lost: set[str] = set()
        model = self._target.schema if self._target and self._target.known else None
        for name, value in section.items() if isinstance(section, dict) else ():
            if holds_lost(value):
                lost.add(name)
            elif model is None:
                sound[name] = value
            elif name not in model.properties:
                lost |= self._unknown_parameter((*path, name), name, model, section)
            elif faults := model.faults(name, value):
                for fault in faults:
                    self._complaints.add((*path, name), fault, "parameter")
                lost.add(name)
            else:
                sound[name] = value
        return sound, lost

    def _unknown_parameter(self, path: Path, name: str, model: ModelSchema, section: Mapping[str, Any]) -> set[str]:
        meant = suggestion(name, (known for known in model.properties if known not in section))
        if name in {"size", "format"}:
            sets = "width and height" if name == "size" else "outputFormat"
            hint = f"; {name} is an axis: write it under matrix, or {sets} here"
        else:
            hint = did_you_mean(name, model.properties) or f"; it takes {listed(model.properties)}"
        self._complaints.add(path, f'"{name}" is no parameter of {model.name}{hint}', "unknown-parameter", on="key")
        return {meant} if meant else set()

    def _entry(self, index: int, entry: dict[str, Any]) -> Draft:
        base: Path = ("entries", index)
        name, twin = self._identity(base, entry.get("id"))
        variables, variables_lost = self._variables((*base, "vars"), entry.get("vars"))
        params, params_lost = self._parameters((*base, "params"), entry.get("params"))
        run = self._settings((*base, "run"), entry.get("run"))
        found = read_axes((*base, "matrix"), entry.get("matrix"), self._target, self._complaints)
        for choice in (choice for axis in found.axes for choice in axis.choices if not choice.text.isascii()):
            self._look_for_bidi(choice.path, choice.text)
        lost = (variables_lost | (self._vars_lost - variables.keys())) - found.names | found.lost
        values = {**self._vars, **variables, "entry": name}
        draft = Draft(
            index=index,
            id=name,
            twin=twin,
            names=frozenset(values.keys() | lost | found.names),
            lost=frozenset(lost),
            values=values,
            params=self._merged(params, params_lost),
            axes=found.axes,
            prompt=None,
            prompt_path=base,
            used=frozenset(),
            ready=False,
            max_cells=run.max_cells,
            derive=read_derive((*base, "derive"), entry.get("derive"), self._complaints, self._writable),
            open=LOST in (self._data.get("vars"), entry.get("vars"), entry.get("matrix"), entry.get("foreach")),
        )
        self._prompt(draft, entry, params, params_lost)
        return draft

    def _identity(self, base: Path, name: Any) -> tuple[str, bool]:
        """Return an entry's id and whether it must stay out of the comparison of paths."""
        if not isinstance(name, str):
            return f"entry-{base[1]}", True
        first = self._ids.setdefault(fold(name), int(base[1]))
        if first == base[1]:
            return name, False
        other = self._complaints.line(("entries", first, "id"))
        self._complaints.add((*base, "id"), f'"{name}" is already the id of the entry on line {other}', "duplicate-id")
        return name, True

    def _merged(self, params: Mapping[str, Any], lost: set[str]) -> dict[str, Any]:
        """Narrower wins: entry over manifest over the model's defaults. Axes come on top, cell by cell."""
        defaults = self._target.schema.defaults if self._target else {}
        merged = {**defaults, **self._params, **params}
        for name in lost - defaults.keys():
            merged.pop(name, None)
        return merged

    def _prompt(self, draft: Draft, entry: dict[str, Any], params: Mapping[str, Any], lost: set[str]) -> None:
        """Find the entry's prompt, the narrowest there is, and check its template."""
        if self._target is None or "prompt" not in self._target.schema.properties:
            draft.ready = self._target is not None
            return
        base: Path = ("entries", draft.index)
        if "prompt" in entry and "prompt" in params:
            self._complaints.add(
                (*base, "params", "prompt"), "the entry has a prompt already; keep one", "twice", on="key"
            )
        axis = next((axis for axis in draft.axes if axis.name == "prompt"), None)
        if axis is not None or "prompt" in draft.lost:
            self._axis_prompts(draft, axis)
        elif "prompt" in entry:
            self._one_prompt(draft, (*base, "prompt"), entry["prompt"])
        elif "prompt" in params or "prompt" in lost:
            self._one_prompt(draft, (*base, "params", "prompt"), params.get("prompt", LOST))
        elif "prompt" in self._params or "prompt" in self._params_lost:
            self._one_prompt(draft, ("params", "prompt"), self._params.get("prompt", LOST), shared=True)
        elif "prompt" in self._target.schema.defaults:
            self._one_prompt(draft, base, self._target.schema.defaults["prompt"])
        else:
            self._complaints.add(base, "has no prompt; add prompt:, or an axis named prompt", "missing-prompt")

    def _axis_prompts(self, draft: Draft, axis: Spread | None) -> None:
        used: set[str] = set()
        ready = axis is not None and len(axis.choices) == axis.written
        for choice in axis.choices if axis else ():
            if choice.template is not None:
                used |= choice.template.variables
                ready &= self._defined(draft, choice.path, choice.template, draft.names - {"prompt"})
        draft.ready, draft.used = ready, frozenset(used)

    def _one_prompt(self, draft: Draft, path: Path, source: Any, *, shared: bool = False) -> None:
        draft.prompt_path = path
        if not isinstance(source, str):
            draft.used = draft.names  # unknown: let no axis look idle
            return
        draft.prompt = self._template(path, source)
        if draft.prompt is None:
            draft.used = words_in(source)
            return
        draft.used = draft.prompt.variables
        draft.ready = self._defined(draft, path, draft.prompt, draft.names, shared=shared)

    def _check_output(self, draft: Draft, output: Template | None, *, written: Any) -> None:
        names = draft.names | self._facts()
        if output is None:
            draft.output_ready = written is None
        else:
            draft.output_ready = self._defined(draft, ("output",), output, names, shared=True)
        in_path = output.variables if output else words_in(written) if isinstance(written, str) else frozenset()
        self._strange_axes(draft, in_path if written is not LOST else draft.names)

    def _facts(self) -> frozenset[str]:
        properties = self._target.schema.properties if self._target else ()
        return _FACTS | {name for name in ("width", "height", "seed") if name in properties}

    def _strange_axes(self, draft: Draft, in_path: frozenset[str]) -> None:
        """Complain about an axis that nothing uses and that is called almost like one that means something."""
        if self._target is None or not self._target.known:
            return
        known = {*self._target.schema.properties, "size", "format", "exclude", "include"}
        for axis in draft.axes:
            if axis.name in known or axis.name in draft.used or axis.name in in_path:
                continue
            if hint := did_you_mean(axis.name, known):
                message = f'no template uses the axis "{axis.name}"{hint}'
                self._complaints.add(axis.path, message, "unknown-axis", on="key")

    def _defined(
        self, draft: Draft, path: Path, text: Template, names: frozenset[str], *, shared: bool = False
    ) -> bool:
        """Complain about names that a template needs and does not have; return whether it can be filled in."""
        missing = text.undefined(names)
        for name, message in missing.items() if not draft.open else ():
            said = f"{message} (for the entry {draft.id})" if shared else message
            once: Hashable = ("undefined", name)
            self._complaints.add(path, said, "undefined", once=once, word=name)
            self._complaints.spoilt.add(draft.index)
        return not missing and not (text.variables & draft.lost)

    def _template(self, path: Path, source: str, *, is_path: bool = False) -> Template | None:
        if not is_path:
            self._look_for_bidi(path, source)
        try:
            return template(source, path=is_path)
        except TemplateFault as fault:
            self._complaints.add(path, str(fault), "template", word=fault.word)
            return None

    def _look_for_bidi(self, path: Path, text: str) -> None:
        if not text.isascii() and (found := _BIDI.search(text)):
            said = f"the character U+{ord(found[0]):04X} makes text read differently from how it is stored"
            self._complaints.add(path, said, "bidi", severity="warning")
