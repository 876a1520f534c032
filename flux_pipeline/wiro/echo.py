"""A task's echoed parameters, turned back into the key of the request that made it.

What the service echoes is not specified: numbers may have become text, defaults may have been filled in or left out,
texts may have other line ends or be escaped for HTML, and further keys may have been added. What is compared are the
parameters that the model has, in the types that its schema gives them, with all defaults written in.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flux_pipeline.ledger.keys import Json, key_of
from flux_pipeline.wiro.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The parameters of one model: the JSON type of each, and the defaults."""

    model: str
    types: Mapping[str, str]
    defaults: Mapping[str, Json]


def keys_of(task: Task, shapes: Iterable[Shape]) -> frozenset[str]:
    """Return the keys that a task's parameters may be those of; none when they do not fit any model."""
    if task.params is None:
        return frozenset()
    fitting = (one for one in shapes if task.model in (None, one.model))
    return frozenset(key for shape in fitting for key in _keys(task.params, shape))


def _keys(params: Mapping[str, Any], shape: Shape) -> set[str]:
    read = {name: _read(params[name], kind) for name, kind in shape.types.items() if params.get(name) not in (None, "")}
    if any(value is None for value in read.values()):
        return set()
    asked: dict[str, Json] = {**shape.defaults, **read}
    unescaped = {name: html.unescape(value) if isinstance(value, str) else value for name, value in asked.items()}
    try:
        return {key_of(shape.model, asked), key_of(shape.model, unescaped)}
    except (ValueError, TypeError):
        return set()


def _read(value: Any, kind: str) -> Json:
    """Return a value in the type that the schema names, None when it cannot be one."""
    match kind:
        case "integer" | "number":
            return _number(value, whole=kind == "integer")
        case "boolean":
            return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
        case "string":
            return str(value).strip() if isinstance(value, str | int | float) else None
        case _:
            return value  # type: ignore[no-any-return] # a list or an object, compared as it is


def _number(value: Any, *, whole: bool) -> int | float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
        return int(value) if whole and str(value).lstrip("-").isdecimal() else int(number) if whole else number
    except (ValueError, TypeError, OverflowError):
        return None
