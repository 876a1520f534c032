"""`adopt`: take over the tasks of a manifest that no lockfile knows."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from flux_pipeline.cli import options, voice

if TYPE_CHECKING:
    from flux_pipeline.cli.project import Project
    from flux_pipeline.cli.reclaim import Desk, Look
    from flux_pipeline.cli.service import Access
    from flux_pipeline.ledger.facts import Submission
    from flux_pipeline.ledger.shelf import Shelf
    from flux_pipeline.wiro.tasks import Task

_STATES = ("adopted", "resolved", "corrected", "double", "unclear")
_WORDS = {
    "resolved": "of unclear submissions",
    "corrected": "paid for although the lockfile said otherwise",
    "double": "left alone, because their renders have a task already",
    "unclear": "submissions still unclear",
}


@click.command()
@options.together(
    options.manifests,
    options.select,
    options.grace,
    options.max_cells,
    options.lockfile,
    options.simulate,
    options.output_style,
)
def command(as_json: bool, grace: float | None, select: tuple[str, ...], **scope: Any) -> int:
    """Take over the tasks of MANIFEST on the server that no lockfile knows, however old; nothing is submitted.

    After a lost lockfile this makes sure that nothing is paid for twice: `run` then fetches what is there already.
    """
    from flux_pipeline.cli import project, reclaim, service
    from flux_pipeline.report.controls import plain

    work = project.load(**scope)
    credentials = service.credentials_of(work)
    reclaim.chosen(work, service.history_of(work), select)
    with reclaim.holding(work) as lockfile, service.opened(work.endpoint, credentials) as access:
        names = reclaim.chosen(work, lockfile.history, select)
        patience = reclaim.grace_of(work, grace)
        rows, code = service.conduct(_adopt(work, access, lockfile, names, patience))
    counts = Counter(row["state"] for row in rows)
    if as_json:
        project.print_document(
            {
                **work.origin,
                "counts": {state: counts[state] for state in _STATES},
                "tasks": rows,
                "complete": code != 6,
                "exit_code": code,
            }
        )
    else:
        for row in rows:
            voice.echo(
                plain(f"{row['state']:<9} {row['cell']}  task {row['task'] or 'unknown'}  {row['reason']}".strip())
            )
    said = ", ".join(f"{counts[state]} {_WORDS.get(state, state)}" for state in _STATES if counts[state])
    taken = counts["adopted"] + counts["resolved"] + counts["corrected"]
    after = f"; `flux-pipeline run {work.names}` follows and fetches them" if taken else ""
    voice.echo(f"{said or 'every task of this manifest is known already'}{after}", err=True)
    return code


async def _adopt(
    work: Project, access: Access, lockfile: Shelf, names: Mapping[str, str], grace: float
) -> tuple[list[dict[str, Any]], int]:
    from flux_pipeline.cli.reclaim import Desk
    from flux_pipeline.wiro.client import Wiro
    from flux_pipeline.wiro.http import Http

    async with Http() as http:
        desk = Desk(work, Wiro(http, access.url, access.credentials), lockfile, access.credentials.digest())
        unclear = desk.unclear(names)
        look = await desk.look(names)
        orphans = _taken_over(work, look, names)
        desk.note([fact for fact, _ in orphans])
        corrected = list(_corrected(desk, look, names))
        desk.note([fact for fact, _ in corrected])
        complete = look.complete and await desk.look_again(names, grace, first=False)
    now = desk.history.submissions
    rows = [_row(names, "adopted", fact.key, task) for fact, task in orphans]
    rows += [_row(names, "resolved", one.key, None, now[one.id]) for one in unclear if now[one.id].tasks]
    rows += [_row(names, "corrected", fact.key, task) for fact, task in corrected]
    rows += [_row(names, "double", key, task) for key, task in look.unclaimed.spare]
    still = desk.unclear(names)
    rows += [_row(names, "unclear", one.key, None, one) for one in still]
    if not complete:
        voice.echo(
            "flux-pipeline: the service's list of tasks does not hold still, so there may be more; run this again",
            err=True,
        )
        return rows, 6
    return rows, 4 if any(map(desk.foreign, still)) else 0


def _taken_over(work: Project, look: Look, names: Mapping[str, str]) -> list[tuple[Submission, Task]]:
    """Return a submission for every task whose render has none."""
    from flux_pipeline.ledger.facts import Submission
    from flux_pipeline.run.runner import moment

    at = moment().stamp
    expected = work.estimates()
    return [
        (
            Submission(
                id=os.urandom(16).hex(),
                key=key,
                cell=names[key],
                intended_at=at,
                estimate=expected.get(key),
                tasks=(task.id,),
                adopted=True,
            ),
            task,
        )
        for key, task in look.unclaimed.orphans
    ]


def _corrected(desk: Desk, look: Look, names: Mapping[str, str]) -> Iterable[tuple[Submission, Task]]:
    """Yield the end of each task that was taken for failed or cancelled, and has finished and been charged all the same."""
    from flux_pipeline.ledger.facts import Settled, Submission
    from flux_pipeline.run.runner import moment
    from flux_pipeline.wiro.tasks import Finished

    told = {task.id: task for task in look.tasks}
    for one in desk.history.submissions.values():
        task = told.get(one.task or "")
        if one.key not in names or one.settled is None or one.finished or task is None:
            continue
        if isinstance(task.verdict(), Finished):
            settled = Settled(state="finished", pexit=task.pexit, cost=task.cost, at=moment().stamp)
            yield Submission(id=one.id, key=one.key, settled=settled), task


def _row(
    names: Mapping[str, str], state: str, key: str, task: Task | None, one: Submission | None = None
) -> dict[str, Any]:
    from flux_pipeline.report.documents import dollars

    reason = task.status if task else f"intended at {one.intended_at}" if one else ""
    return {
        "cell": names[key],
        "key": key,
        "task": task.id if task else one.task if one else None,
        "state": state,
        "cost_usd": dollars(task.cost if task else one.estimate if one else None),
        "reason": reason,
    }
