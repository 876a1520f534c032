"""A comparison as one HTML page that opens from disk: nothing is loaded from outside, and no script is needed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from flux_pipeline.comparison import Row
from flux_pipeline.report.compare import (
    NOTHING,
    REHEARSED,
    Look,
    Report,
    amount,
    clean,
    counted,
    kind,
    notes,
    prompt,
    shown,
    signed,
    spending,
    title,
    unknown,
    value,
)
from flux_pipeline.report.compare_style import STYLE
from flux_pipeline.report.markup import escaped

MARK = "<!doctype html><!-- flux-pipeline compare -->"  # by which a page is known that may be written anew
_MOST = 20_000  # characters of one text
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src data:; base-uri 'none'; form-action 'none'"
_AMISS = ("failed", "cancelled", "doubtful")  # states that are more than not to be there yet
_NARROW = 480  # pixels: a caption below less of a picture has a line of its own width
_TAGS = {"kept": ("", ""), "gone": ("<del>", "</del>"), "new": ("<ins>", "</ins>")}


def page(report: Report) -> Iterator[str]:
    """Yield the page, piece by piece."""
    rehearsed = f' <span class="kind">{REHEARSED}</span>' if report.simulated else ""
    yield (
        f'{MARK}\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="referrer" content="no-referrer">'
        f"<title>Before and after: {_text(report.new)}</title><style>{STYLE}</style></head><body><main>\n"
        f'<h1>Before and after</h1><p class="names">{_code(report.old)}<span class="arrow"> → </span>{_code(report.new)}'
        f"{rehearsed}</p>\n"
    )
    yield from (f'<p class="remark">Note: {_text(one)}.</p>\n' for one in report.remarks)
    if report.comparison.rows or report.comparison.differs:
        yield from _body(report)
    else:
        yield f'<p class="empty">{NOTHING}</p>\n'
    yield "</main></body></html>\n"


def _body(report: Report) -> Iterator[str]:
    total, rows = report.comparison.total(), report.comparison.differing
    yield f'<p class="counts">{_text(counted(report.comparison))}</p>\n<dl class="costs">'
    for name, said in (
        ("before", amount(total.spent_before)),
        ("after", amount(total.spent_after)),
        ("difference", signed(total.difference)),
        ("paid in between", amount(total.paid)),
        ("may still be due", amount(total.due)),
    ):
        yield f"<div><dt>{name}</dt><dd>{_text(said)}</dd></div>"
    yield "</dl>\n"
    for at, row in enumerate(rows):
        yield "".join(_article(row, at, *report.looks.get(row.cell, (None, None))))
    if not rows:
        yield '<p class="empty">Nothing differs: the same cells, the same requests, the same pictures.</p>\n'


def _article(row: Row, at: int, before: Look | None, after: Look | None) -> Iterator[str]:
    yield (
        f'<article><header><span class="kind {row.change}">{kind(row)}</span><h2>{_code(title(row))}</h2>'
        f'<span class="money">{_text(spending(row))}</span></header>'
    )
    yield from (f'<p class="note">{_text(note)}</p>' for note in notes(row))
    yield _prompt(row)
    changes = [(name, value(old), value(new)) for name, (old, new) in row.parameters.items()]
    if unknown(row) and row.before and row.after:
        changes.append(("key", row.before.key[:12], row.after.key[:12]))
    if changes:
        lines = "".join(
            f'<tr><th scope="row">{_text(name)}</th><td><del>{_text(old)}</del></td><td><ins>{_text(new)}</ins></td></tr>'
            for name, old, new in changes
        )
        yield f"<table>{lines}</table>"
    sides = ((before, "before", row.before), (after, "after", row.after))
    figures = "".join(_figure(look, when, row.cell, side.state if side else "") for look, when, side in sides if look)
    if figures:
        wide = any(look.width >= _NARROW for look in (before, after) if look)
        yield f'<div class="pair{"" if wide else " narrow"}">{figures}</div>'
    if before and after and before.source and after.source:
        yield _views(at, row.cell)
    yield "</article>\n"


def _views(at: int, cell: str) -> str:
    """Return the choice of how two pictures are seen: buttons that a keyboard reaches, and that need no script."""
    choices = "".join(
        f'<label><input type="radio" name="view-{at}"{marks}>{words}</label>'
        for marks, words in (
            (" checked", "side by side"),
            (' class="one before"', "before"),
            (' class="one half"', "half and half"),
            (' class="one after"', "after"),
        )
    )
    return f'<fieldset class="view" aria-label="view of {_text(cell)}"><legend>View</legend>{choices}</fieldset>'


def _prompt(row: Row) -> str:
    changed = shown(row, _MOST)
    words = "".join(f"{_TAGS[piece.fate][0]}{_text(piece.text, 2 * _MOST)}{_TAGS[piece.fate][1]}" for piece in changed)
    if gap := unknown(row):
        return f'<p class="prompt"><span class="quiet">prompt {gap}</span> {words}</p>'
    if words:
        return f'<p class="prompt">{words}</p>'
    return f'<p class="prompt quiet">{_text(same)}</p>' if (same := prompt(row)) else ""


def _figure(look: Look, when: str, cell: str, state: str) -> str:
    where = f": {_code(look.path)}" if look.path else f": {_text(look.reason)}" if look.source and look.reason else ""
    if look.source:
        image = (
            f'<img src="{_text(look.source, None)}" width="{look.width}" height="{look.height}" decoding="async" '
            f'alt="{when}: {_text(cell)}">'
        )
    else:
        marked, badge = (f" {state}", f'<b class="badge">{state}</b>') if state in _AMISS else ("", "")
        reason = _text(look.reason or "too many pictures to show them all: open the file")
        image = f'<span class="none{marked}">{badge}<span>{reason}</span></span>'
    if look.address:
        image = f'<a class="frame" href="{_text(look.address, None)}">{image}</a>'
    elif look.source:
        image = f'<span class="frame">{image}</span>'
    return f"<figure>{image}<figcaption><b>{when}</b>{where}</figcaption></figure>"


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _text(text: str, most: int | None = _MOST) -> str:
    return escaped(text if most is None else clean(text, most))
