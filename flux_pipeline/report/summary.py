"""A run in Markdown, for the page that GitHub shows of a job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from flux_pipeline.report import forge
from flux_pipeline.report.cases import Case
from flux_pipeline.report.controls import CONTROLS
from flux_pipeline.report.table import Table
from flux_pipeline.report.text import known
from flux_pipeline.run.outcome import Outcome

MOST_BYTES = 900_000  # GitHub refuses a summary of more than 1 MiB, all of it
_RESERVE = 200  # for the line that says how much was left out
_MOST_REASON = 1000
_BLANK = re.compile(rf"(?:\s|{CONTROLS.pattern})+")


def escaped(text: str) -> str:
    """Return a text as Markdown on one line that shows it, and does nothing else."""
    return forge.escaped(_BLANK.sub(" ", text).strip())


def _short(text: str) -> str:
    """Return a text, escaped, with its middle cut out where it is very long: its ends tell cells apart."""
    half = _MOST_REASON // 2
    return escaped(text if len(text) <= _MOST_REASON else f"{text[:half]}…{text[-half:]}")


def markdown(outcome: Outcome, table: Table, cases: Iterable[Case], *, title: str, most: int = MOST_BYTES) -> str:
    """Return the summary of a run, in at most so many bytes; `table` has the counts per entry."""
    return _bounded(_lines(outcome, table, cases, title), most)


def broken(title: str, reason: str, *, most: int = MOST_BYTES) -> str:
    """Return the summary of a run that could not begin."""
    lines = [f"## ❌ {escaped(title)}: the run could not begin", ""]
    return _bounded([*lines, *(f"> {escaped(line)}" for line in reason.splitlines() if line.strip())], most)


def _lines(outcome: Outcome, table: Table, cases: Iterable[Case], title: str) -> Iterator[str]:
    saved, wanted = outcome.count("saved"), len(outcome.ends)
    failures = [one for one in cases if one.state in ("failed", "paid", "doubtful")]
    mark = "✅" if outcome.exit_code == 0 else "❌" if failures else "⚠️"
    yield f"## {mark} {escaped(title)}: {saved} of {wanted} pictures on disk"
    yield ""
    spent = known(outcome.charged, outcome.uncharged), known(outcome.spent, outcome.unpriced)
    yield escaped(f"{spent[0]} this run, {spent[1]} in all; {outcome.seconds:.1f} s; exit code {outcome.exit_code}")
    yield ""
    if outcome.stopped:
        yield f"**Stopped:** {escaped(outcome.stopped[:_MOST_REASON])}"
        yield ""
    yield from _table(table)
    if failures:
        yield ""
        yield f"### {len(failures)} without a picture" if len(failures) > 1 else "### One without a picture"
        yield ""
        yield "| cell | state | task | reason |"
        yield "|---|---|---|---|"
        for one in failures:
            reason = one.reason if len(one.reason) <= _MOST_REASON else f"{one.reason[:_MOST_REASON]}…"
            yield f"| {_short(one.name)} | {one.state} | {_short(one.task or '')} | {escaped(reason)} |"


def _table(table: Table) -> Iterator[str]:
    shown = [*table.rows, table.total] if len(table.rows) != 1 else [*table.rows]
    kept = [n for n, head in enumerate(table.head) if head not in table.optional or any(row[n] != "0" for row in shown)]
    yield f"| {' | '.join(table.head[n] for n in kept)} |"
    yield f"|---|{'--:|' * (len(kept) - 1)}"
    for row in shown:
        yield f"| {' | '.join(_short(row[n]) for n in kept)} |"


def _bounded(lines: Iterable[str], most: int) -> str:
    """Join lines for as long as they fit, and say how many did not."""
    text: list[str] = []
    used = left_out = 0
    for line in lines:
        size = len(line.encode(errors="replace")) + 1
        if left_out or used + size > most - _RESERVE:
            left_out += 1
        else:
            used += size
            text.append(line)
    if left_out:
        text += ["", f"… and {left_out} more lines: `flux-pipeline status` names them all"]
    return "\n".join([*text, "", ""]) if used else ""
