"""What a scalar of YAML 1.2 core means. `no`, `16:9`, `0123` and dates are text; nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

CORE: Final = "tag:yaml.org,2002:"
MAX_DIGITS: Final = 18  # what fits into 64 bits whatever the digits are
MAX_LENGTH: Final = 65_536

# A leading zero makes text: 0123 is an article number to its author, and octal to YAML 1.1.
_INT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED: Final = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: Final[dict[str, Any]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NUMBER_START: Final = frozenset("+-.0123456789")
UNWANTED: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


class ScalarError(ValueError):
    """A scalar that no JSON can hold, in words that can be shown."""


def plain(text: str) -> Any:
    """Return the value of an unquoted scalar.

    Raises:
        ScalarError: a number without end, or with more digits than can be kept.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return checked(text)
    if _INT.fullmatch(text):
        return _whole(text, 10)
    if _BASED.fullmatch(text):
        return _whole(text, 0)
    if _FLOAT.fullmatch(text):
        return _finite(text)
    if _NOT_FINITE.fullmatch(text):
        raise ScalarError(f"{text} is not a number that JSON knows; write a finite number, or quote it for text")
    return checked(text)


def checked(text: str) -> str:
    """Return text as it is.

    Raises:
        ScalarError: it is too long, or holds characters that have no place in text.
    """
    if len(text) > MAX_LENGTH:
        raise ScalarError(f"{len(text):,} characters are more than the {MAX_LENGTH:,} that one text may have")
    if not text.isprintable() and (found := UNWANTED.search(text)):
        raise ScalarError(f"the character U+{ord(found[0]):04X} has no place in text; remove it")
    return text


def tagged(tag: str, text: str, *, is_plain: bool) -> Any:
    """Return the value of a scalar with an explicit tag.

    Raises:
        ScalarError: the tag is not of YAML 1.2 core, or does not fit the scalar.
    """
    kind = tag.removeprefix(CORE)
    if kind in {"str", "!"}:
        return checked(text)
    fits = _FITS.get(kind) if tag.startswith(CORE) else None
    if fits is None:
        raise ScalarError(f"the tag {short_tag(tag)} is not known here; remove it")
    value = plain(text) if is_plain or kind != "null" else text
    if not fits(value):
        raise ScalarError(f"this is not what its tag {short_tag(tag)} says; remove the tag")
    return float(value) if kind == "float" else value


_FITS: Final[dict[str, Callable[[Any], bool]]] = {
    "null": lambda value: value is None,
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def short_tag(tag: str) -> str:
    """Return a tag as it is written."""
    return "!!" + tag.removeprefix(CORE)[:40] if tag.startswith(CORE) else tag[:40]


def _whole(text: str, base: int) -> int:
    if len(text) <= 24:  # the longest of all: octal
        value = int(text, base)
        if abs(value) < 10**MAX_DIGITS:
            return value
    raise ScalarError(f"a number of more than {MAX_DIGITS} digits cannot be kept exactly; quote it for text")


def _finite(text: str) -> float:
    value = float(text) if len(text) <= 400 else float("inf")
    if value in {float("inf"), float("-inf")}:
        raise ScalarError("this number is too large to be kept; write a smaller one, or quote it for text")
    return value
