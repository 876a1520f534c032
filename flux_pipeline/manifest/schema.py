"""Data → is it sound, and if not, every reason with its path. jsonschema-rs decides; jsonschema explains."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any, Final, NoReturn

import jsonschema_rs

from flux_pipeline.errors import UsageError
from flux_pipeline.manifest.document import Path
from flux_pipeline.manifest.schema_words import Reason, reasons

MAX_REASONS: Final = 2000

_MODEL_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}/[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_OWN: Final = ("manifest", "lockfile")
_ENDING: Final = ".schema.json"


class Schemas:
    """The schema files in reach: the project's own first, then those that came with the program."""

    def __init__(self, search: tuple[FilePath, ...] = ()) -> None:
        here = FilePath(__file__).resolve().parents[1]
        packed = (here / "schemas", here.parent / "schemas")  # inside a wheel; beside the package in a checkout
        self._packed = packed
        self._folders = (*search, *packed)
        self._models: dict[str, ModelSchema | None] = {}
        self._manifest: Judge | None = None

    @staticmethod
    def is_model_name(name: str) -> bool:
        """Whether this is `owner/model`, and so can name a file."""
        return _MODEL_NAME.fullmatch(name) is not None

    def model(self, name: str) -> ModelSchema | None:
        """Return a model's schema, None where there is none.

        Raises:
            UsageError: there is one, and it cannot be used.
        """
        if name not in self._models:
            found = self._find(f"models/{name}{_ENDING}", self._folders) if _MODEL_NAME.fullmatch(name) else None
            self._models[name] = None if found is None else ModelSchema(name, _loaded(found), str(found))
        return self._models[name]

    def models(self) -> tuple[str, ...]:
        """Return the names of all models that have a schema."""
        found = {
            f"{file.parent.name}/{file.name.removesuffix(_ENDING)}"
            for folder in self._folders
            for file in folder.glob(f"models/*/*{_ENDING}")
        }
        return tuple(sorted(found))

    def files(self) -> tuple[FilePath, ...]:
        """Return every schema file in reach, used or not."""
        places = (f"*{_ENDING}", f"models/*/*{_ENDING}")
        return tuple(sorted({file for folder in self._folders for place in places for file in folder.glob(place)}))

    def text(self, name: str) -> str:
        """Return the text of a schema file: `manifest`, `lockfile` or `owner/model`.

        Raises:
            UsageError: there is none of that name.
        """
        found = None
        if name in _OWN:
            found = self._find(name + _ENDING, self._packed)
        elif _MODEL_NAME.fullmatch(name):
            found = self._find(f"models/{name}{_ENDING}", self._folders)
        if found is None:
            known = ", ".join((*_OWN, *self.models()))
            raise UsageError(f'no schema is named "{name}"; known: {known}')
        return _read(found)

    @property
    def manifest(self) -> Judge:
        """The judge of whole manifests."""
        if self._manifest is None:
            file = self._find("manifest" + _ENDING, self._packed)
            if file is None:
                raise UsageError("schemas/manifest.schema.json is missing from the installation; install again")
            self._manifest = Judge(_loaded(file), str(file))
        return self._manifest

    @staticmethod
    def _find(name: str, folders: Iterable[FilePath]) -> FilePath | None:
        return next((folder / name for folder in folders if (folder / name).is_file()), None)


class Judge:
    """One schema, asked in bulk whether data is sound and, only when it is not, why."""

    def __init__(self, document: Mapping[str, Any], origin: str) -> None:
        self.document = document
        try:
            self._decide = jsonschema_rs.Draft202012Validator(
                dict(document),
                retriever=_refuse,
                pattern_options=jsonschema_rs.RegexOptions(),  # linear time, whoever wrote the pattern
            )
        except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as fault:
            raise UsageError(f"{origin} is not a usable JSON schema: {str(fault).splitlines()[0]}") from None

    def is_valid(self, data: Any) -> bool:
        try:
            return self._decide.is_valid(data)
        except ValueError:  # holds something that JSON cannot: a LOST node, or an integer beyond every range
            return False

    def explain(self, data: Any) -> Iterator[Reason]:
        """Yield every reason why `data` is not sound, those about keys first; of very many, only MAX_REASONS."""
        seen: set[tuple[Path, str]] = set()
        all_of_them = (reason for error in self._explainer.iter_errors(data) for reason in reasons(error))
        found = list(itertools.islice(all_of_them, MAX_REASONS))
        if len(found) == MAX_REASONS:
            yield from found
            return
        for reason in sorted(found, key=lambda reason: not reason.on_key):
            if (reason.path, reason.message) not in seen:
                seen.add((reason.path, reason.message))
                yield reason

    @cached_property
    def _explainer(self) -> Any:
        import jsonschema
        import referencing

        # The empty registry fetches nothing: a $ref that leads outside is an error, never a request.
        extend: Any = jsonschema.validators.extend  # has no types
        kind = extend(jsonschema.Draft202012Validator, {"pattern": _matches})
        return kind(self.document, registry=referencing.Registry())


class ModelSchema:
    """What one model takes: the rules, the defaults and the price of its parameters."""

    def __init__(self, name: str, document: Mapping[str, Any], origin: str) -> None:
        self.name: Final = name
        self.document: Final = document
        rules: dict[str, Any] = document.get("properties", {})
        self.properties: Final = tuple(rules)
        self.rules: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(rules)
        self.defaults: Final[Mapping[str, Any]] = MappingProxyType(
            {parameter: rule["default"] for parameter, rule in rules.items() if "default" in rule}
        )
        self.types: Final[Mapping[str, str]] = MappingProxyType(
            {parameter: rule["type"] for parameter, rule in rules.items() if isinstance(rule.get("type"), str)}
        )
        self.price: Final[Any] = document.get("price")
        self._whole = Judge(document, origin)
        alone = {
            key: document[key]
            for key in ("$schema", "$defs", "type", "properties", "additionalProperties")
            if key in document
        }
        self._alone = Judge(alone, origin)

    @property
    def has_size(self) -> bool:
        """Whether `size` means something to this model."""
        return "width" in self.properties and "height" in self.properties

    @property
    def has_format(self) -> bool:
        """Whether `format` means something to this model."""
        return "outputFormat" in self.properties

    def is_valid(self, params: Mapping[str, Any]) -> bool:
        return self._whole.is_valid(params)

    def explain(self, params: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        """Yield (property, message, value) of everything wrong with `params`; "" for the parameters as a whole."""
        yield from _by_property(self._whole.explain(params))

    def faults(self, parameter: str, value: Any) -> list[str]:
        """Return what is wrong with one parameter, whatever the others are."""
        alone = {parameter: value}
        return [] if self._alone.is_valid(alone) else [text for _, text, _ in _by_property(self._alone.explain(alone))]


def _matches(_: Any, pattern: str, text: Any, schema: Any) -> Iterator[Any]:
    """Read `$` as JSON schemas mean it: the end of the text, where Python's also stands before a last line break."""
    import jsonschema

    if isinstance(text, str) and not re.search(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), text):
        yield jsonschema.ValidationError(f"{text!r} does not match {pattern}", validator="pattern", schema=schema)


def _by_property(found: Iterable[Reason]) -> Iterator[tuple[str, str, Any]]:
    for reason in found:
        inner = reason.path[1:]
        place = f"{''.join(f'[{step}]' for step in inner)}: " if inner else ""
        yield (str(reason.path[0]) if reason.path else "", place + reason.message, reason.value)


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"the schema refers to {uri}, and nothing is fetched")


def _read(file: FilePath) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(f"{file} cannot be read: {fault}") from None


def _loaded(file: FilePath) -> dict[str, Any]:
    try:
        document = json.loads(_read(file))
    except (ValueError, RecursionError) as fault:
        raise UsageError(f"{file} is not JSON: {fault}") from None
    if not isinstance(document, dict):
        raise UsageError(f"{file} is not a JSON schema: it must be an object")
    return document
