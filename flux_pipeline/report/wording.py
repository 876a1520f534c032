"""How one prompt became another, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Literal

Fate = Literal["kept", "gone", "new"]
_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_SENTENCE = re.compile(r"[^.!?;\n]*[.!?;\n]+\s*|[^.!?;\n]+")
_MOST = 800  # words or sentences of both together: the effort grows with their product
_MOST_EFFORT = 2_000_000  # pairs of words, within sentences that were compared first
_AROUND = 120  # characters of what was kept, on either side of a change, where there is no room for all


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
    head = _shared(before, after)
    tail = _shared(before[head:][::-1], after[head:][::-1])
    gone, came = before[head : len(before) - tail], after[head : len(after) - tail]
    middle = _by_word if len(gone) + len(came) <= _MOST else _by_sentence
    start, end = (Piece("kept", "".join(words)) for words in (before[:head], before[len(before) - tail :]))
    return tuple(_joined(_merged([start, *middle(gone, came), end])))


def fitted(found: Iterable[Piece], most: int) -> tuple[Piece, ...]:
    """Return pieces with room for about so many characters: what was kept is cut first, and only around changes.

    A change is cut only where it is longer than that by itself, and then what differs in it is shown.
    """
    whole = [*found]
    if sum(len(piece.text) for piece in whole) <= most:
        return tuple(whole)
    last = len(whole) - 1
    short = [
        Piece("kept", _around(piece.text, first=at == 0, last=at == last)) if piece.fate == "kept" else piece
        for at, piece in enumerate(whole)
    ]
    for at, (one, other) in enumerate(pairwise(short)):
        if (one.fate, other.fate) == ("gone", "new") and max(len(one.text), len(other.text)) > most:
            gone, new = _differing(one.text, other.text, most)
            short[at], short[at + 1] = Piece("gone", gone), Piece("new", new)
    return tuple(Piece(piece.fate, _clipped(piece.text, most)) for piece in short)


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many items both begin with."""
    count = 0
    for mine, yours in zip(one, other, strict=False):
        if mine != yours:
            break
        count += 1
    return count


def _by_word(before: Sequence[str], after: Sequence[str]) -> Iterator[Piece]:
    for what, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            yield Piece("kept", "".join(before[a:b]))
        else:
            yield Piece("gone", "".join(before[a:b]))
            yield Piece("new", "".join(after[c:d]))


def _by_sentence(before: Sequence[str], after: Sequence[str]) -> Iterator[Piece]:
    """Compare sentences first, and words only within those that differ, for as long as that is quick."""
    old, new = _SENTENCE.findall("".join(before)), _SENTENCE.findall("".join(after))
    if len(old) + len(new) > _MOST:
        old, new = ["".join(old)], ["".join(new)]
    effort = 0
    for gone, came in _sentences(old, new):
        one, other = _WORD.findall(gone), _WORD.findall(came)
        effort += len(one) * len(other) if gone != came else 0
        if gone == came:
            yield Piece("kept", gone)
        elif len(one) + len(other) <= _MOST and effort <= _MOST_EFFORT:
            yield from _by_word(one, other)
        else:
            yield Piece("gone", gone)
            yield Piece("new", came)


def _sentences(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what stands in each other's place; as many sentences as were there before are taken one by one."""
    for _, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if b - a == d - c:
            yield from zip(old[a:b], new[c:d], strict=True)
        else:
            yield "".join(old[a:b]), "".join(new[c:d])


def _merged(found: Iterable[Piece]) -> list[tuple[Fate, str]]:
    """Return the pieces that have a text; neighbours of one fate are one."""
    told = (piece for piece in found if piece.text)
    return [(fate, "".join(piece.text for piece in group)) for fate, group in groupby(told, lambda piece: piece.fate)]


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
        yield Piece("kept", text)
    yield from _changed(gone, new)


def _changed(gone: str, new: str) -> Iterator[Piece]:
    if gone == new:
        yield from [Piece("kept", gone)] if gone else []
    else:
        yield from (piece for piece in (Piece("gone", gone), Piece("new", new)) if piece.text)


def _around(text: str, *, first: bool, last: bool) -> str:
    """Return what was kept, but for what is far from the changes beside it."""
    before, after = (0 if first else _AROUND), (0 if last else _AROUND)
    return text if len(text) <= before + after + 3 else _gap(text, before, after)


def _gap(text: str, before: int, after: int) -> str:
    """Return so many characters of a text's beginning and of its end."""
    return (f"{text[:before]} " if before else "") + "…" + (f" {text[-after:]}" if after else "")


def _differing(gone: str, new: str, most: int) -> tuple[str, str]:
    """Return the parts of two long texts that differ, with a little of what they share before and after."""
    head = max(_shared(gone, new) - _AROUND, 0)
    left = min(len(gone), len(new)) - head
    tail = max(min(_shared(gone[::-1], new[::-1]), left) - _AROUND, 0)
    start, end = ("… " if head else ""), (" …" if tail else "")
    one, other = (f"{start}{text[head : len(text) - tail]}{end}" for text in (gone, new))
    return _clipped(one, most), _clipped(other, most)


def _clipped(text: str, most: int) -> str:
    """Return the beginning and the end of a text that is longer than there is room for."""
    return text if len(text) <= most else _gap(text, most * 2 // 3, most // 3 - 3)
