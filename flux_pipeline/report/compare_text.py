"""A comparison in lines for a terminal, and for programs that read lines: then nothing is wrapped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from flux_pipeline.comparison import Change, Dollars, Row
from flux_pipeline.report.compare import (
    MOST,
    REHEARSED,
    Look,
    Report,
    amount,
    clean,
    costs,
    counted,
    kind,
    notes,
    prompt,
    shown,
    title,
    unknown,
    value,
)
from flux_pipeline.report.table import Paint, unpainted
from flux_pipeline.report.widths import width
from flux_pipeline.report.wording import Piece

_Run = tuple[str, str]  # a role, empty for none, and a text
_ROLES: Final = {"gone": "failed", "new": "saved", "added": "saved", "removed": "failed", "changed": "pending"}
_SPACE: Final = re.compile(r"(\s+)")


def text(report: Report, columns: int | None = None, paint: Paint = unpainted) -> Iterator[str]:
    """Yield a block of lines for each cell that differs, then the counts and the dollars; None columns is no limit."""
    for head, *runs in _said(report):
        yield from _flowed(head, runs, columns, paint)


def _said(report: Report) -> Iterator[tuple[_Run, ...]]:
    """Yield what is said, line by line: under the first run of each stands whatever does not fit beside it."""
    yield ("failed", "--- "), ("", _line(report.old))
    yield ("saved", "+++ "), ("", _line(report.new))
    for row in report.comparison.differing:
        yield from _row(row, *report.looks.get(row.cell, (None, None)))
    if report.simulated:
        yield ("", "note: "), ("", REHEARSED)
    yield from ((("", "note: "), ("", _line(remark))) for remark in report.remarks)
    yield ("", ""), ("", counted(report.comparison))
    yield ("", ""), ("", costs(report.comparison.total()))


def _row(row: Row, before: Look | None, after: Look | None) -> Iterator[tuple[_Run, ...]]:
    due = f", {amount(row.due)} due" if row.due != Dollars() else ""
    money = f"  {amount(row.spent_before)} → {amount(row.spent_after)}{due}"
    yield (_ROLES.get(kind(row), ""), f"{kind(row):<8} "), ("", _line(title(row))), ("", money)
    yield from (_named("note", ("", _line(note))) for note in notes(row))
    changed, gap = [*map(_marked, shown(row, MOST))], unknown(row)
    if changed or gap:
        yield _named("prompt", *([("", f"({gap})" + (" " if changed else ""))] if gap else []), *changed)
    elif row.change is not Change.SAME and (words := prompt(row)):
        yield _named("prompt", ("", _line(words)))
    for name, (old, new) in row.parameters.items():
        yield _named(_line(name), ("failed", _line(value(old))), ("", " → "), ("saved", _line(value(new))))
    if gap and row.before and row.after:
        yield _named("key", ("", f"{row.before.key[:12]} → {row.after.key[:12]}"))
    for word, look in zip(("before", "after"), (before, after), strict=True):
        if look:
            yield _named(word, ("", _line(look.path) or _line(look.reason)))


def _named(name: str, *runs: _Run) -> tuple[_Run, ...]:
    return (("dim", f"  {name:<8} "), *runs)


def _marked(piece: Piece) -> _Run:
    if piece.fate == "kept":
        return "", _line(piece.text, None)
    text = piece.text.replace("\n", "")  # a sign stands for it
    return _ROLES[piece.fate], f"[-{text}-]" if piece.fate == "gone" else f"{{+{text}+}}"


def _flowed(head: _Run, runs: Iterable[_Run], columns: int | None, paint: Paint) -> Iterator[str]:
    """Yield a line, or as many as it takes: broken at spaces alone, so that a path or an id can be copied."""
    runs = [*runs]
    start = paint(*head) if head[0] else head[1]
    if columns is None or width(head[1]) + sum(width(text) for _, text in runs) <= columns:
        yield start + _painted(runs, paint)
        return
    indent = min(width(head[1]), 11)
    line, used = start, 0
    room = columns - width(head[1])
    for word in _words(runs):
        wide = sum(width(text) for _, text in word)
        if used and used + 1 + wide > room:
            yield line.rstrip()
            line, used, room = " " * indent, 0, columns - indent
        line += (" " if used else "") + _painted(word, paint)
        used += wide + (1 if used else 0)
    yield line.rstrip()


def _words(runs: Iterable[_Run]) -> Iterator[list[_Run]]:
    """Yield what stands between spaces; it may have several roles."""
    word: list[_Run] = []
    for role, text in runs:
        for part in _SPACE.split(text):
            if part.isspace():
                yield from [word] if word else []
                word = []
            elif part:
                word.append((role, part))
    yield from [word] if word else []


def _painted(runs: Iterable[_Run], paint: Paint) -> str:
    return "".join(paint(role, text) if role else text for role, text in runs)


def _line(text: str, most: int | None = MOST) -> str:
    return clean(text, most).replace("\n", " ")
