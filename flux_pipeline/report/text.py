"""Plans, outcomes and histories in words for people."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache

from flux_pipeline.derivation import Saving
from flux_pipeline.ledger.history import History
from flux_pipeline.manifest.cells import Cell
from flux_pipeline.plan import Plan, Step
from flux_pipeline.report.state import state_of
from flux_pipeline.report.table import Paint, unpainted
from flux_pipeline.report.widths import clamp, width, wrapped
from flux_pipeline.run.outcome import Outcome, State

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_MOST_FAILURES = 20
_UNSAVED: tuple[State, ...] = ("failed", "doubtful", "pending")
_NEXT = {
    3: "Once that is settled, run the same command again: it resumes.",
    4: "Nothing unclear is paid for again. Look at your tasks on Wiro, or run again with --resubmit-doubtful.",
    6: "Run the same command again: it resumes.",
    130: "Run the same command again: it resumes.",
    143: "Run the same command again: it resumes.",
}


def plain(text: str) -> str:
    """Return a text without characters that a terminal would act on."""
    return text if text.isprintable() else _CONTROL.sub(" ", text)


@lru_cache(maxsize=256)
def money(amount: Decimal | None) -> str:
    """Return dollars as people write them; unknown is said, never shown as nothing."""
    if amount is None:
        return "unknown"
    return f"${amount:.2f}" if amount == amount.quantize(Decimal("0.01")) else f"${amount.normalize():f}"


def known(amount: Decimal, unknown: int) -> str:
    """Return a sum of which `unknown` amounts are missing."""
    return money(amount) if not unknown else f"at least {money(amount)}" if amount else "unknown"


def expanded(cells: Iterable[Cell]) -> Iterator[str]:
    """Yield a block of lines a cell: id, path, parameters, prompt."""
    for cell in cells:
        params = ", ".join(f"{name}={value}" for name, value in cell.render.params.items() if name != "prompt")
        yield plain(cell.id)
        yield f"  path    {plain(cell.path)}"
        for one in cell.derived:
            yield f"  derive  {plain(one.path)}"
        yield f"  params  {plain(params)}"
        yield f"  prompt  {plain(str(cell.render.params.get('prompt', '')))}"


def planned(plan: Plan, saving: Saving) -> Iterator[str]:
    """Yield a line a render, then the sum, and what is derived."""
    for one in plan.renders:
        shared = f" (+{len(one.cells) - 1} more)" if len(one.cells) > 1 else ""
        cost = f"  {money(one.estimate)}" if one.step is Step.SUBMIT else ""
        yield f"{one.step:<7} {plain(one.cells[0])}{shared}{cost}  {plain(one.reason)}"
    yield summed(plan)
    if saving.files:
        yield saved(saving)


def saved(saving: Saving) -> str:
    """Return what is derived in one sentence."""
    files = f"{saving.files} file{' is' if saving.files == 1 else 's are'} derived locally"
    left = "" if saving.to_make == saving.files else f", {saving.to_make or 'none'} of them to make"
    renders = f"{saving.renders} render{'' if saving.renders == 1 else 's'}"
    dollars = f"{renders} of unknown price" if saving.dollars is None else f"{renders}, {money(saving.dollars)}"
    return f"{files}{left}: {dollars} saved"


def summed(plan: Plan) -> str:
    """Return the plan in one sentence."""
    words = {str(step): f"to {step}" for step in Step} | {str(Step.DOUBT): "in doubt"}
    counts = ", ".join(f"{count} {words[step]}" for step, count in plan.counts().items() if count)
    estimate, unknown = plan.estimate(), plan.unpriced()
    cost = f"about {money(estimate)}" if not unknown else f"at least {money(estimate)}, and " if estimate else ""
    hedge = f"{unknown} render{'' if unknown == 1 else 's'} of unknown price" if unknown else ""
    return f"{len(plan.renders)} renders: {counts or 'nothing to do'}; {cost}{hedge}"


def status(plan: Plan, history: History, columns: int | None = None, paint: Paint = unpainted) -> Iterator[str]:
    """Yield money, and what is not yet on disk; in so many columns, None is no limit."""
    spent = known(history.spent(), history.unpriced(settled=True))
    yield f"{spent} spent, {known(history.reserved() - history.spent(), history.unpriced(settled=False))} reserved"
    for one in plan.renders:
        if (state := state_of(one)) not in ("saved", "pending"):
            yield from _named(state, one.cells[0], one.reason, columns, paint)


def _named(state: str, cell: str, reason: str, columns: int | None, paint: Paint) -> Iterator[str]:
    """Yield a state, a cell and why on one line, or as many as it takes where there is a limit."""
    head, cell, reason = paint(state, f"{state:<9}"), plain(cell), plain(reason)
    if columns is None or 12 + width(cell) + width(reason) <= columns:
        yield f"{head} {cell}  {reason}"
        return
    yield f"{head} {clamp(cell, columns - 10)}"
    for line in wrapped(reason, columns - 10):
        yield f"{'':<10}{line}"


def ran(outcome: Outcome, paint: Paint = unpainted) -> Iterator[str]:
    """Yield how a run ended: failures with their reasons, what was done, what to do next."""
    unsaved = [end for end in (*outcome.ends, *outcome.underived) if end.state in ("failed", "doubtful")]
    for end in unsaved[:_MOST_FAILURES]:
        yield f"{paint(end.state, end.state)}: {plain(end.cells[0])}: {plain(end.reason)}"
    if len(unsaved) > _MOST_FAILURES:
        yield f"… and {len(unsaved) - _MOST_FAILURES} more: `flux-pipeline status` names them all"
    if outcome.stopped:
        yield f"{paint('error', 'stopped')}: {plain(outcome.stopped)}"
    yield done(outcome)
    if outcome.exit_code in _NEXT:
        yield _NEXT[outcome.exit_code]


def where(outcome: Outcome, paths: Iterable[str], gallery: str) -> str:
    """Say where the pictures are and what they have cost; `gallery` is the command that shows them."""
    files = [*paths]
    folder = posixpath.commonpath([posixpath.dirname(path) for path in files]) or "." if files else "."
    pictures = f"{len(files)} picture{'' if len(files) == 1 else 's'}"
    shows = f"`{gallery}` shows {'it' if len(files) == 1 else 'them'}"
    return plain(f"{pictures} in {folder}, {known(outcome.spent, outcome.unpriced)}; {shows}")


def done(outcome: Outcome) -> str:
    """Return what a run has done, in one sentence."""
    session = outcome.session
    did = (
        (session.submitted, "submitted"),
        (session.adopted, "adopted"),
        (session.resumed, "resumed"),
        (session.downloaded, "downloaded"),
        (session.kept, "kept"),
        (session.derived, "derived"),
    )
    done = "".join(f"{count} {word}, " for count, word in did if count)
    left = "".join(f"{count} {state}, " for state in _UNSAVED if (count := outcome.count(state)))
    submitted = "" if session.submitted else "nothing submitted, "
    saved = outcome.count("saved")
    return (
        f"{saved} of {len(outcome.ends)} pictures on disk: {(done + submitted + left).removesuffix(', ')}; "
        f"{known(outcome.charged, outcome.uncharged)} this run, {known(outcome.spent, outcome.unpriced)} in all, "
        f"{outcome.seconds:.1f} s"
    )
