"""How one prompt became another, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

Fate = Literal["kept", "gone", "new"]
_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_WORDS = 800  # of both together: the effort grows with their product


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words, and whether they were kept, are gone or are new."""

    fate: Fate
    text: str


@lru_cache(maxsize=4096)  # the cells of an entry often change by the same words
def pieces(old: str, new: str) -> tuple[Piece, ...]:
    """Return the words of both: those that are not new make the old text, those that are not gone the new one."""
    if old == new:
        return (Piece("kept", old),) if old else ()
    before, after = _WORD.findall(old), _WORD.findall(new)
    if len(before) + len(after) > _MOST_WORDS:
        return tuple(_joined([("gone", old), ("new", new)]))
    found: list[tuple[Fate, str]] = []
    for what, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            found.append(("kept", "".join(before[a:b])))
        else:
            found += [("gone", "".join(before[a:b])), ("new", "".join(after[c:d]))]
    return tuple(_joined(found))


def _joined(found: list[tuple[Fate, str]]) -> Iterator[Piece]:
    """Yield the pieces; a space between two changes belongs to both, so that phrases change and not each word."""
    lone = [
        fate == "kept" and text.isspace() and 0 < index < len(found) - 1 for index, (fate, text) in enumerate(found)
    ]
    gone = new = ""
    for (fate, text), between in zip(found, lone, strict=True):
        if between or fate != "kept":
            gone += text if fate != "new" else ""
            new += text if fate != "gone" else ""
            continue
        yield from _changed(gone, new)
        gone = new = ""
        if text:
            yield Piece("kept", text)
    yield from _changed(gone, new)


def _changed(gone: str, new: str) -> Iterator[Piece]:
    if gone == new:
        yield from [Piece("kept", gone)] if gone else []
    else:
        yield from (piece for piece in (Piece("gone", gone), Piece("new", new)) if piece.text)
