"""A run that has ended, made up: cells, ends and a lockfile that fit each other."""

from __future__ import annotations

from decimal import Decimal

from flux_pipeline.ledger.facts import Settled, Submission
from flux_pipeline.ledger.history import fold
from flux_pipeline.ledger.keys import Render
from flux_pipeline.manifest.cell import Cell, Fields
from flux_pipeline.report import standing
from flux_pipeline.report.cases import cases
from flux_pipeline.run.jobs import Session
from flux_pipeline.run.outcome import End, Outcome

PAID = Settled(state="finished", cost=Decimal("0.03"), at="2026-11-23T01:00:04.5Z")


def cell(number, entry="hero", name=None):
    render = Render.of("o/m", {"prompt": "x", "seed": number})
    identity = name or f"{entry}/seed={number}"
    return Cell(identity, entry, Fields(("seed",), (number,)), f"outputs/{entry}/{number}.png", render)


def end(one, state="saved", reason="", task="7"):
    return End(key=one.key, cells=(one.id,), state=state, task=task, reason=reason)


def outcome(*ends, exit_code=0, stopped="", underived=()):
    return Outcome(
        exit_code=exit_code,
        stopped=stopped,
        ends=ends,
        session=Session(),
        charged=Decimal("0.03"),
        spent=Decimal("0.03"),
        seconds=1.25,
        underived=underived,
    )


def paid(*cells, settled=PAID):
    return fold(
        Submission(
            id=f"{number:032x}", key=one.key, cell=one.id, tasks=("7",), settled=settled,
            intended_at="2026-11-23T01:00:00Z",
        )
        for number, one in enumerate(cells)
    )  # fmt: skip


def told(ended, *cells, history=None, manifest="manifests/m.yaml"):
    """Return the cases of a run, and the table that goes with them."""
    history = fold(()) if history is None else history
    named = {one.key for one in cells}
    table = standing.table([(manifest, cells)], standing.states_of_run(ended), history, named)
    return cases([(manifest, cells)], ended, history), table
