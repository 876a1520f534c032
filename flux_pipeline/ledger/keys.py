r"""What makes two requests the same request: the key.

The canonical form is JSON with sorted keys, no white space and UTF-8, after every number that is whole has been
written as an integer and every text has been brought to NFC with `\n` line ends. Servers echo parameters in other
clothes (`"1024"`, `\r\n`); what the wire does about types is `wiro.wire`'s business, before a key is made here.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import orjson

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

CALLBACK = "callbackUrl"  # where the answer is sent is not part of what is asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Render:
    """One paid request: a model and its full parameters, all defaults written in."""

    model: str
    params: Mapping[str, Json]
    key: str

    @classmethod
    def of(cls, model: str, params: Mapping[str, Json]) -> Render:
        return cls(model=model, params=params, key=key_of(model, params))


def key_of(model: str, params: Mapping[str, Json]) -> str:
    """Return the SHA-256, as 64 hex digits, over the canonical form of a request.

    Raises:
        ValueError: a number is not finite or does not fit into 64 bits, or a text holds half a character.
    """
    asked = {name: _plain(value) for name, value in params.items() if name != CALLBACK}
    try:
        canonical = orjson.dumps({"model": model, "params": asked}, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"the parameters cannot be written as JSON: {error}") from error
    return hashlib.sha256(canonical).hexdigest()


def _plain(value: Json) -> Json:
    if isinstance(value, str):
        return value if value.isascii() and "\r" not in value else _text(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a number that JSON knows")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {_text(name): _plain(item) for name, item in value.items()}
    return value


def _text(value: str) -> str:
    return unicodedata.normalize("NFC", value.replace("\r\n", "\n"))
