"""An offer as the schema document of its model: what a form says, in the words of a JSON schema; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from flux_pipeline.errors import UsageError
from flux_pipeline.wiro.offer import Offer, Parameter, number
from flux_pipeline.wiro.wire import clean

PROMPT: Final = "prompt"
_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_FILE: Final = re.compile(r"file|image|video|audio|upload")
_NUMBER: Final = re.compile(r"number|int|integer|float|range|slider")
_TRUTH: Final = re.compile(r"checkbox|bool|boolean|toggle|switch")
_TRUE: Final = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}
_MULTIPLE: Final = re.compile(r"multiples? of ([1-9][0-9]{0,3})\b", re.IGNORECASE)
_PRICED: Final = ("inputs", "price", "priceMethod", "priceExtra")


def document(offer: Offer) -> dict[str, Any]:
    """Return the schema of the model that is offered; `price` is None where the service tells no list.

    Parameters that take files are left out, and a price list that cannot be read is not there at all.

    Raises:
        UsageError: the model does not make pictures from text alone.
    """
    known = _of_text(offer)
    required = [one.name for one in known if one.name == PROMPT or (one.required and one.default is None)]
    made: dict[str, Any] = {
        "$schema": _DRAFT,
        "$id": f"urn:flux-pipeline:schema:model:{offer.model}",
        "title": offer.model,
        "description": offer.description or f"The parameters of {offer.model}, as the service tells them.",
        "type": "object",
        "required": required,
        "additionalProperties": False,
        "properties": {one.name: _property(one) for one in known},
    }
    if offer.flaw:
        return made
    return made | {"price": None if offer.price is None else [_entry(one) for one in offer.price]}


def _of_text(offer: Offer) -> tuple[Parameter, ...]:
    if offer.parameters is None:
        raise UsageError(f"the service does not tell the parameters of {offer.model}: write its schema by hand")
    files = [one.name for one in offer.parameters if one.required and _FILE.search(one.kind)]
    if files:
        raise UsageError(f"{offer.model} needs a file ({', '.join(files)}), and only text to image is made here")
    known = tuple(one for one in offer.parameters if not _FILE.search(one.kind))
    if PROMPT not in {one.name for one in known}:
        raise UsageError(f"{offer.model} takes no {PROMPT}, and only text to image is made here")
    return known


def _property(one: Parameter) -> dict[str, Any]:
    words = {"description": one.help or f"{one.name}, as the service takes it."}
    if one.name == PROMPT:
        return words | {"type": "string", "minLength": 1}
    if one.options:
        default = str(one.default)
        listed = {"type": "string", "enum": list(one.options)}
        return words | listed | ({"default": default} if default in one.options else {})
    if _TRUTH.fullmatch(one.kind):
        truth = _TRUE.get(str(one.default).lower())
        return words | {"type": "boolean"} | ({} if truth is None else {"default": truth})
    if _NUMBER.fullmatch(one.kind):
        return words | _number(one)
    return words | {"type": "string"} | ({} if one.default is None else {"default": str(one.default)})


def _number(one: Parameter) -> dict[str, Any]:
    default = number(one.default)
    told = [value for value in (default, one.minimum, one.maximum, one.step) if value is not None]
    whole = default is not None and not any("." in str(value) for value in told)
    if (one.minimum, one.maximum, one.step) == (Decimal(0), Decimal(1), None):
        whole = False  # a share rather than a count
    made: dict[str, Any] = {"type": "integer" if whole else "number"}
    if whole and (step := _step(one, default)) is not None:
        made["multipleOf"] = step
    bounds = {"minimum": one.minimum, "maximum": one.maximum}
    made |= {name: _plain(value) for name, value in bounds.items() if value is not None}
    low, high = one.minimum, one.maximum
    if default is not None and (low is None or default >= low) and (high is None or default <= high):
        made["default"] = _plain(default)
    return made


def _step(one: Parameter, default: Decimal | None) -> int | None:
    """Return the step, told as such or in words, where all multiples of it and nothing else can be meant."""
    said = _MULTIPLE.search(one.help)
    step = one.step if one.step is not None else Decimal(said[1]) if said else None
    if step is None or step <= 1 or any(value % step for value in (one.minimum, default) if value is not None):
        return None
    return int(step)


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _cleaned(entry[name]) for name in _PRICED if name in entry}


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(name): _cleaned(inner) for name, inner in value.items()}
    return [_cleaned(inner) for inner in value] if isinstance(value, list) else value
