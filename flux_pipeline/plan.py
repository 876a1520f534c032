"""For every render the step that comes next, and why. Printing a plan is `plan`; carrying it out is `run`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from flux_pipeline.errors import UsageError
from flux_pipeline.ledger.decisions import Decision
from flux_pipeline.ledger.facts import FileFact, Submission
from flux_pipeline.ledger.history import History
from flux_pipeline.ledger.keys import Render

if TYPE_CHECKING:
    from flux_pipeline.manifest.cells import Cell


Price = Callable[[Render], Decimal | None]  # the dollars that a render is expected to cost, None if unknown
_NEVER = "never submitted"


class Step(StrEnum):
    """What a run does next for a render."""

    SUBMIT = "submit"
    FOLLOW = "follow"
    FETCH = "fetch"
    KEEP = "keep"
    COPY = "copy"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRender:
    """One render and its step.

    `wanted` are the cells that want it, one or more, in manifest order; `held` are those of their paths that hold its
    picture already. `source` is a path that holds it, and the picture there, for a copy. `estimate` is in dollars, None
    if unknown. What follows from the cells is not kept: there may be a million.
    """

    wanted: tuple[Cell, ...]
    step: Step
    reason: str
    held: frozenset[str] = frozenset()
    source: tuple[str, FileFact] | None = None
    submission: Submission | None = None
    estimate: Decimal | None = None

    @property
    def render(self) -> Render:
        return self.wanted[0].render

    @property
    def key(self) -> str:
        return self.render.key

    @property
    def cells(self) -> tuple[str, ...]:
        """The ids that want it."""
        return tuple([cell.id for cell in self.wanted])

    @property
    def paths(self) -> tuple[str, ...]:
        """Where they want it, each path once."""
        return tuple(dict.fromkeys([cell.path for cell in self.wanted]))

    @property
    def missing(self) -> tuple[str, ...]:
        """The paths that hold no picture of it yet."""
        return tuple([path for path in self.paths if path not in self.held])

    @property
    def task(self) -> str | None:
        return self.submission.task if self.submission else None


@dataclass(frozen=True, slots=True)
class Plan:
    """The planned renders, in the order in which the manifest first wants them."""

    renders: tuple[PlannedRender, ...]

    def counts(self) -> dict[str, int]:
        counted = Counter(one.step for one in self.renders)
        return {str(step): counted[step] for step in Step}

    def estimate(self) -> Decimal:
        """Return the dollars that the submissions of this plan will cost, as far as their prices are known."""
        return sum((one.estimate or Decimal(0) for one in self.renders if one.step is Step.SUBMIT), Decimal(0))

    def unpriced(self) -> int:
        """Return how many submissions of this plan have a price that nobody knows."""
        return sum(one.step is Step.SUBMIT and one.estimate is None for one in self.renders)


def narrow(
    cells: Sequence[Cell], *, select: Sequence[str] = (), limit: int | None = None, shard: tuple[int, int] | None = None
) -> tuple[Cell, ...]:
    """Return the cells that a command is about, in manifest order.

    `select` are globs on ids, any of which may match; `shard` is (i, n), the i-th of n parts, in which cells that share
    a render stay together; `limit` keeps the first cells of what is left.

    Raises:
        UsageError: nothing is left of a manifest that has cells.
    """
    if not select and limit is None and shard is None:
        return tuple(cells)
    left = [cell for cell in cells if not select or any(fnmatchcase(cell.id, glob) for glob in select)]
    if cells and not left:
        globs = " ".join(select)
        raise UsageError(f"--select {globs}: no cell has such an id; the first one is {cells[0].id}")
    if shard is not None:
        part, parts = shard
        left = [cell for cell in left if int(cell.render.key[:12], 16) % parts == part - 1]
    return tuple(left[:limit])


def paths_to_survey(cells: Iterable[Cell], history: History) -> AbstractSet[str]:
    """Return every path whose file decides a step: where a picture is wanted, and where it once was."""
    paths: set[str] = set()
    for cell in cells:
        paths.add(cell.path)
        for one in history.of(cell.render.key):
            paths.update(one.files)
    return paths


def plan(
    cells: Sequence[Cell],
    history: History,
    present: Mapping[str, str],
    price: Price,
) -> Plan:
    """Decide the next step of every render.

    `present` maps a path that exists to the SHA-256 of its file (empty where it is no regular file); `price` estimates
    a render.
    """
    if len({cell.render.key for cell in cells}) == len(cells):  # a million of one each need no groups
        return Plan(tuple(_planned((cell,), history, present, price) for cell in cells))
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.render.key, []).append(cell)
    return Plan(tuple(_planned(tuple(group), history, present, price) for group in groups.values()))


def _planned(cells: tuple[Cell, ...], history: History, present: Mapping[str, str], price: Price) -> PlannedRender:
    render = cells[0].render
    best = history.best(render.key)
    if best is None:  # what lies at its paths is not its picture
        return PlannedRender(wanted=cells, step=Step.SUBMIT, reason=_NEVER, estimate=price(render))
    paths = tuple(dict.fromkeys(cell.path for cell in cells))
    recorded = {fact.sha256: fact for one in history.of(render.key) for fact in one.files.values()}
    held = frozenset(path for path in paths if present.get(path) in recorded)
    missing = tuple(path for path in paths if path not in held)
    source = _source(render.key, paths, recorded, history, present)
    step, reason = _step(best, missing, source, present)
    if step is Step.KEEP:
        reason = _why_kept(history.decision(render.key), {present.get(path) for path in paths}) or reason
    return PlannedRender(
        wanted=cells,
        step=step,
        reason=reason,
        held=held,
        source=source,
        submission=best,
        estimate=price(render),
    )


def _source(
    key: str, paths: Iterable[str], recorded: Mapping[str, FileFact], history: History, present: Mapping[str, str]
) -> tuple[str, FileFact] | None:
    once = (path for one in history.of(key) for path in sorted(one.files))
    return next(((path, fact) for path in (*paths, *once) if (fact := recorded.get(present.get(path, "")))), None)


def _step(
    best: Submission, missing: tuple[str, ...], source: tuple[str, FileFact] | None, present: Mapping[str, str]
) -> tuple[Step, str]:
    if best.finished:
        return _step_of_a_picture(best, missing, source, present)
    if best.running:
        return Step.FOLLOW, f"task {best.task} was submitted and is not known to have ended"
    if best.unclear:
        return Step.DOUBT, f"nobody knows what came of the submission intended at {best.intended_at}"
    return Step.SUBMIT, _why_again(best)


def why_missing(best: Submission) -> str:
    """Say why nothing was saved of a render, from the lockfile alone; `best` is its most advanced submission."""
    if not best.finished:
        return _step(best, (), None, {})[1]
    ended = best.settled
    if ended is None or not ended.reason:
        return f"paid for, not fetched yet; task {best.task} has it"
    cost = "" if ended.cost is None else f" ${ended.cost:f}"
    return f"task {best.task} was charged{cost} but has no picture ({ended.reason}): ask Wiro about it"


def _why_kept(decision: Decision | None, sums: set[str | None]) -> str:
    if decision is None or decision.verdict != "rejected" or decision.sha256 not in sums:
        return ""
    return f"rejected by {decision.by} on {decision.day}: change its seed or prompt"


def _step_of_a_picture(
    best: Submission, missing: tuple[str, ...], source: tuple[str, FileFact] | None, present: Mapping[str, str]
) -> tuple[Step, str]:
    if not missing:
        return Step.KEEP, "on disk"
    if source is not None:
        return Step.COPY, f"the same picture is at {source[0]}"
    if missing[0] in present and best.files:
        return Step.FETCH, f"{missing[0]} is not the file that was saved; it is fetched again from task {best.task}"
    return Step.FETCH, f"paid for, not on disk; it is fetched from task {best.task}"


def _why_again(best: Submission) -> str:
    if best.settled is not None:
        why = f": {best.settled.reason}" if best.settled.reason else ""
        return f"task {best.task} {'was cancelled' if best.settled.state == 'cancelled' else 'failed'}{why}"
    if best.refused is not None:
        return f"was refused ({best.refused.code}): {best.refused.message}"
    return f"was not sent: {best.unsent}" if best.unsent else f"the service has no task of it: {best.absent}"
