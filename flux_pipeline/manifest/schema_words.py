"""A JSON schema's verdict in this program's words: what is wrong, and what would be right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from flux_pipeline.manifest.complaints import did_you_mean, listed, show, suggestion
from flux_pipeline.manifest.document import LOST, Path
from flux_pipeline.manifest.lookalikes import meant, nearest, size_meant

_KINDS: Final = {
    "integer": "an integer",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "empty",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason why data is not sound.

    `on_key` tells that the key is wrong rather than its value; `meant` is the key that an unknown one probably is.
    """

    path: Path
    message: str
    code: str
    value: Any = None
    on_key: bool = False
    meant: str | None = None


class Verdict(Protocol):
    """What is used of jsonschema's ValidationError."""

    instance: Any
    message: str
    schema: Any
    validator: Any
    validator_value: Any

    @property
    def absolute_path(self) -> Iterable[str | int]: ...
    @property
    def absolute_schema_path(self) -> Iterable[str | int]: ...


def reasons(error: Verdict) -> Iterator[Reason]:
    """Yield the reasons that one error of jsonschema stands for; none about a node already complained about."""
    if error.instance is LOST:
        return
    path: Path = tuple(error.absolute_path)
    rule = str(error.validator)
    if "propertyNames" in error.absolute_schema_path:
        name = str(error.instance)
        message = f"{show(name)} is not {_wanted(error)}"
        yield Reason(path=(*path, name), message=message, code="name", value=name, on_key=True)
    elif rule == "additionalProperties":
        yield from _unknown_keys(error, path)
    elif rule == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield Reason(path=(*path, name), message="is required", code="required")
    else:
        say = _SENTENCES.get(rule)
        message = say(error.instance, error.validator_value, error) if say else error.message[:200]
        yield Reason(path=path, message=message, code=_CODES.get(rule, "invalid"), value=error.instance)


def _unknown_keys(error: Verdict, path: Path) -> Iterator[Reason]:
    known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    for name in error.instance:
        if name in known:
            continue
        meant = suggestion(name, (key for key in known if key not in error.instance))
        hint = f"here{did_you_mean(name, known) or f'; known here: {listed(known)}'}"
        if name.isdigit() and len(name) == 3 and error.instance[name] is None:
            hint += "; if it is the end of a number, write the number without the comma"
        message = f"{show(name)} is not known {hint}"
        yield Reason(path=(*path, name), message=message, code="unknown-key", value=name, on_key=True, meant=meant)


def _wanted(error: Verdict) -> str:
    schema = error.schema if isinstance(error.schema, dict) else {}
    return str(schema.get("patternErrorMessage") or f"of the form {error.validator_value}")


def _type(value: Any, wanted: Any, error: Verdict) -> str:
    names = [wanted] if isinstance(wanted, str) else wanted
    kinds = [_KINDS[kind] for kind in names]
    last = ", " if " or " in kinds[-1] else " or "
    right = kinds[0] if len(kinds) == 1 else f"{', '.join(kinds[:-1])}{last}{kinds[-1]}"
    if value is None:
        return f"is empty where {right} is needed"
    if isinstance(value, dict | list):
        return f"{'a mapping' if isinstance(value, dict) else 'a list'} is not {right}"
    hint = size_meant(value) if _is_size(error) else meant(value, names)
    return f"{show(value)} is not {right}{hint}"


def _is_size(error: Verdict) -> bool:
    return "WIDTHxHEIGHT" in _wanted(error)


def _choice(value: Any, allowed: Any, _: Verdict) -> str:
    texts = [choice for choice in allowed if isinstance(choice, str)]
    hint = did_you_mean(value, texts) if isinstance(value, str) else ""
    return f"{show(value)} is not one of {', '.join(map(show, allowed))}{hint}"


def _pattern(value: Any, _: Any, error: Verdict) -> str:
    return f"{show(value)} is not {_wanted(error)}{size_meant(value) if _is_size(error) else ''}"


def _only(value: Any, only: Any, _: Verdict) -> str:
    hint = " (take the quotes away)" if isinstance(value, str) and value.strip() == str(only) else ""
    return f"must be {show(only)}, not {show(value)}{hint}"


def _multiple(value: Any, step: Any, error: Verdict) -> str:
    return f"{show(value)} is not a multiple of {step}{nearest(value, step, error.schema)}"


def _length(value: Any, least: Any, _: Verdict) -> str:
    return "must not be empty" if not value else f"{show(value)} has fewer than {least} characters"


_SENTENCES: Final[dict[str, Callable[[Any, Any, Verdict], str]]] = {
    "type": _type,
    "enum": _choice,
    "const": _only,
    "minimum": lambda value, limit, _: f"{show(value)} is below the minimum of {limit}",
    "maximum": lambda value, limit, _: f"{show(value)} is above the maximum of {limit}",
    "exclusiveMinimum": lambda value, limit, _: f"{show(value)} must be above {limit}",
    "exclusiveMaximum": lambda value, limit, _: f"{show(value)} must be below {limit}",
    "multipleOf": _multiple,
    "minLength": _length,
    "maxLength": lambda value, most, _: f"{len(value)} characters are more than the {most} allowed",
    "pattern": _pattern,
    "minItems": lambda value, least, _: (
        "is an empty list; give at least one value" if not value else f"has {len(value)} values, fewer than {least}"
    ),
    "minProperties": lambda value, least, _: (
        "is an empty mapping; give at least one field" if not value else f"has {len(value)} fields, fewer than {least}"
    ),
    "maxProperties": lambda value, most, _: f"has {listed(value)}; keep {'one' if most == 1 else most} of them",
    "maxItems": lambda value, most, _: f"has {len(value)} values, more than {most}",
}
_CODES: Final = {
    "type": "type",
    "enum": "choice",
    "const": "choice",
    "minimum": "range",
    "maximum": "range",
    "exclusiveMinimum": "range",
    "exclusiveMaximum": "range",
    "multipleOf": "range",
    "minLength": "empty",
    "minItems": "empty",
    "minProperties": "empty",
    "maxProperties": "conflict",
    "pattern": "form",
}
