"""Filters for templates that cannot be made to hang or to fill the memory, whatever their arguments are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any, Final

MAX_TEXT: Final = 65_536  # characters that a template may make

_NOT_WORD: Final = re.compile(r"[\W_]+")


class TemplateFault(ValueError):
    """Why a template cannot be used, in words that can be shown; `word` is the part of it that is to blame, if known."""

    def __init__(self, message: str, word: str = "") -> None:
        super().__init__(message)
        self.word = word


def text_of(value: Any) -> str:
    """Return plain data as the text that stands for it in ids, paths and prompts.

    Raises:
        TemplateFault: it is a list, a mapping or nothing, which have no such text.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    kind = "a list" if isinstance(value, list | tuple) else "a mapping" if isinstance(value, dict) else "empty"
    raise TemplateFault(
        f"a value is {kind}, and only text, numbers, true and false can be written; name one part of it"
    )


def slug(value: Any) -> str:
    """Return lower-case letters, digits and hyphens, for file names: `Crème Brûlée №5` → `creme-brulee-no5`."""
    text = text_of(value)
    if text.isascii():
        return _NOT_WORD.sub("-", text.lower()).strip("-")
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return _NOT_WORD.sub("-", bare).strip("-")


def replace(value: Any, old: Any, new: Any) -> str:
    text, before, after = text_of(value), text_of(old), text_of(new)
    if not before:
        raise TemplateFault("replace needs a text to look for")
    _bounded(len(text) + text.count(before) * (len(after) - len(before)))
    return text.replace(before, after)


def join(value: Any, separator: Any = "") -> str:
    if not isinstance(value, Iterable) or isinstance(value, str):
        raise TemplateFault("join needs a list")
    parts, between = [text_of(part) for part in value], text_of(separator)
    _bounded(sum(map(len, parts)) + len(parts) * len(between))
    return between.join(parts)


def rounded(value: Any, digits: Any = 0) -> float | int:
    if not isinstance(value, int | float) or not isinstance(digits, int) or not 0 <= digits <= 15:
        raise TemplateFault("round needs a number, and 0 to 15 digits")
    return round(value, digits) if digits else round(value)


def truncate(value: Any, length: Any = 255) -> str:
    if not isinstance(length, int) or length < 0:
        raise TemplateFault("truncate needs a length")
    return text_of(value)[:length]


def _bounded(length: int) -> None:
    if length > MAX_TEXT:
        raise TemplateFault(f"the text would have {length:,} characters, more than the {MAX_TEXT:,} allowed")
