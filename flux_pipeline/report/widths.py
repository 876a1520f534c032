"""How wide text is on a terminal, and how it is made to fit: columns, not characters, are what runs out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

_ELLIPSIS = "…"
_UNSEEN = ("Mn", "Me", "Cf")


def width(text: str) -> int:
    """Return how many columns a text takes: two for a wide character, none for what joins the one before it."""
    return len(text) if text.isascii() else sum(map(_width, text))


def clamp(text: str, most: int) -> str:
    """Return a text in at most so many columns; what is too much goes out of its middle."""
    if width(text) <= most:
        return text
    if most <= 0:
        return ""
    head = _cut(text, most - 1 - (most - 1) // 2)
    tail = _cut(text[::-1], (most - 1) // 2)[::-1]
    return f"{head}{_ELLIPSIS}{tail}"


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """Return a text with spaces up to so many columns, before it where it stands `right`."""
    space = " " * (columns - width(text))
    return space + text if right else text + space


def wrapped(text: str, columns: int, *, hanging: int = 0, whole: bool = False) -> Iterator[str]:
    """Yield lines of at most so many columns, broken at spaces where there are any.

    All but the first begin with `hanging` spaces. A longer word is broken too, or stands `whole` on a line of its own: a
    terminal folds it, and it can be copied.
    """
    columns = max(columns, hanging + 1)
    line = indent = ""
    for word in text.split() if whole else _words(text, columns - hanging):
        longer = f"{line} {word}" if line.strip() else f"{indent}{word}"
        if line and width(longer) > columns:
            yield line
            indent = " " * hanging
            longer = indent + word
        line = longer
    if line:
        yield line


def _words(text: str, columns: int) -> Iterable[str]:
    for word in text.split():
        left = word
        while width(left) > columns:
            head = _cut(left, columns) or left[0]
            yield head
            left = left[len(head) :]
        if left:
            yield left


def _cut(text: str, most: int) -> str:
    used = 0
    for index, character in enumerate(text):
        used += _width(character)
        if used > most:
            return text[:index]
    return text


def _width(character: str) -> int:
    if unicodedata.category(character) in _UNSEEN:
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
