"""Tables for people: one column of names, then numbers; and the same as CSV for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from flux_pipeline.report.controls import plain
from flux_pipeline.report.widths import clamp, padded, width

Paint = Callable[[str, str], str]  # a role such as `failed` or `dim`, and the text; returns the text to print

_LEAST_NAME = 8
_GAP = 2
_ACTIVE_IN_A_SHEET = ("=", "+", "-", "@")


def unpainted(_role: str, text: str) -> str:
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of a name and numbers under a head; `total` is shown under them where there is more than one.

    `optional` are the columns that are left out where all of their numbers are 0, and `roles` the heads whose numbers
    are painted where they are not.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()


def lines(table: Table, columns: int | None = None, paint: Paint = unpainted) -> Iterator[str]:
    """Yield the table, in so many columns; None is no limit.

    Where they are too few, names lose their middle, then the gaps shrink, then numbers that are 0 everywhere go. Where that
    does not help, each row is told in words.
    """
    shown = [*table.rows, table.total] if table.total and len(table.rows) != 1 else [*table.rows]
    kept = [n for n, head in enumerate(table.head) if head not in table.optional or _counts(shown, n)]
    gap = _GAP
    if columns is not None:
        if _needed(table, shown, kept, gap) > columns:
            gap = 1
        if _needed(table, shown, kept, gap) > columns:
            kept = [n for n in kept if n == 0 or _counts(shown, n)]
        if _needed(table, shown, kept, gap) > columns:
            for row in shown:
                yield from _told(table, row, columns, paint)
            return
    widths = {n: max(width(row[n]) for row in (table.head, *shown)) for n in kept}
    if columns is not None:
        rest = sum(widths[n] + gap for n in kept if n)
        widths[0] = min(widths[0], max(columns - rest, _LEAST_NAME))
    for number, row in enumerate((table.head, *shown)):
        cells = [padded(clamp(row[0], widths[0]), widths[0])]
        for n in kept[1:]:
            role = (
                "dim" if number == 0 or row[n] in ("0", "") else table.head[n] if table.head[n] in table.roles else ""
            )
            text = padded(row[n], widths[n], right=True)
            cells.append(paint(role, text) if role else text)
        if number == 0:
            cells[0] = paint("dim", cells[0])
        yield (" " * gap).join(cells).rstrip()


def _told(table: Table, row: Sequence[str], columns: int, paint: Paint) -> Iterator[str]:
    """Yield a row as its name and, under it, the numbers that are not 0, each after its head."""
    yield clamp(row[0], columns)
    line, used = "", 0
    for head, number in zip(table.head[1:], row[1:], strict=True):
        if number in ("0", ""):
            continue
        words = f"{head} {number}"
        if used and used + len(", ") + width(words) + len(",") > columns:
            yield f"{line},"
            line, used = "", 0
        start = ", " if used else "  "
        line += start + (paint(head, words) if head in table.roles else words)
        used += len(start) + width(words)
    if used:
        yield line


def _needed(table: Table, shown: Sequence[Sequence[str]], kept: Sequence[int], gap: int) -> int:
    numbers = sum(max(width(row[n]) for row in (table.head, *shown)) + gap for n in kept if n)
    return numbers + min(max(width(row[0]) for row in (table.head, *shown)), _LEAST_NAME)


def _counts(rows: Sequence[Sequence[str]], column: int) -> bool:
    return any(row[column] not in ("0", "") for row in rows)


def as_csv(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as CSV; a text that a spreadsheet would take for a formula is quoted with an apostrophe."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(map(_harmless, row) for row in rows)
    return file.getvalue()


def _harmless(cell: str) -> str:
    cell = plain(cell)
    return f"'{cell}" if cell.lstrip().startswith(_ACTIVE_IN_A_SHEET) else cell
