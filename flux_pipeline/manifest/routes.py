"""The path of each cell: filled in, checked, and what is wrong with it traced to the node that brought it in."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from flux_pipeline.ledger.keys import Render
from flux_pipeline.manifest import paths
from flux_pipeline.manifest.complaints import Complaints, show
from flux_pipeline.manifest.document import Path
from flux_pipeline.manifest.draft import Draft
from flux_pipeline.manifest.matrix import Choice, Combination, Row, Spread
from flux_pipeline.manifest.prompt import SlashFault, Template
from flux_pipeline.manifest.template_filters import TemplateFault

MAX_FAILURES: Final = 100  # of one template, after which it is not tried again: nobody learns from more

_FOLDER: Final = "outputs"


class Routes:
    """The path of each cell, checked."""

    def __init__(self, draft: Draft, axes: tuple[Spread, ...], output: Template | None, complaints: Complaints) -> None:
        self._draft = draft
        self._output = output
        self._complaints = complaints
        self._usable = draft.output_ready
        self._failures = 0
        used = output.variables if output else frozenset(axis.name for axis in axes)
        self._fixed = {name: value for name, value in draft.values.items() if name in used}
        self._where = [(index, axis.name) for index, axis in enumerate(axes) if axis.name in used]
        self._row_used = draft.rows is not None and (output is None or bool(draft.rows.names & used))
        self._facts = used & {"width", "height", "seed"} if output else frozenset()
        self._keyed = output is not None and "key" in used

    def of(self, combination: Combination, params: Mapping[str, Any], render: Render | None, cell: str) -> str | None:
        """Return the path, None when there is no usable one."""
        if not self._usable or self._failures >= MAX_FAILURES or (self._keyed and render is None):
            return None
        picture = str(params.get("outputFormat", "png"))
        extension = paths.extension(picture)
        if self._output is None:
            name = "-".join([choice.text for choice in combination]) or self._draft.id
            path = f"{_FOLDER}/{self._draft.id}/{name}.{extension}"
            slash = next((c for c in combination if "/" in c.text or "\\" in c.text), None)
            if slash is not None:
                where, value = _within(slash, "/" if "/" in slash.text else "\\")
                said = f'{show(value)} has a "/" that would make a folder; write output: with {{{{ … | slug }}}}'
                self._complaints.add(where, said, "path-slash")
                return None
        else:
            facts = {name: params[name] for name in self._facts if name in params}
            facts |= {"ext": extension, "key": render.key if render else ""}
            filled = self._filled(self._output, combination, facts, cell)
            if filled is None:
                return None
            path = filled
        path = path if path.isascii() else unicodedata.normalize("NFC", path)
        sound = True
        if len(path) > paths.MAX_PATH:
            self._failures += 1  # looking closely at what is far too long takes far too long
        for fault in (*paths.faults(path), *filter(None, (paths.extension_fault(path, picture),))):
            sound = False
            where = self._blame(combination, fault)
            message = fault.message
            if self._output is None and fault.code == "path-long":
                message = f"{message}, in an output: of your own"
            self._complaints.add(where, f"{message}: {show(path)} of {cell}", fault.code, once=fault.code)
        if not sound:
            self._complaints.spoilt.add(self._draft.index)
        return path if sound else None

    def _filled(self, output: Template, combination: Combination, facts: dict[str, Any], cell: str) -> str | None:
        values = dict(self._fixed)
        if self._row_used:
            values |= combination[-1].value
            values["row"] = combination[-1].value
        values |= facts
        for index, name in self._where:
            values[name] = combination[index].value
        try:
            return output.render(values)
        except TemplateFault as fault:
            self._failures += 1
            culprit = paths.PathFault(code="path-slash", message="", culprit="/")
            where = self._blame(combination, culprit) if isinstance(fault, SlashFault) else ("output",)
            self._complaints.add(
                where, f"{fault} (in {cell})", "path-slash", once=("fill", str(fault)), word=fault.word
            )
            self._complaints.spoilt.add(self._draft.index)
            return None

    def _blame(self, combination: Combination, fault: paths.PathFault) -> Path:
        """Return the node that brought a fault into a path: a value, a variable, an entry's id, or the template."""
        if fault.code not in {"path-extension", "path-absolute"}:
            for index, _ in self._where:
                if _brings(combination[index].text, fault):
                    return combination[index].path
            if self._row_used and _brings(combination[-1].text, fault):
                return _within(combination[-1], fault.culprit)[0]
            for name, value in self._fixed.items():
                if name != "entry" and isinstance(value, str) and _brings(value, fault):
                    own = ("entries", self._draft.index, "vars", name)
                    return own if self._complaints.has(own) else ("vars", name)
        if self._output is None or ("entry" in self._fixed and self._draft.id == fault.culprit):
            return ("entries", self._draft.index, "id")
        return ("output",)


def _within(choice: Choice, culprit: str) -> tuple[Path, Any]:
    """Return where the value stands that holds what is wrong, and the value: a choice, or the field of a row."""
    fields = choice.value.items() if isinstance(choice, Row) else ()
    inside = (((*choice.path, name), value) for name, value in fields if isinstance(value, str) and culprit in value)
    return next(inside, (choice.path, choice.value))


def _brings(text: str, fault: paths.PathFault) -> bool:
    """Tell whether a value is what is wrong with a path: it holds the character, or is most of the name."""
    if fault.code == "path-slash":
        return "/" in text or "\\" in text
    if fault.code == "path-hidden":
        return text == "" or text.startswith(".")
    if fault.culprit == "":
        return text == ""
    return fault.culprit in text or (text != "" and text in fault.culprit and len(text) * 2 >= len(fault.culprit))
