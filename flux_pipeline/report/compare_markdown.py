"""A comparison as Markdown for a pull request.

Whatever comes from a manifest or a lockfile stands inside of `<code>`, where no forge makes mentions or pictures of it, and
each of its signs that Markdown or HTML could act on is written as a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flux_pipeline.comparison import Change, Dollars, Row, Version
from flux_pipeline.report.compare import (
    NOTHING,
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
    signed,
    title,
    unknown,
    value,
)
from flux_pipeline.report.forge import escaped, numbered
from flux_pipeline.report.wording import Piece

MOST = 60_000  # characters: a comment may have 65,536
_MOST_ROWS = 200  # of the table
_ROOM = 400  # for the last lines
_TEXT, _NAME = 1500, 200  # characters
_MARKS = {"kept": ("", ""), "gone": ("<del>", "</del>"), "new": ("<ins>", "</ins>")}


def markdown(report: Report) -> str:
    """Return the report, never longer than MOST characters: what does not fit is counted."""
    if not report.comparison.rows and not report.comparison.differs:
        return f"### Pictures, before and after\n\n{_code(report.old)} → {_code(report.new)}: {NOTHING}\n"
    total = report.comparison.total()
    rows = report.comparison.differing
    rehearsed = f" ({REHEARSED})" if report.simulated else ""
    head = [
        "### Pictures, before and after",
        "",
        f"{_code(report.old)} → {_code(report.new)}: **{counted(report.comparison)}**{rehearsed}",
        "",
        f"{costs(total)}.",
        "",
    ]
    for remark in report.remarks:
        head += [f"_Note: {_escaped(clean(remark))}._".replace("\n", " "), ""]
    if not rows:
        return "\n".join([*head, "Nothing differs.", ""])
    table = ["| cell | | before | after | difference | due |", "|---|---|--:|--:|--:|--:|"]
    table += [_row(row) for row in rows[:_MOST_ROWS]]
    if len(rows) > _MOST_ROWS:
        table.append(f"| … and {len(rows) - _MOST_ROWS} more | | | | | |")
    text = _within([*head, *table], MOST // 2) + "\n\n"
    told, room = 0, MOST - _ROOM - len(_code(report.command, None))
    for row in rows:
        block = "\n".join(_details(row, *report.looks.get(row.cell, (None, None)))) + "\n\n"
        if len(text) + len(block) > room:
            break
        text, told = text + block, told + 1
    more = len(rows) - told
    return text + (f"… and {more} more; {_code(report.command, None)} shows all of them.\n" if more else "")


def _within(lines: list[str], most: int) -> str:
    """Return as many whole lines as fit, and how many do not."""
    text = "\n".join(lines)
    if len(text) <= most:
        return text
    kept = 0
    length = 0
    for line in lines:
        length += len(line) + 1
        if length > most - _ROOM:
            break
        kept += 1
    left = len(lines) - kept
    return "\n".join([*lines[:kept], f"| … and {left} more | | | | | |"])


def _row(row: Row) -> str:
    due = amount(row.due) if row.due != Dollars() else ""
    money = f"{_spent(row.before, row.spent_before)} | {_spent(row.after, row.spent_after)} | {signed(row.difference)}"
    return f"| {_code(title(row))} | {kind(row)} | {money} | {due} |"


def _spent(version: Version | None, spent: Dollars) -> str:
    return "—" if version is None and spent == Dollars() else amount(spent)


def _details(row: Row, before: Look | None, after: Look | None) -> Iterator[str]:
    yield f"<details><summary>{kind(row)}: {_code(title(row))}</summary>"
    yield ""
    for note in notes(row):
        yield f"- {_code(note)}"
    if gap := unknown(row):
        yield f"- prompt {gap}" + (f": <code>{_cut(changed)}</code>" if (changed := shown(row, _TEXT)) else "")
    elif changed := shown(row, _TEXT):
        yield f"- prompt: <code>{_cut(changed)}</code>"
    elif words := prompt(row):
        yield f"- prompt: {_code(words, _TEXT)}"
    for name, (old, new) in row.parameters.items():
        yield f"- {_code(name)}: {_code(value(old))} → {_code(value(new))}"
    if row.change is Change.CHANGED and row.before and row.after:
        yield f"- key: {_code(row.before.key[:12])} → {_code(row.after.key[:12])}"
    yield ""
    if before or after:
        yield "| before | after |"
        yield "|---|---|"
        yield f"| {_picture(before, 'before', row.cell)} | {_picture(after, 'after', row.cell)} |"
        yield ""
    yield "</details>"


def _picture(look: Look | None, when: str, cell: str) -> str:
    if look is None:
        return "—"
    if not look.path:
        return _code(look.reason, _TEXT)
    return f"![{when}: {numbered(_line(cell))}]({look.address})<br>{_code(look.path)}"


def _cut(changed: Sequence[Piece]) -> str:
    """Write as many whole pieces as a comment has room for, and count the changes that it has none for."""
    kept: list[str] = []
    room = _TEXT * 6
    for at, piece in enumerate(changed):
        start, end = _MARKS[piece.fate]
        if piece.fate == "new" and at and changed[at - 1].fate == "gone":
            start = f"&#8201;{start}"  # a thin space: the two would be read as one word
        part = f"{start}{_escaped(clean(piece.text, None))}{end}"
        if len(part) > room and kept:
            left = sum(one.fate != "kept" for one in changed[at:])
            return "".join([*kept, f"… and {left} more change{'' if left == 1 else 's'}" if left else "…"])
        room -= len(part)
        kept.append(part)
    return "".join(kept)


def _code(text: str, most: int | None = _NAME) -> str:
    return f"<code>{_escaped(clean(text, most))}</code>"


def _line(text: str) -> str:
    return clean(text, _NAME).replace("\n", " ")


def _escaped(text: str) -> str:
    return escaped(text).replace("\n", "<br>")
