"""Plans, outcomes and histories as the JSON documents that other programs read. Money is in dollars, as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from flux_pipeline.derivation import Saving
from flux_pipeline.ledger.history import History
from flux_pipeline.manifest.cells import Cell
from flux_pipeline.plan import Plan, PlannedRender
from flux_pipeline.report.state import STATES, state_at_end, state_of
from flux_pipeline.run.outcome import Outcome

UNKNOWN = "unknown_prices"


def expanded(cells: Iterable[Cell]) -> dict[str, Any]:
    """Return what `expand --json` prints; `row` is there for cells that are made for a row of data."""
    return {
        "cells": [
            {
                "id": cell.id,
                "entry": cell.entry,
                "key": cell.render.key,
                "params": dict(cell.render.params),
                "path": cell.path,
                "axes": dict(cell.axes),
                "derived": [one.path for one in cell.derived],
            }
            | ({"row": dict(cell.row)} if cell.row else {})
            for cell in cells
        ]
    }


def planned(plan: Plan, saving: Saving, notes: Iterable[str] = ()) -> dict[str, Any]:
    """Return what `plan --json` prints, and `plan -o` freezes; `notes`, where there are any, say what it decided."""
    return {
        "steps": [
            {
                "key": one.key,
                "cell": one.cells[0],
                "step": str(one.step),
                "reason": one.reason,
                "estimate_usd": dollars(one.estimate),
                "paths": list(one.paths),
            }
            for one in plan.renders
        ],
        "counts": plan.counts(),
        **total("estimate_usd", plan.estimate(), plan.unpriced()),
        "derived": {"files": saving.files, "to_make": saving.to_make, "saved_usd": dollars(saving.dollars)},
    } | ({"notes": said} if (said := list(notes)) else {})


def ran(outcome: Outcome, origin: Mapping[str, Any], cells: int, history: History | None = None) -> dict[str, Any]:
    """Return what `run --json` prints; `origin` names manifest and lockfile, `history` is that of its end.

    Other programs add the counts up, so `pending` counts every render that has not ended. Where some of them have a task
    that goes on, `running` says how many, and where dollars may still go, `reserved` says so.
    """
    counts = {"cells": cells, "renders": len(outcome.ends)}
    counts |= {state: outcome.count(state) for state in ("saved", "failed", "pending", "doubtful")}
    if running := [*map(state_at_end, outcome.ends)].count("running"):
        counts["running"] = running
    done = outcome.session
    session = {
        "submitted": done.submitted,
        "resumed": done.resumed,
        "adopted": done.adopted,
        "kept": done.kept,
        "downloaded": done.downloaded,
        "derived": done.derived,
    }
    return {
        **origin,
        "counts": counts,
        "session": session,
        "cost_usd": total("session", outcome.charged, outcome.uncharged)
        | total("total", outcome.spent, outcome.unpriced)
        | (_reserved(history) if history else {}),
        "seconds": round(outcome.seconds, 3),
        "exit_code": outcome.exit_code,
        "failures": [
            {"cell": end.cells[0], "key": end.key, "task": end.task, "reason": end.reason}
            for end in (*outcome.ends, *outcome.underived)
            if end.state in ("failed", "doubtful")
        ],
    }


def _reserved(history: History) -> dict[str, Any]:
    known, unknown = history.reserved() - history.spent(), history.unpriced(settled=False)
    return {"reserved": dollars(known or None)} if known or unknown else {}


def status(plan: Plan, history: History) -> dict[str, Any]:
    """Return what `status --json` prints."""
    counted = Counter(state_of(one) for one in plan.renders)
    return {
        "counts": {state: counted[state] for state in STATES},
        "cost_usd": _spending(history),
        "renders": [
            {
                "key": one.key,
                "cell": one.cells[0],
                "state": state_of(one),
                "task": one.task,
                "cost_usd": dollars(_cost(one)),
            }
            for one in plan.renders
        ],
    }


def _spending(history: History) -> dict[str, Any]:
    gone, open_ = history.unpriced(settled=True), history.unpriced(settled=False)
    sums = total("spent", history.spent(), gone) | total("reserved", history.reserved() - history.spent(), open_)
    return sums | ({UNKNOWN: gone + open_} if gone + open_ else {})


def _cost(one: PlannedRender) -> Decimal | None:
    return one.submission.settled.cost if one.submission and one.submission.settled else None


def total(name: str, known: Decimal, unknown: int) -> dict[str, Any]:
    """Return a sum under its name, null where nothing of it is known, and how many amounts it lacks if any."""
    return {name: dollars(known if known or not unknown else None)} | ({UNKNOWN: unknown} if unknown else {})


def dollars(amount: Decimal | None) -> float | None:
    """Return an amount as a JSON number, None where it is unknown."""
    return None if amount is None else float(amount)
