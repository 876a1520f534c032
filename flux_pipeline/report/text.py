"""Plans, outcomes and histories in words for people."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType

from flux_pipeline.derivation import Saving
from flux_pipeline.ledger.history import History
from flux_pipeline.manifest.cells import Cell
from flux_pipeline.plan import Plan, Step
from flux_pipeline.report.controls import plain
from flux_pipeline.report.state import state_at_end, state_of
from flux_pipeline.report.table import Paint, unpainted
from flux_pipeline.report.widths import clamp, width, wrapped
from flux_pipeline.run.outcome import End, Outcome

Called = Mapping[tuple[str, str], str]  # what cells are called that are not called by their ids, by key and id

_BY_THEIR_IDS: Called = MappingProxyType({})
_MOST_FAILURES = 20
_UNSAVED = {
    "paid": "paid for but not on disk",
    "failed": "failed",
    "doubtful": "doubtful",
    "running": "running",
    "pending": "pending",
}
_LEFT_OVER = (
    "The next run fetches what is paid for; what the service no longer has, `run --rerender-expired` pays for again."
)
_RESUME = "Run the same command again: it resumes."
_NEXT = {
    1: "The reasons are above. Run the same command again: it keeps what is on disk and tries the rest.",
    3: "Once that is settled, or --max-cost is raised, run the same command again: it resumes.",
    4: "Nothing unclear is paid for again. Look at your tasks on Wiro, or run again with --resubmit-doubtful.",
    6: _RESUME,
    129: _RESUME,
    130: _RESUME,
    143: _RESUME,
}


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
    return (
        f"{len(plan.renders)} render{'' if len(plan.renders) == 1 else 's'}: {counts or 'nothing to do'}; {cost}{hedge}"
    )


def status(
    plan: Plan,
    history: History,
    columns: int | None = None,
    paint: Paint = unpainted,
    called: Called = _BY_THEIR_IDS,
) -> Iterator[str]:
    """Yield money, and what is not yet on disk; in so many columns, None is no limit."""
    yield f"{known(history.spent(), history.unpriced(settled=True))} spent, {reserved(history)} reserved"
    left_over = False
    for one in plan.renders:
        if (state := state_of(one)) not in ("saved", "pending"):
            name = called.get((one.key, one.cells[0]), one.cells[0])
            yield from _named(state, name, one.reason, columns, paint)
            left_over |= state == "paid"
    if left_over:
        yield from fitted(_LEFT_OVER, columns)


def reserved(history: History) -> str:
    """Return what submissions under way may still cost, in words."""
    return known(history.reserved() - history.spent(), history.unpriced(settled=False))


def _named(state: str, cell: str, reason: str, columns: int | None, paint: Paint) -> Iterator[str]:
    """Yield a state, a cell and why on one line, or as many as it takes where there is a limit."""
    head, cell, reason = paint(state, f"{state:<9}"), plain(cell), plain(reason)
    if columns is None or 12 + width(cell) + width(reason) <= columns:
        yield f"{head} {cell}  {reason}"
        return
    yield f"{head} {clamp(cell, columns - 10)}"
    for line in wrapped(reason, columns - 10, whole=True):
        yield f"{'':<10}{line}"


def ran(
    outcome: Outcome,
    reserved: str = "",
    columns: int | None = None,
    paint: Paint = unpainted,
    called: Called = _BY_THEIR_IDS,
) -> Iterator[str]:
    """Yield how a run ended: failures with their reasons, what was done, what to do next.

    `reserved` are the dollars that tasks under way may still cost, in words. None columns is no limit.
    """
    unsaved = [end for end in (*outcome.ends, *outcome.underived) if end.state in ("failed", "doubtful")]
    for end in unsaved[:_MOST_FAILURES]:
        yield from _headed(end.state, f"{name_of(end, called)}: {end.reason}", columns, paint)
    if len(unsaved) > _MOST_FAILURES:
        yield from fitted(f"… and {len(unsaved) - _MOST_FAILURES} more: `flux-pipeline status` names them all", columns)
    if outcome.stopped:
        yield from _headed("stopped", outcome.stopped, columns, lambda _, text: paint("error", text))
    yield from fitted(done(outcome, reserved), columns)
    if outcome.exit_code in _NEXT:
        yield from fitted(_NEXT[outcome.exit_code], columns)


def name_of(end: End, called: Called = _BY_THEIR_IDS) -> str:
    """Return what the cell of an end is called."""
    return called.get((end.key, end.cells[0]), end.cells[0])


def _headed(head: str, said: str, columns: int | None, paint: Paint) -> Iterator[str]:
    """Yield `head: said`; where there is a limit, on as many lines as it takes, which stand under the first."""
    first, *rest = fitted(f"{head}: {plain(said)}", columns, hanging=2)
    yield paint(head, head) + first.removeprefix(head)
    yield from rest


def fitted(sentence: str, columns: int | None, hanging: int = 0) -> Iterable[str]:
    """Return a sentence as lines of so many columns, None is no limit; a path or an id is never broken."""
    if columns is None or width(sentence) <= columns:
        return [sentence]
    return wrapped(sentence, columns, hanging=hanging, whole=True)


def where(outcome: Outcome, paths: Iterable[str], gallery: str) -> str:
    """Say where the pictures are and what they have cost; `gallery` is the command that shows them."""
    files = [*paths]
    folder = posixpath.commonpath([posixpath.dirname(path) for path in files]) or "." if files else "."
    pictures = f"{len(files)} picture{'' if len(files) == 1 else 's'}"
    shows = f"`{gallery}` shows {'it' if len(files) == 1 else 'them'}"
    return plain(f"{pictures} in {folder}, {known(outcome.spent, outcome.unpriced)}; {shows}")


def done(outcome: Outcome, reserved: str = "") -> str:
    """Return what a run has done, in one sentence; `reserved` is what tasks under way may still cost, in words."""
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
    states = Counter(map(state_at_end, outcome.ends))
    left = "".join(f"{states[state]} {words}, " for state, words in _UNSAVED.items() if states[state])
    submitted = "" if session.submitted else "nothing submitted, "
    saved = outcome.count("saved")
    return (
        f"{saved} of {len(outcome.ends)} pictures on disk: {(done + submitted + left).removesuffix(', ')}; "
        f"{known(outcome.charged, outcome.uncharged)} this run, {known(outcome.spent, outcome.unpriced)} in all, "
        f"{f'{reserved} reserved, ' if reserved else ''}{outcome.seconds:.1f} s"
    )
