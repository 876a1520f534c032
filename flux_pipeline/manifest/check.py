"""Document → drafts: everything that can be said of a manifest before its cells are made.

A node that is wrong is complained about once and becomes LOST; what is sound goes on to be checked. So one mistake
hides no other, and makes no second one up.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from flux_pipeline.manifest.axes import Axes, axis_names, read_axes
from flux_pipeline.manifest.choices import Meaning, Target
from flux_pipeline.manifest.complaints import Complaints, did_you_mean, listed, suggestion
from flux_pipeline.manifest.derive import Writable, read_derive
from flux_pipeline.manifest.document import LOST, Document, Path
from flux_pipeline.manifest.draft import Checked, Draft
from flux_pipeline.manifest.exclude import Exclude, read_excludes
from flux_pipeline.manifest.foreach import Foreach, Reader, Rows
from flux_pipeline.manifest.include import Include, read_includes
from flux_pipeline.manifest.manifest import DEFAULT_MODEL
from flux_pipeline.manifest.paths import fold
from flux_pipeline.manifest.schema import ModelSchema, Schemas
from flux_pipeline.manifest.settings import RunSettings, read_settings
from flux_pipeline.manifest.shape import holds_lost, judge_shape
from flux_pipeline.manifest.sizes import Sizes
from flux_pipeline.manifest.wording import Parameters, Wording, look_for_bidi
from flux_pipeline.manifest.words import RESERVED


def check(
    document: Document, schemas: Schemas, complaints: Complaints, writable: Writable, read: Reader | None = None
) -> Checked:
    """Complain about everything wrong in the document; return what is sound."""
    judge_shape(document, schemas, complaints)
    return _Checker(document, schemas, complaints, writable, read).checked()


_MOST_NAMES: Final = 2_000_000


class _Checker:
    def __init__(
        self,
        document: Document,
        schemas: Schemas,
        complaints: Complaints,
        writable: Writable,
        read: Reader | None,
    ) -> None:
        self._data = document.data
        self._writable = writable
        self._complaints = complaints
        self._target = self._model(schemas)
        self._meaning = Meaning(self._target, Sizes(self._data.get("presets")), complaints)
        self._foreach = Foreach(document.file, self._meaning, complaints, read)
        self._vars, self._vars_lost = self._variables(("vars",), self._data.get("vars"))
        self._params = self._parameters(("params",), self._data.get("params"))
        self._wording = Wording(self._target, self._params, complaints)
        self._ids: dict[str, int] = {}

    def checked(self) -> Checked:
        run = self._settings(("run",), self._data.get("run"))
        source = self._data.get("output")
        output = self._wording.template(("output",), source, is_path=True) if isinstance(source, str) else None
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
                self._wording.check_output(draft, output, written=source)
                drafts.append(draft)
        return Checked(target=self._target, sizes=self._meaning.sizes, run=run, output=output, drafts=drafts)

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
                    look_for_bidi((*path, name), value, self._complaints)
                if self._target and self._target.known and name in self._target.schema.properties and name != "prompt":
                    said = f'a variable "{name}" does not set the model\'s {name}; that would be params.{name}'
                    self._complaints.add((*path, name), said, "shadow", on="key", severity="warning")
        return sound, lost

    def _parameters(self, path: Path, section: Any) -> Parameters:
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
        return Parameters(sound, frozenset(lost))

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
        params = self._parameters((*base, "params"), entry.get("params"))
        run = self._settings((*base, "run"), entry.get("run"))
        matrix = entry.get("matrix")
        section: dict[str, Any] = matrix if isinstance(matrix, dict) else {}
        rows = self._foreach.rows((*base, "foreach"), entry.get("foreach"), axis_names(section))
        found = read_axes((*base, "matrix"), section, self._meaning, self._complaints)
        for choice in (choice for axis in found.axes for choice in axis.choices if not choice.text.isascii()):
            look_for_bidi(choice.path, choice.text, self._complaints)
        of_rows = rows.names if rows is not None else frozenset()
        lost = (variables_lost | (self._vars_lost - variables.keys())) - found.names - of_rows | found.lost
        values = {**self._vars, **variables, "entry": name}
        no_rows = rows is None and "foreach" in entry  # wanted, and unusable
        asked = {**section, "exclude": None} if no_rows else section  # an exclude may speak of what is not there
        excludes, includes = self._special((*base, "matrix"), asked, found, rows, values.keys() | lost)
        extra = frozenset[str]().union(*(include.names for include in includes))
        product = bool(found.names) or "include" not in section
        written = section.get("include")
        unsure = not product and len(includes) < (len(written) if isinstance(written, list) else 1)
        names = values.keys() | lost | found.names | of_rows | (frozenset() if product else extra)
        draft = Draft(
            index=index,
            id=name,
            twin=twin,
            names=frozenset(names),
            common=frozenset(values.keys() | lost | of_rows),
            lost=frozenset(lost),
            values=values,
            params=self._merged(params),
            axes=found.axes,
            prompt=None,
            prompt_path=base,
            used=frozenset(),
            ready=False,
            max_cells=run.max_cells,
            derive=read_derive((*base, "derive"), entry.get("derive"), self._complaints, self._writable),
            open=LOST in (self._data.get("vars"), entry.get("vars"), entry.get("matrix")) or no_rows or unsure,
            product=product,
            rows=rows,
            seeded=params.names("seed") or self._params.names("seed"),
            excludes=excludes,
            includes=includes,
        )
        self._wording.check_prompt(draft, entry, params)
        return draft

    def _special(
        self, path: Path, section: Mapping[str, Any], found: Axes, rows: Rows | None, variables: AbstractSet[str]
    ) -> tuple[tuple[Exclude, ...], tuple[Include, ...]]:
        """Return what the matrix leaves out and what it adds."""
        fields = rows.fields if rows is not None else frozenset()
        excludes = read_excludes((*path, "exclude"), section.get("exclude"), found.names, fields, self._complaints)
        includes = read_includes(
            (*path, "include"),
            section.get("include"),
            found,
            self._meaning,
            self._complaints,
            fields=fields,
            variables=variables,
        )
        return excludes, includes

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

    def _merged(self, params: Parameters) -> dict[str, Any]:
        """Narrower wins: entry over manifest over the model's defaults. Axes come on top, cell by cell."""
        defaults = self._target.schema.defaults if self._target else {}
        merged = {**defaults, **self._params.sound, **params.sound}
        for name in params.lost - defaults.keys():
            merged.pop(name, None)
        return merged
