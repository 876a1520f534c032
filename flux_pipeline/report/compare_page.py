"""A comparison as one HTML page that opens from disk: nothing is loaded from outside, and no script is needed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from flux_pipeline.comparison import Change, Dollars, Row, Version
from flux_pipeline.report.compare import (
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
from flux_pipeline.report.markup import escaped

MARK = "<!doctype html><!-- flux-pipeline compare -->"  # by which a page is known that may be written anew
_STYLE = """
:root{color-scheme:light dark;--ground:#fbfaf8;--card:#fff;--ink:#1d1b18;--quiet:#5d574e;--line:#d9d3c9;
--gone:#9c1c1c;--gone-ground:#fbe4e1;--new:#0f5c33;--new-ground:#dcf3e4;--accent:#7a4a00}
@media(prefers-color-scheme:dark){:root{--ground:#171614;--card:#211f1c;--ink:#f0ece5;--quiet:#b4ab9e;--line:#3c3832;
--gone:#ffb3a9;--gone-ground:#4a1d19;--new:#9fe3b8;--new-ground:#173a26;--accent:#f0bd6a}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1.5rem 1rem 4rem;background:var(--ground);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.2;margin:0 0 .5rem}h2{font-size:1.05rem;margin:0;font-weight:600}
code{font:.9em/1.5 ui-monospace,monospace}p{margin:.25rem 0}.quiet{color:var(--quiet)}
.remark{border-left:3px solid var(--accent);padding-left:.8rem}
.counts{font-size:1.15rem}
.costs{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:.5rem;margin:1rem 0 2rem;padding:0}
.costs div{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}
.costs dt{color:var(--quiet);font-size:.85rem}.costs dd{margin:0;font-size:1.15rem;font-variant-numeric:tabular-nums}
article{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1rem;margin:0 0 1.25rem}
header{display:flex;flex-wrap:wrap;gap:.25rem .75rem;align-items:baseline;margin-bottom:.6rem}
.kind{font-size:.8rem;padding:.1rem .55rem;border-radius:1rem;border:1px solid currentColor;white-space:nowrap}
.kind.added{color:var(--new)}.kind.removed{color:var(--gone)}.kind.changed,.kind.same{color:var(--accent)}
.money{margin-left:auto;color:var(--quiet);font-variant-numeric:tabular-nums}
.prompt{white-space:pre-wrap;border-left:3px solid var(--line);padding-left:.8rem;margin:.6rem 0}
del{color:var(--gone);background:var(--gone-ground);text-decoration-thickness:1px}
ins{color:var(--new);background:var(--new-ground);text-decoration:none;border-bottom:1px solid}
table{border-collapse:collapse;margin:.6rem 0;font-size:.92rem}
th,td{text-align:left;padding:.2rem .9rem .2rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:400;color:var(--quiet)}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:.75rem;margin-top:.6rem}
figure{margin:0;min-width:0}figcaption{color:var(--quiet);font-size:.85rem;margin-top:.25rem}
.frame{display:block;background:var(--ground);border:1px solid var(--line);border-radius:.4rem;overflow:hidden}
.frame img{display:block;width:100%;height:auto}
.none{display:grid;place-items:center;min-height:8rem;padding:1rem;text-align:center;color:var(--quiet);
border:1px dashed var(--quiet);border-radius:.4rem}
.over{display:inline-flex;gap:.5rem;align-items:center;margin-top:.6rem;font-size:.92rem;cursor:pointer}
.over input{width:1.1rem;height:1.1rem;accent-color:var(--accent)}
article:has(.over input:checked) .pair{display:block;position:relative;max-width:40rem}
article:has(.over input:checked) .pair figcaption{display:none}
article:has(.over input:checked) .pair figure:first-child{position:absolute;inset:0 auto 0 0;width:50%;max-width:100%;
overflow:hidden;resize:horizontal;border-right:3px solid var(--accent);z-index:1;container-type:size}
article:has(.over input:checked) .pair figure:first-child .frame{width:max-content;border-radius:0;border-width:1px 0}
article:has(.over input:checked) .pair figure:first-child img{width:auto;height:100cqh;max-width:none}
a{color:inherit}:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.empty{padding:3rem 1rem;text-align:center;color:var(--quiet);border:1px dashed var(--line);border-radius:.75rem}
@media(max-width:34rem){body{padding:1rem .75rem 3rem}.pair{gap:.4rem}.money{margin-left:0;width:100%}article{padding:.75rem}}
@media print{article{break-inside:avoid}.over{display:none}}
"""
_MOST = 20_000  # characters of one text
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src data:; base-uri 'none'; form-action 'none'"
_TAGS = {"kept": ("", ""), "gone": ("<del>", "</del>"), "new": ("<ins>", "</ins>")}


def page(report: Report) -> Iterator[str]:
    """Yield the page, piece by piece."""
    total = report.comparison.total()
    rehearsed = ' <span class="kind same">a rehearsal: nothing was paid</span>' if report.simulated else ""
    yield (
        f'{MARK}\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="referrer" content="no-referrer">'
        f"<title>Before and after: {_text(report.new)}</title><style>{_STYLE}</style></head><body>\n"
        f"<h1>Before and after</h1><p>{_code(report.old)} → {_code(report.new)}{rehearsed}</p>"
        f'<p class="counts">{_text(counted(report.comparison))}</p>\n'
    )
    yield f'<dl class="costs" title="{_text(costs(total))}">'
    for name, said in (
        ("before", amount(total.spent_before)),
        ("after", amount(total.spent_after)),
        ("difference", signed(total.difference)),
        ("paid in between", amount(total.paid)),
        ("may still be due", amount(total.due)),
    ):
        yield f"<div><dt>{name}</dt><dd>{_text(said)}</dd></div>"
    yield "</dl>\n"
    yield from (f'<p class="remark">{_text(one[0].upper() + one[1:])}.</p>\n' for one in report.remarks)
    yield "<main>\n"
    rows = report.comparison.differing
    for row in rows:
        yield "".join(_article(row, *report.looks.get(row.cell, (None, None))))
    if not rows:
        yield '<p class="empty">Nothing differs: the same cells, the same requests, the same pictures.</p>'
    yield "</main></body></html>\n"


def _article(row: Row, before: Look | None, after: Look | None) -> Iterator[str]:
    due = f", {amount(row.due)} due" if row.due != Dollars() else ""
    money = (
        f"{_spent(row.before, row.spent_before)} → {_spent(row.after, row.spent_after)} ({signed(row.difference)}{due})"
    )
    yield (
        f'<article><header><span class="kind {row.change}">{kind(row)}</span><h2>{_code(title(row))}</h2>'
        f'<span class="money">{_text(money)}</span></header>'
    )
    yield from (f"<p>{_text(note)}</p>" for note in notes(row))
    yield _prompt(row)
    changes = [(name, value(old), value(new)) for name, (old, new) in row.parameters.items()]
    if row.change is Change.CHANGED and row.before and row.after:
        changes.append(("key", row.before.key[:12], row.after.key[:12]))
    if changes:
        lines = "".join(
            f'<tr><th scope="row">{_text(name)}</th><td><del>{_text(old)}</del></td><td><ins>{_text(new)}</ins></td></tr>'
            for name, old, new in changes
        )
        yield f"<table>{lines}</table>"
    if before or after:
        yield f'<div class="pair">{_figure(before, "before", row.cell)}{_figure(after, "after", row.cell)}</div>'
    if before and after and before.source and after.source:
        yield '<label class="over"><input type="checkbox">one over the other: drag the corner of the divider</label>'
    yield "</article>\n"


def _prompt(row: Row) -> str:
    changed = shown(row, _MOST)
    words = "".join(f"{_TAGS[piece.fate][0]}{_text(piece.text, 2 * _MOST)}{_TAGS[piece.fate][1]}" for piece in changed)
    if gap := unknown(row):
        return f'<p class="prompt"><span class="quiet">prompt {gap}</span> {words}</p>'
    if words:
        return f'<p class="prompt">{words}</p>'
    return f'<p class="prompt quiet">{_text(same)}</p>' if (same := prompt(row)) else ""


def _figure(look: Look | None, when: str, cell: str) -> str:
    if look is None:
        return f'<figure><div class="none">no such cell {when}</div></figure>'
    where = f": {_code(look.path)}" if look.path else f": {_text(look.reason)}" if look.source and look.reason else ""
    if look.source:
        image = (
            f'<img src="{_text(look.source, None)}" width="{look.width}" height="{look.height}" decoding="async" '
            f'alt="{when}: {_text(cell)}">'
        )
    else:
        image = f'<span class="none">{_text(look.reason or "too many pictures to show them all: open the file")}</span>'
    if look.address:
        image = f'<a class="frame" href="{_text(look.address, None)}">{image}</a>'
    elif look.source:
        image = f'<span class="frame">{image}</span>'
    return f"<figure>{image}<figcaption>{when}{where}</figcaption></figure>"


def _spent(version: Version | None, spent: Dollars) -> str:
    return "—" if version is None and spent == Dollars() else amount(spent)


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _text(text: str, most: int | None = _MOST) -> str:
    return escaped(text if most is None else clean(text, most))
