"""What a value that is wrong was probably meant to be: texts that look like numbers, and the other way round."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Collection
from decimal import Decimal
from typing import Any, Final

_YES: Final = frozenset({"yes", "on", "y", "true"})
_NO: Final = frozenset({"no", "off", "n", "false"})
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,3})?")
_GROUPED: Final = re.compile(r"[-+]?[0-9]{1,3}(?:([,_ .'\u00a0\u202f])[0-9]{3})(?:\1[0-9]{3})*")
_UNDERSCORED: Final = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)+")
_COMMA: Final = re.compile(r"([-+]?[0-9]{1,15}),([0-9]{1,15})")
_PAIR: Final = re.compile(r"([A-Za-z]\w{0,60}):(\S.{0,60})")
_SIZE: Final = re.compile(r"\s*([0-9]{1,6})\s*[xX×*✕]\s*([0-9]{1,6})\s*(?:px)?\s*")


def meant(value: Any, wanted: Collection[str]) -> str:
    """Return `; write 1000`, or nothing when nobody can tell; `wanted` are the JSON types that would be right."""
    if isinstance(value, str):
        return _from_text(value.strip(), wanted)
    if isinstance(value, bool | int | float) and "string" in wanted:
        return f"; as text it would be {json.dumps(json.dumps(value))}"
    if isinstance(value, float) and value.is_integer() and "integer" in wanted and abs(value) < 10**15:
        return f"; write {int(value)}"
    if isinstance(value, bool | int | float | dict) and "array" in wanted and not isinstance(value, dict):
        return f"; one value is a list too: [{json.dumps(value)}]"
    return ""


def _from_text(text: str, wanted: Collection[str]) -> str:
    if "boolean" in wanted and text.lower() in _YES | _NO:
        right = "true" if text.lower() in _YES else "false"
        return f"; write {right}" + (" without quotes" if text.lower() == right else "")
    if {"integer", "number"} & set(wanted):
        number = _number(text, whole="number" not in wanted)
        if number is not None:
            quoted = number == text
            return f"; write {number}" + (" without quotes" if quoted else "")
    if "object" in wanted and (found := _PAIR.fullmatch(text)):
        return f"; a colon needs a space after it: {found[1]}: {found[2]}"
    if "array" in wanted and text and len(text) <= 40 and not re.search(r"[\[\]{}#:\"'\n]", text):
        return f"; write [{text}]"
    return ""


def _number(text: str, *, whole: bool) -> str | None:
    """Return how a number is to be written that a text looks like, None if it does not."""
    text = unicodedata.normalize("NFKC", text).replace("\u2212", "-") if not text.isascii() else text
    if _UNDERSCORED.fullmatch(text) or _GROUPED.fullmatch(text):
        if not whole and "." in text:
            return None  # 1.000 has two meanings, and was read as the other one
        text = re.sub(r"(?<=[0-9])[^0-9](?=[0-9])", "", text)
    elif not whole and (found := _COMMA.fullmatch(text)):
        text = f"{found[1]}.{found[2]}"
    if not _NUMBER.fullmatch(text):
        return None
    value = Decimal(text)
    if whole and value != value.to_integral_value():
        return None
    plain = f"{value.normalize():f}" if abs(value.adjusted()) <= 18 else text
    return "0" if plain == "-0" else plain


def size_meant(value: Any) -> str:
    """Return the size that a text, such as `1024×768`, was meant to be."""
    if isinstance(value, str) and (found := _SIZE.fullmatch(value)):
        return f"; write {int(found[1])}x{int(found[2])}"
    if isinstance(value, int) and not isinstance(value, bool) and 64 <= value < 10**6:
        return f"; write {value}x{value}"
    return ""


def nearest(value: Any, step: Any, schema: Any) -> str:
    """Return `; the nearest are 992 and 1008`: the multiples of `step` that the schema's other bounds allow."""
    if not isinstance(value, int | float) or not isinstance(step, int | float) or not step > 0:
        return ""
    exact, unit = Decimal(str(value)), Decimal(str(step))
    try:
        below = (exact / unit).to_integral_value("ROUND_FLOOR") * unit
    except ArithmeticError:
        return ""
    rules = schema if isinstance(schema, dict) else {}
    least, most = rules.get("minimum", -math.inf), rules.get("maximum", math.inf)
    if not least <= value <= most:
        return ""  # another message says what is wrong with it
    fit = [f"{number:f}" for number in (below, below + unit) if least <= number <= most]
    if not fit:
        return ""
    return f"; the nearest are {fit[0]} and {fit[1]}" if len(fit) == 2 else f"; the nearest is {fit[0]}"
