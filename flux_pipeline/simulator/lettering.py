"""Text that fits: wrapped, shrunk and shortened, in Pillow's bundled font."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import ImageFont

if TYPE_CHECKING:
    Face = ImageFont.FreeTypeFont | ImageFont.ImageFont

_LONGEST = 600
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—−"), "-") | {ord("×"): "x", ord("ß"): "ss"}


@lru_cache(maxsize=64)
def font(size: int) -> Face:
    return ImageFont.load_default(size=size)


def fitted(text: str, width: int, *, size: int, most: int) -> tuple[list[str], Face]:
    """Wrap `text` into at most `most` lines of `width` pixels, shrinking the font a little before cutting words off."""
    clean = _printable(text)
    for smaller in (size, int(size * 0.86), int(size * 0.74)):
        face = font(max(7, smaller))
        lines = _wrapped(clean, face, width)
        if len(lines) <= most:
            return lines, face
    face = font(max(7, int(size * 0.74)))
    lines = _wrapped(clean, face, width)
    return [*lines[: most - 1], shortened(lines[most - 1] + " …", face, width)], face


def shortened(text: str, face: Face, width: int) -> str:
    """Cut `text` to `width` pixels, marking the cut with an ellipsis."""
    if face.getlength(text) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if face.getlength(text[:middle] + "…") <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def _printable(text: str) -> str:
    """Reduce a text to what the font has: no accents, plain dashes, one space for any white or control character."""
    plain = unicodedata.normalize("NFKD", text[: _LONGEST * 2].translate(_DASHES))
    shown = "".join(
        character if character.isprintable() else " " for character in plain if not unicodedata.combining(character)
    )
    words = " ".join(shown.split())
    return words if len(words) <= _LONGEST else words[:_LONGEST].rstrip() + "…"


def _wrapped(text: str, face: Face, width: int) -> list[str]:
    """Fill lines word by word; widths of words are added up, since measuring whole lines again and again is slow."""
    space = face.getlength(" ")
    lines: list[list[str]] = [[]]
    used = 0.0
    for word in text.split(" "):
        length = face.getlength(word)
        if lines[-1] and used + space + length > width:
            lines.append([])
            used = 0.0
        used += length + (space if lines[-1] else 0)
        lines[-1].append(shortened(word, face, width))
    return [" ".join(line) for line in lines]
