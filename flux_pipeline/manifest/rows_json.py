"""JSON and JSON Lines → rows: objects, each with its line. Strict: no name twice, no NaN, no number beyond 64 bits."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from flux_pipeline.manifest.complaints import show
from flux_pipeline.manifest.table import Reading, Table, row_fault
from flux_pipeline.manifest.yaml_scalars import MAX_DIGITS, MAX_LENGTH, UNWANTED

_DEPTH: Final = 64
_SPACE: Final = re.compile(r"[ \t\r\n]*")


class _Fault(ValueError):
    """Why a value cannot be read, in words that can be shown."""


def read_list(text: str, file: str) -> Table:
    """Return the rows of a JSON text, which is a list of objects."""
    reading = Reading(file, text.split("\n"))
    at = _past_space(text, 0)
    if text[at : at + 1] != "[":
        reading.wrong("the file is no list; it has to be a list of objects: [{…}, {…}]", 1, "syntax")
        return reading.table(typed=True)
    line, counted = 1, 0
    at = _past_space(text, at + 1)
    closed = text[at : at + 1] == "]"
    end = at + 1
    while not closed:
        line += text.count("\n", counted, at)
        counted = at
        try:
            row, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as fault:
            reading.wrong(*_said(fault, line))
            return reading.table(typed=True)  # nobody knows where the next row begins
        if not _taken(row, reading, line):
            return reading.table(typed=True)
        at = _past_space(text, at)
        mark = text[at : at + 1]
        if mark not in {",", "]"}:
            where = text.count("\n", 0, at) + 1
            reading.wrong("a comma or the closing ] is missing behind a row", where, "syntax")
            return reading.table(typed=True)
        closed, end = mark == "]", at + 1
        at = _past_space(text, end)
    if _past_space(text, end) != len(text):
        reading.wrong("something follows the list", text.count("\n", 0, _past_space(text, end)) + 1, "syntax")
    return reading.table(typed=True)


def read_lines(text: str, file: str) -> Table:
    """Return the rows of a JSON Lines text: an object a line; empty lines count for nothing."""
    lines = text.split("\n")
    reading = Reading(file, lines)
    for number, line in enumerate(lines, 1):
        written = line.strip(" \t\r")
        if not written:
            continue
        try:
            row = _DECODER.decode(written)
        except (ValueError, RecursionError) as fault:
            reading.wrong(_said(fault, number)[0], number, "syntax")
            continue
        if not _taken(row, reading, number):
            break
    return reading.table(typed=True)


def _taken(row: Any, reading: Reading, line: int) -> bool:
    """Take a row, or complain about it; return whether to go on."""
    fault = row_fault(row) or (_value_fault(row) if not _plain(row) else None)
    if fault is None:
        return reading.add(row, line)
    reading.wrong(f"the row {fault}", line)
    return True


def _plain(row: dict[str, Any]) -> bool:
    """Tell at a glance whether a row holds nothing that needs a closer look; most hold nothing."""
    return all(
        isinstance(value, int | float) or (isinstance(value, str) and len(value) < 256 and value.isprintable())
        for value in row.values()
    )


def _value_fault(value: Any) -> str | None:
    """Return what is wrong with a value, or with one somewhere inside it."""
    rest = [(value, 0)]
    while rest:
        inner, depth = rest.pop()
        if isinstance(inner, str):
            if len(inner) > MAX_LENGTH:
                return f"has a text of {len(inner):,} characters, more than the {MAX_LENGTH:,} allowed"
            if found := UNWANTED.search(inner):
                return f"has the character U+{ord(found[0]):04X} in a text; remove it"
        elif isinstance(inner, dict | list):
            if depth > _DEPTH:
                return f"has lists and objects that are nested more than {_DEPTH} deep"
            rest += [(part, depth + 1) for part in (inner.values() if isinstance(inner, dict) else inner)]
    return None


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _said(fault: Exception, line: int) -> tuple[str, int, str]:
    """Return what to say of a row that cannot be read, the line to name, and the code."""
    if isinstance(fault, _Fault):
        return str(fault), line, "syntax"
    if isinstance(fault, json.JSONDecodeError):
        return f"this is not JSON: {fault.msg} (column {fault.colno})", fault.lineno, "syntax"
    return "lists and objects are nested too deeply", line, "syntax"


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise _Fault(f"a number of more than {MAX_DIGITS} digits cannot be kept exactly; quote it for text")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Fault("a number is too large to be kept; quote it for text")
    return number


def _unknown(text: str) -> float:
    raise _Fault(f"{text} is not a number that JSON knows")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for number, name in enumerate(names) if name in names[:number])
        raise _Fault(f"{show(twin)} is written twice in one object")
    return made


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole, parse_float=_finite, parse_constant=_unknown
)
