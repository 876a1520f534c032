"""The templates of entries, held against the names that are there: which prompt counts, and what it needs."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flux_pipeline.manifest.choices import Target
from flux_pipeline.manifest.complaints import Complaints, did_you_mean
from flux_pipeline.manifest.document import LOST, Path
from flux_pipeline.manifest.draft import Draft
from flux_pipeline.manifest.include import Include
from flux_pipeline.manifest.matrix import Choice, Spread
from flux_pipeline.manifest.prompt import Template, template
from flux_pipeline.manifest.template_filters import TemplateFault
from flux_pipeline.manifest.words import SPECIAL, words_in

_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_FACTS: Final = frozenset({"ext", "key"})


def look_for_bidi(path: Path, text: str, complaints: Complaints) -> None:
    """Warn of a character that turns the direction of reading."""
    if not text.isascii() and (found := _BIDI.search(text)):
        said = f"the character U+{ord(found[0]):04X} makes text read differently from how it is stored"
        complaints.add(path, said, "bidi", severity="warning")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The sound parameters of one section, and the names of the others; names that were meant count as there."""

    sound: Mapping[str, Any]
    lost: frozenset[str]

    def names(self, name: str) -> bool:
        return name in self.sound or name in self.lost


class Wording:
    """Checks the templates of one manifest, entry by entry. `params` are the manifest's own."""

    def __init__(self, target: Target | None, params: Parameters, complaints: Complaints) -> None:
        self._target = target
        self._params = params
        self._complaints = complaints

    def check_prompt(self, draft: Draft, entry: Mapping[str, Any], params: Parameters) -> None:
        """Find the entry's prompt, the narrowest there is, and check its template."""
        if self._target is None or "prompt" not in self._target.schema.properties:
            draft.ready = self._target is not None
            return
        base: Path = ("entries", draft.index)
        if "prompt" in entry and "prompt" in params.sound:
            self._complaints.add(
                (*base, "params", "prompt"), "the entry has a prompt already; keep one", "twice", on="key"
            )
        draft.ready = True
        axis = next((axis for axis in draft.axes if axis.name == "prompt"), None)
        by_axis = axis is not None or "prompt" in draft.lost
        if by_axis:
            self._axis_prompts(draft, axis)
        own = self._own_prompts(draft)
        if self._wants_one(draft, by_axis=by_axis):
            self._common_prompt(draft, entry, params)
        needed = frozenset[str]().union(*(choice.template.required for choice in own if choice.template is not None))
        needed |= draft.prompt.required if draft.prompt is not None else frozenset()
        for include in draft.includes:
            self._included(draft, include, needed)

    def _common_prompt(self, draft: Draft, entry: Mapping[str, Any], params: Parameters) -> None:
        base: Path = ("entries", draft.index)
        defaults = self._target.schema.defaults if self._target is not None else {}
        if "prompt" in entry:
            self._one_prompt(draft, (*base, "prompt"), entry["prompt"])
        elif params.names("prompt"):
            self._one_prompt(draft, (*base, "params", "prompt"), params.sound.get("prompt", LOST))
        elif self._params.names("prompt"):
            self._one_prompt(draft, ("params", "prompt"), self._params.sound.get("prompt", LOST), shared=True)
        elif "prompt" in defaults:
            self._one_prompt(draft, base, defaults["prompt"])
        else:
            self._complaints.add(base, "has no prompt; add prompt:, or an axis named prompt", "missing-prompt")
            draft.ready = False

    @staticmethod
    def _wants_one(draft: Draft, *, by_axis: bool) -> bool:
        """Tell whether there are cells that get their prompt neither from an axis nor from their row."""
        if draft.rows is not None and all(row.template is not None for row in draft.rows.choices):
            return False
        return (draft.product and not by_axis) or any("prompt" not in include.names for include in draft.includes)

    def _axis_prompts(self, draft: Draft, axis: Spread | None) -> None:
        draft.ready &= axis is not None and len(axis.choices) == axis.written
        for choice in axis.choices if axis else ():
            self._own_prompt(draft, choice, choice.path)

    def _own_prompts(self, draft: Draft) -> Sequence[Choice]:
        """Check the prompts that rows bring with them; return the rows that do."""
        own = [row for row in draft.rows.choices if row.template is not None] if draft.rows is not None else []
        for row in own:
            self._own_prompt(draft, row, (*row.path, "prompt"))
        return own

    def _own_prompt(self, draft: Draft, choice: Choice, path: Path) -> None:
        if choice.template is not None and choice.template.variables:
            draft.used |= choice.template.variables
            draft.ready &= self._defined(draft, path, choice.template, draft.names - {"prompt"})

    def _one_prompt(self, draft: Draft, path: Path, source: Any, *, shared: bool = False) -> None:
        draft.prompt_path = path
        draft.prompt = self.template(path, source) if isinstance(source, str) else None
        if draft.prompt is None:
            # Not known: let no axis look idle.
            draft.used |= words_in(source) if isinstance(source, str) else draft.names
            draft.ready = False
            return
        draft.used |= draft.prompt.variables
        draft.ready &= self._defined(draft, path, draft.prompt, draft.names, shared=shared)

    def _included(self, draft: Draft, include: Include, needed: frozenset[str]) -> None:
        """Check the prompt that an extra cell brings with it, or whether it has what the others' prompt needs."""
        choice = next((axis.choices[0] for axis in include.axes if axis.name == "prompt"), None)
        if choice is None or choice.template is None:
            self._enough(draft, include, "the prompt", needed)
        else:
            draft.used |= choice.template.variables
            names = draft.common | (include.names - {"prompt"})
            include.ready &= self._defined(draft, choice.path, choice.template, names)

    def _enough(self, draft: Draft, include: Include, what: str, needed: frozenset[str]) -> None:
        """Complain about what an extra cell leaves out and a template needs, unless every cell lacks it."""
        for name in sorted((needed & draft.names) - draft.common - include.names) if not draft.open else ():
            said = (
                f'{what} needs "{name}", and this cell has none; name it here, or write {{{{ {name} | default(…) }}}}'
            )
            self._complaints.add(include.path, said, "undefined", once=("left out", name))
            include.ready = False

    def check_output(self, draft: Draft, output: Template | None, *, written: Any) -> None:
        names = draft.names | self._facts()
        if output is None:
            draft.output_ready = written is None
        else:
            draft.output_ready = self._defined(draft, ("output",), output, names, shared=True)
            for include in draft.includes:
                self._enough(draft, include, "output", output.required - self._facts())
        in_path = output.variables if output else words_in(written) if isinstance(written, str) else frozenset()
        self._strange_axes(draft, in_path if written is not LOST else draft.names)

    def _facts(self) -> frozenset[str]:
        properties = self._target.schema.properties if self._target else ()
        return _FACTS | {name for name in ("width", "height", "seed") if name in properties}

    def _strange_axes(self, draft: Draft, in_path: frozenset[str]) -> None:
        """Complain about an axis that nothing uses and that is called almost like one that means something."""
        if self._target is None or not self._target.known:
            return
        known = {*self._target.schema.properties, "size", "format", *SPECIAL}
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

    def template(self, path: Path, source: str, *, is_path: bool = False) -> Template | None:
        if not is_path:
            look_for_bidi(path, source, self._complaints)
        try:
            return template(source, path=is_path)
        except TemplateFault as fault:
            self._complaints.add(path, str(fault), "template", word=fault.word)
            return None
