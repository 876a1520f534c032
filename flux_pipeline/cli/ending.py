"""The last words of a run: how each entry stands, what failed and why, what it cost, and where to look."""

from __future__ import annotations

import shlex
import sys
from pathlib import PurePath
from typing import Any

from flux_pipeline.cli import terminal, voice
from flux_pipeline.cli.project import Project
from flux_pipeline.cli.session import Ended
from flux_pipeline.report import documents, names, standing, text
from flux_pipeline.report.table import Table, lines

_MOST_ROWS = 40


def table(work: Project, ended: Ended) -> Table:
    """Return a row an entry."""
    return standing.table(work.selected, standing.states_of_run(ended.outcome), ended.history, work.named())


def tell(work: Project, ended: Ended, shown: Table, *, quiet: bool) -> None:
    """Say on stderr how the run ended; a quiet run says only what went wrong."""
    outcome = ended.outcome
    if quiet and not outcome.exit_code:
        return
    if voice.speaks_json():
        _tell_programs(work, ended)
        return
    if not quiet:
        shown, more = standing.brief(shown, _MOST_ROWS)
        for line in lines(shown, terminal.columns(sys.stderr), terminal.paint):
            voice.say(line, styled=True)
        if more:
            voice.say(f"… and {more} more entries: `flux-pipeline status` names them all")
    columns = terminal.columns(sys.stderr)
    for line in text.ran(outcome, _reserved(ended), columns, terminal.paint, names.cells(work.selected)):
        voice.say(line, styled=True)
    if not quiet and (said := _where(work, ended)):
        for line in text.fitted(said, columns):
            voice.say(line)


def _tell_programs(work: Project, ended: Ended) -> None:
    outcome, called = ended.outcome, names.cells(work.selected)
    for end in (*outcome.ends, *outcome.underived):
        if end.state in ("failed", "doubtful"):
            known: dict[str, Any] = {"cell": end.cells[0], "key": end.key, "task": end.task, "reason": end.reason}
            voice.say(
                f"{end.state}: {text.name_of(end, called)}: {end.reason}", level="error", event=end.state, **known
            )
    document = documents.ran(outcome, work.origin, len(work.cells), ended.history)
    del document["failures"]
    document |= {"stopped": outcome.stopped} if outcome.stopped else {}
    document["counts"] = {"running": 0, **document["counts"]}
    document["cost_usd"] = {"reserved": 0.0, **document["cost_usd"]}
    voice.say(
        text.done(outcome, _reserved(ended)), level="error" if outcome.exit_code else "info", event="end", **document
    )


def _reserved(ended: Ended) -> str:
    """Return what tasks under way may still cost, in words; empty where nothing is."""
    history = ended.history
    return text.reserved(history) if history.reserved() != history.spent() or history.unpriced(settled=False) else ""


def _where(work: Project, ended: Ended) -> str:
    states = standing.states_of_run(ended.outcome)
    paths = dict.fromkeys((work.root / cell.path).as_posix() for cell in work.cells if states.get(cell.key) == "saved")
    names = [str(PurePath(part.manifest)) for part in work.parts]
    flags = ["--simulate"] if work.simulate else []
    return text.where(ended.outcome, paths, shlex.join(["flux-pipeline", "gallery", *names, *flags])) if paths else ""
