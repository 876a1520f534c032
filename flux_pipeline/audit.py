"""Who has which task: the lockfile, the service's tasks and the files, set against each other; pure.

`sort_out` says what every task that nothing claims is to the manifest: `adopt` acts on that, and `audit` reports it
together with everything else that is not as it should be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from flux_pipeline.ledger.facts import ACCOUNT, Submission
from flux_pipeline.ledger.history import History
from flux_pipeline.wiro.tasks import Cancelled, Failed, Finished, Running, Task


class Kind(StrEnum):
    """What is the matter. The order is that of a report: what costs money first."""

    ORPHAN = "orphan"  # a task of this manifest that nothing claims
    DOUBLE = "double"  # a further task of a render that has one already
    CHARGED_FAILURE = "charged-failure"  # paid for, and there never was a picture
    NOT_ON_DISK = "not-on-disk"  # paid for, and the picture is not where it is wanted
    PRICE = "price"  # another price than the expected one
    UNCLEAR = "unclear"  # a submission that may have made a task
    UNKNOWN_TASK = "unknown-task"  # claimed, and the service does not know it


@dataclass(frozen=True, slots=True)
class Sighting:
    """A task as the service tells it, with the keys of the renders that it may be."""

    task: Task
    keys: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be. `cost` is in dollars, None where nobody knows."""

    kind: Kind
    cell: str
    key: str
    task: str | None
    cost: Decimal | None
    reason: str


Owned: TypeAlias = tuple[str, Task]  # a render's key and a task of it


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """The tasks that nothing claims, by what they are.

    `resolved` belong to unclear submissions, `orphans` are the first of renders that have none, `spare` are further
    ones. Failed and cancelled tasks are none of these; those that were charged all the same are in `charged`.
    """

    resolved: tuple[tuple[Submission, Task], ...] = ()
    orphans: tuple[Owned, ...] = ()
    spare: tuple[Owned, ...] = ()
    charged: tuple[Owned, ...] = ()


def sort_out(history: History, sightings: Iterable[Sighting], keys: frozenset[str]) -> Unclaimed:
    """Give the tasks that nothing claims to the renders among `keys`, each task to one render at most.

    Unclear submissions come first, the oldest first, each with the oldest task above its watermark.
    """
    claimed = history.claimed()
    found: dict[str, list[Task]] = {}
    charged: list[Owned] = []
    for seen in sorted(sightings, key=lambda one: int(one.task.id)):
        mine = sorted(seen.keys & keys)
        if not mine or seen.task.id in claimed:
            continue
        if not isinstance(seen.task.verdict(), Failed | Cancelled):
            key = next((key for key in mine if key not in found and not _settled_for(history, key)), mine[0])
            found.setdefault(key, []).append(seen.task)
        elif seen.task.cost:
            charged.append((mine[0], seen.task))
    resolved = tuple(_resolve(history, found))
    orphans, spare = [], []
    waiting = {one.id for one, _ in resolved}
    for key, tasks in found.items():
        tasks.sort(key=lambda task: (isinstance(task.verdict(), Finished), int(task.id)))
        if tasks and not any(live(one) or one.unclear or one.id in waiting for one in history.of(key)):
            orphans.append((key, tasks.pop()))
        spare += [(key, task) for task in tasks]
    return Unclaimed(resolved, tuple(orphans), tuple(spare), tuple(charged))


def live(one: Submission) -> bool:
    """Say whether a submission has made a task that is paid for, or may still be."""
    return one.running or one.finished


def _settled_for(history: History, key: str) -> bool:
    return any(live(one) for one in history.of(key))


def _resolve(history: History, found: Mapping[str, list[Task]]) -> Iterable[tuple[Submission, Task]]:
    for key, tasks in found.items():
        for one in sorted(history.of(key), key=lambda one: (one.intended_at or "", one.id)):
            mark = int(one.watermark) if one.watermark and one.watermark.isdecimal() else 0
            above = next((task for task in tasks if int(task.id) > mark), None) if one.unclear else None
            if above is not None:
                tasks.remove(above)
                yield one, above


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that an audit looks at.

    `cells` names a cell for every render in question, and `wanted` its paths where the manifest still wants it;
    `present` are the sums of files by path. `told` are the tasks that the service told of, by id; `denied` are claimed
    ids that it does not know. `expected` are dollars by render; `account` is who asks.
    """

    history: History
    unclaimed: Unclaimed
    cells: Mapping[str, str]
    wanted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    present: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Task] = field(default_factory=dict)
    denied: frozenset[str] = frozenset()
    expected: Mapping[str, Decimal | None] = field(default_factory=dict)
    account: str = ""


def audit(scene: Scene) -> tuple[Finding, ...]:
    """Return everything that is not as it should be, by kind and then by cell."""
    found = [
        *_unclaimed(scene),
        *(finding for key in scene.cells for finding in _of_render(scene, key)),
    ]
    order = list(Kind)
    return tuple(sorted(found, key=lambda one: (order.index(one.kind), one.cell, one.task or "")))


def unpriced(findings: Iterable[Finding]) -> int:
    """Return how many of these tasks and unclear submissions there are whose amount nobody knows."""
    known: dict[str, bool] = {}
    for number, one in enumerate(findings):
        about = one.task or f"submission {number}"
        known[about] = known.get(about, False) or one.cost is not None
    return list(known.values()).count(False)


def cost_of(findings: Iterable[Finding]) -> Decimal:
    """Return the dollars that the findings are about, every task and every unclear submission once."""
    amounts: dict[str, Decimal] = {}
    for number, one in enumerate(findings):
        about = one.task or f"submission {number}"
        amounts[about] = max(amounts.get(about, Decimal(0)), one.cost or Decimal(0))
    return sum(amounts.values(), Decimal(0))


def _unclaimed(scene: Scene) -> Iterable[Finding]:
    lists = (
        (
            Kind.ORPHAN,
            scene.unclaimed.orphans,
            "no line of the lockfile claims it: `flux-pipeline adopt` takes it over",
        ),
        (Kind.DOUBLE, scene.unclaimed.spare, "no line of the lockfile claims it, and its render has another task"),
        (Kind.CHARGED_FAILURE, scene.unclaimed.charged, "no line of the lockfile claims it, and it has no picture"),
    )
    for kind, owned, reason in lists:
        for key, task in owned:
            yield _finding(scene, kind, key, task.id, _cost(scene, key, task), f"{reason} ({_stands(task)})")
    for one, task in scene.unclaimed.resolved:
        reason = "the unclear submission of it made this task: `flux-pipeline adopt` or the next run takes it over"
        yield _finding(scene, Kind.UNCLEAR, one.key, task.id, _cost(scene, one.key, task), reason)


def _of_render(scene: Scene, key: str) -> Iterable[Finding]:
    resolved = {one.id for one, _ in scene.unclaimed.resolved}
    for one in scene.history.of(key):
        if one.unclear and one.id not in resolved:
            reason = f"nobody knows whether the submission of {one.intended_at} made a task: the next run finds out"
            yield _finding(scene, Kind.UNCLEAR, key, None, one.estimate, reason)
        for task in one.tasks:
            yield from _of_task(scene, one, task)
    yield from _doubles(scene, key)
    yield from _not_on_disk(scene, key)


def _of_task(scene: Scene, one: Submission, task: str) -> Iterable[Finding]:
    told, settled = scene.told.get(task), one.settled if task == one.task else None
    if task in scene.denied:
        other = one.extra.get(ACCOUNT) not in (None, scene.account)
        why = "it was submitted with another API key" if other else "the service does not know it"
        cost = settled.cost if settled else one.estimate
        yield _finding(scene, Kind.UNKNOWN_TASK, one.key, task, cost, f"the lockfile claims this task, but {why}")
    cost = told.cost if told is not None else settled.cost if settled else None
    if cost and _ended_badly(told, one):
        why = (settled.reason if settled else "") or (told.reason if told else "") or "no reason given"
        yield _finding(scene, Kind.CHARGED_FAILURE, one.key, task, cost, f"it made no picture: {why}")
    elif cost is not None and (told is None or not isinstance(told.verdict(), Running)) and not _ended_badly(told, one):
        yield from _price(scene, one, task, cost)


def _price(scene: Scene, one: Submission, task: str, cost: Decimal) -> Iterable[Finding]:
    expected = one.estimate if one.estimate is not None else scene.expected.get(one.key)
    if expected is not None and expected != cost:
        yield _finding(scene, Kind.PRICE, one.key, task, cost, f"${cost:f} was charged, ${expected:f} was expected")
    noted = one.settled.cost if one.settled and task == one.task else None
    if noted is not None and noted != cost:
        yield _finding(
            scene, Kind.PRICE, one.key, task, cost, f"the lockfile says ${noted:f}, the service now says ${cost:f}"
        )


def _ended_badly(told: Task | None, one: Submission) -> bool:
    if told is not None:
        return isinstance(told.verdict(), Failed | Cancelled)
    return one.settled is not None and one.settled.state != "finished"


def _doubles(scene: Scene, key: str) -> Iterable[Finding]:
    tasks = _paid_tasks(scene.history, key, scene.told)
    for task in tasks[1:]:
        one = scene.told.get(task)
        yield _finding(
            scene, Kind.DOUBLE, key, task, _cost(scene, key, one), f"the render has the older task {tasks[0]} already"
        )


def doubles(history: History) -> dict[str, list[str]]:
    """Return the tasks of every render that was submitted more than once and paid for, or may be; oldest first."""
    tasks = {key: _paid_tasks(history, key, {}) for key in history.by_key}
    return {key: ids for key, ids in tasks.items() if len(ids) > 1}


def _paid_tasks(history: History, key: str, told: Mapping[str, Task]) -> list[str]:
    tasks = {
        task
        for one in history.of(key)
        for task in one.tasks
        if (live(one) or task != one.task)
        and not (task in told and isinstance(told[task].verdict(), Failed | Cancelled))
    }
    return sorted(tasks, key=int)


def _not_on_disk(scene: Scene, key: str) -> Iterable[Finding]:
    one = next((one for one in scene.history.of(key) if one.files), scene.history.best(key))
    if one is None or one.task is None or one.task in scene.denied:
        return
    told = scene.told.get(one.task)
    if not (one.finished if told is None else isinstance(told.verdict(), Finished)):
        return
    cost = told.cost if told is not None else one.settled.cost if one.settled else one.estimate
    sums = {fact.sha256 for other in scene.history.of(key) for fact in other.files.values()}
    missing = [path for path in scene.wanted.get(key, ()) if scene.present.get(path) not in sums]
    if missing:
        reason = f"it is paid for, and not at {missing[0]}: `flux-pipeline run` brings it there"
        if not one.finished and one.settled is not None:
            reason = (
                f"it is paid for although the lockfile says {one.settled.state}: `flux-pipeline adopt` puts that right"
            )
        yield _finding(scene, Kind.NOT_ON_DISK, key, one.task, cost, reason)
    elif key not in scene.wanted and not sums:
        reason = "it is paid for and was never downloaded, and no cell of the manifest wants it any more"
        yield _finding(scene, Kind.NOT_ON_DISK, key, one.task, cost, reason)


def _cost(scene: Scene, key: str, task: Task | None) -> Decimal | None:
    """Return what a task has cost, or is expected to cost as long as it runs."""
    if task is None or isinstance(task.verdict(), Running):
        return scene.expected.get(key)
    return task.cost


def _stands(task: Task) -> str:
    match task.verdict():
        case Running():
            return "it is still running"
        case Finished():
            return "it has finished"
        case Cancelled():
            return "it was cancelled"
        case Failed(reason):
            return f"it failed: {reason}"


def _finding(scene: Scene, kind: Kind, key: str, task: str | None, cost: Decimal | None, reason: str) -> Finding:
    return Finding(kind=kind, cell=scene.cells.get(key, ""), key=key, task=task, cost=cost, reason=reason)
