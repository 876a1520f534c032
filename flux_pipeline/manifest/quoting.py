"""A line of a file as a terminal may show it, and carets that stand under the node that is meant.

All of it is for problems, which are rare, so it may look at the text again rather than have the reader remember more.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

_BEFORE: Final = 60  # characters of a long line that are shown before the place
_SHOWN: Final = 160  # and in all
_NEAR: Final = 1024  # as far from the place as brackets and keys are looked for
_FAR: Final = 16_384  # and the words of a template, and the end of a text
_LONG_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{23,}")
_INVISIBLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_PROPERTIES: Final = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t]+)+(?=\S)")
_ALIAS: Final = re.compile(r"\*[^\s,\[\]{}]+")
_BLOCK_HEADER: Final = re.compile(r"[|>]\S*")
_DOUBLE: Final = re.compile(r'"(?:[^"\\]|\\.)*"?')
_SINGLE: Final = re.compile(r"'(?:[^']|'')*'?")
_PLAIN_END: Final = re.compile(r"\s#|:(?:\s|$)")
_FLOW_END: Final = re.compile(r"\s#|:(?=[\s,\[\]{}]|$)|[,\[\]{}]")
_COMMENT: Final = re.compile(r"\s#")
_KEY: Final = re.compile(r" *(?:- +)*(?=[^\s:]+:)")


def quote(line: str, start: int, end: int) -> tuple[str, str]:
    """Return a line, cut around the characters from `start` to `end`, and the carets to put under it.

    Nothing in it can command a terminal, and whatever looks like an API key is masked.
    """
    low = max(0, start - _NEAR)
    part = line[low : start + _NEAR]
    cells = _cells(part)
    end = max(end, start + 1) - low
    start -= low
    first = min(len(part) - len(part.lstrip()), start)
    last = len(part.rstrip())
    if last - first > _SHOWN and start - first > _BEFORE:
        first = start - _BEFORE
    cut = min(last, first + _SHOWN)
    head = "…" if first + low and line[: first + low].strip() else ""
    before = head + "".join(cells[first:start])
    marked = "".join(cells[start : min(end, cut)])
    text = before + "".join(cells[start:cut]) + ("…" if line[cut + low :].strip() else "")
    return text, " " * width(before) + "^" * max(1, width(marked))


def _cells(text: str) -> list[str]:
    """Return what is shown for each character: itself, an escape, or nothing inside what is masked."""
    cells = [visible(character) for character in text] if _INVISIBLE.search(text) else list(text)
    for found in _LONG_WORD.finditer(text):
        if looks_secret(found[0]):
            cells[found.start()] = "[…]"
            cells[found.start() + 1 : found.end()] = [""] * (len(found[0]) - 1)
    return cells


def width(text: str) -> int:
    """Return how many columns of a terminal a text without control characters takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"} or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def visible(text: str) -> str:
    """Return the text with characters that a terminal would obey, or not show, written as escapes."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def looks_secret(word: str) -> bool:
    """Tell whether a word has the looks of an API key: long, unbroken, letters and digits well mixed."""
    letters = word.replace("-", "").replace("_", "")
    digits = sum(map(str.isdigit, letters))
    return len(letters) >= 24 and digits >= 4 and len(letters) - digits >= 4 and max(map(len, _words(word))) >= 12


def _words(word: str) -> list[str]:
    return re.split("[-_]", word)


def redact(text: str) -> str:
    """Return the text without anything that looks like an API key."""

    def masked(found: re.Match[str]) -> str:
        return "[…]" if looks_secret(found[0]) else found[0]

    return _LONG_WORD.sub(masked, text) if len(text) >= 24 else text


def is_flow(line: str, start: int) -> bool:
    """Tell whether the list or mapping that begins here is written with brackets."""
    return line[_after_properties(line, start) :][:1] in {"[", "{"}


def node_end(line: str, start: int, *, flow: bool, whole: bool = False) -> int:
    """Return where the node that begins at `start` ends on its line.

    `flow` tells that it stands inside brackets; `whole` that it is a list or mapping, which without brackets of its own
    goes on to the end of the line.
    """
    line = line[: start + _FAR]
    begin = _after_properties(line, start)
    opener = line[begin : begin + 1]
    for pattern, first in ((_DOUBLE, '"'), (_SINGLE, "'"), (_ALIAS, "*")):
        if opener == first and (found := pattern.match(line, begin)) and not whole:
            return found.end()
    if opener in {"[", "{"}:
        return _closing(line, begin)
    if opener in {"|", ">"} and not flow and (found := _BLOCK_HEADER.match(line, begin)):
        return found.end()
    ends = _COMMENT if whole else _FLOW_END if flow else _PLAIN_END
    found = ends.search(line, begin)
    return len(line[: found.start() if found else len(line)].rstrip())


def _after_properties(line: str, start: int) -> int:
    found = _PROPERTIES.match(line, start, start + _NEAR)
    return found.end() if found else start


def _closing(line: str, start: int) -> int:
    """Return the place after the bracket that closes the one at `start`, or the end of the line's text."""
    line = line[: start + _NEAR]
    depth, index = 0, start
    while index < len(line):
        character = line[index]
        if character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
            if depth == 0:
                return index + 1
        elif character in "\"'" and line[index - 1] in " \t,:[{":
            quoted = (_DOUBLE if character == '"' else _SINGLE).match(line, index)
            index = quoted.end() - 1 if quoted else index
        index += 1
    found = _COMMENT.search(line, start)
    return len(line[: found.start() if found else len(line)].rstrip())


def find_in_template(lines: list[str], line: int, start: int, end: int, word: str) -> tuple[int, int, int] | None:
    """Return line (from 1), start and end of a word of a template that begins at a line and character.

    A template of several lines goes on for as long as lines are indented deeper than the one that it begins on.
    """
    exact = re.compile(rf"(?<![\w.]){re.escape(word)}(?!\w)" if word.isidentifier() else re.escape(word))
    loose = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
    for number, text, low, high in _template_lines(lines, line, start, end):
        for place in re.finditer(r"\{[{%].*?(?:[%}]\}|$)", text[:high]):
            if place.end() > low:
                found = exact.search(text, max(low, place.start()), place.end())
                found = found or loose.search(text, max(low, place.start()), place.end())
                if found:
                    return number, found.start(), found.end()
    return None


def _template_lines(lines: list[str], line: int, start: int, end: int) -> Iterator[tuple[int, str, int, int]]:
    first = lines[line - 1][: start + _FAR]
    yield line, first, start, min(end, len(first))
    if end < len(lines[line - 1].rstrip()):
        return  # it ends on its line
    key = _KEY.match(first)
    indent = key.end() if key else len(first) - len(first.lstrip())
    for number in range(line + 1, min(line + 400, len(lines) + 1)):
        text = lines[number - 1][:_FAR]
        if text.strip():
            if len(text) - len(text.lstrip()) <= indent:
                return
            yield number, text, 0, len(text)
