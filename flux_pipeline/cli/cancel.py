"""`cancel`: stop what is running and may still be paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from flux_pipeline.cli import options, voice

if TYPE_CHECKING:
    from flux_pipeline.cli.project import Project
    from flux_pipeline.cli.service import Access
    from flux_pipeline.cli.stopping import End
    from flux_pipeline.ledger.facts import Submission
    from flux_pipeline.ledger.shelf import Shelf

STATES = ("cancelled", "finished", "failed", "left", "unclear")


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
    """Cancel the queued tasks of MANIFEST and kill the running ones; nothing is submitted.

    Unclear submissions are looked for on the server first. What has finished meanwhile is kept: `run` fetches it.
    """
    from flux_pipeline.cli import project, reclaim, service
    from flux_pipeline.report.controls import plain

    work = project.load(**scope)
    credentials = service.credentials_of(work)
    names = reclaim.chosen(work, service.history_of(work), select)
    rows: list[dict[str, Any]] = []
    code = 0
    if work.has_lockfile:
        with reclaim.holding(work) as lockfile, service.opened(work.endpoint, credentials) as access:
            names = reclaim.chosen(work, lockfile.history, select)
            patience = reclaim.grace_of(work, grace)
            rows, code = service.conduct(_cancel(work, access, lockfile, names, patience))
    counts = Counter(row["state"] for row in rows)
    if as_json:
        project.print_document(
            {
                **work.origin,
                "counts": {state: counts[state] for state in STATES},
                "tasks": rows,
                "exit_code": code,
            }
        )
    else:
        for row in rows:
            voice.echo(
                plain(f"{row['state']:<9} {row['cell']}  task {row['task'] or 'unknown'}  {row['reason']}".strip())
            )
    voice.echo(_summary(counts, work.has_lockfile, work.names), err=True)
    return code


def _summary(counts: Mapping[str, int], known: bool, manifest: str) -> str:
    if not any(counts.values()):
        more = f"`flux-pipeline adopt {manifest}` looks for tasks that the lockfile does not know"
        return f"nothing is running{'' if known else ': there is no lockfile'}; {more}"
    words = {"left": "could not be cancelled", "unclear": "unclear and not in the service's list"}
    said = ", ".join(f"{counts[state]} {words.get(state, state)}" for state in STATES if counts[state])
    kept = "; `flux-pipeline run` fetches what has finished" if counts["finished"] else ""
    return f"{said}{kept}"


async def _cancel(
    work: Project, access: Access, lockfile: Shelf, names: Mapping[str, str], grace: float
) -> tuple[list[dict[str, Any]], int]:
    """Stop what is known to run, then look for what is unclear and stop that: what runs is soon past stopping."""
    from flux_pipeline.cli.reclaim import Desk
    from flux_pipeline.cli.stopping import Stopper
    from flux_pipeline.errors import FluxError
    from flux_pipeline.wiro.client import Wiro
    from flux_pipeline.wiro.http import Http

    async with Http() as http:
        desk = Desk(work, Wiro(http, access.url, access.credentials), lockfile, access.credentials.digest())
        stopper = Stopper(desk)
        await stopper.stop(names)
        trouble: FluxError | None = stopper.failure
        complete = True
        if trouble is None and desk.unclear(names):
            try:
                complete = await desk.look_again(names, grace, first=True)
            except FluxError as error:
                trouble = error
            await stopper.stop(names)
            trouble = trouble or stopper.failure
    still = desk.unclear(names)
    rows = [_row(names, end) for end in stopper.ends]
    rows += [_unclear_row(names, one, foreign=desk.foreign(one)) for one in still]
    if trouble is not None:
        voice.echo(f"flux-pipeline: {trouble}", err=True)
        return rows, trouble.exit_code
    if any(row["state"] == "left" for row in rows):
        return rows, 1
    if still and not complete:
        voice.echo("flux-pipeline: the service's list of tasks does not hold still; run this again", err=True)
        return rows, 6
    return rows, 4 if any(map(desk.foreign, still)) else 0


def _row(names: Mapping[str, str], end: End) -> dict[str, Any]:
    from flux_pipeline.report.documents import dollars

    return {
        "cell": names[end.key],
        "key": end.key,
        "task": end.task,
        "state": end.state,
        "cost_usd": dollars(end.cost),
        "reason": end.reason,
    }


def _unclear_row(names: Mapping[str, str], one: Submission, *, foreign: bool) -> dict[str, Any]:
    from flux_pipeline.report.documents import dollars

    why = "was sent with another API key: cancel with that one" if foreign else "is not in the service's list of tasks"
    return {
        "cell": names[one.key],
        "key": one.key,
        "task": None,
        "state": "unclear",
        "cost_usd": dollars(one.estimate),
        "reason": f"the unclear submission of {one.intended_at} {why}; the next `run` decides about it",
    }
