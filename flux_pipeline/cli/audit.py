"""`audit`: the lockfile and the files against the server, with amounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from flux_pipeline.cli import options, voice

if TYPE_CHECKING:
    from flux_pipeline.audit import Scene
    from flux_pipeline.cli.project import Project
    from flux_pipeline.cli.service import Access
    from flux_pipeline.ledger.history import History
    from flux_pipeline.wiro.client import Wiro
    from flux_pipeline.wiro.outcomes import ReadOutcome

_AT_ONCE = 8


@click.command()
@options.together(
    options.manifests,
    options.select,
    options.max_cells,
    options.lockfile,
    options.output_dir,
    options.simulate,
    options.output_style,
)
def command(as_json: bool, select: tuple[str, ...], **scope: Any) -> int:
    """Set the lockfile of MANIFEST against the server: what was paid for twice, or is paid for and not here.

    Nothing is written, submitted or locked; it may run beside a run.
    """
    from flux_pipeline.audit import audit
    from flux_pipeline.cli import project, reclaim, service
    from flux_pipeline.report import findings as report

    work = project.load(**scope)
    credentials = service.credentials_of(work)
    history = service.history_of(work)
    names = reclaim.chosen(work, history, select)
    with service.opened(work.endpoint, credentials) as access:
        scene, complete = service.conduct(_look(work, access, history, names))
    findings = audit(scene)
    if as_json:
        project.print_document(report.document(findings, complete=complete))
    else:
        for line in report.text(findings):
            voice.echo(line)
    if not complete:
        voice.echo(
            "flux-pipeline: the service's list of tasks does not hold still, so there may be more; run this again",
            err=True,
        )
        return 6
    return 1 if findings else 0


async def _look(work: Project, access: Access, history: History, names: Mapping[str, str]) -> tuple[Scene, bool]:
    """Collect what the service says about the tasks in question, and what is on disk."""
    from flux_pipeline.audit import Scene, sort_out
    from flux_pipeline.cli.reclaim import sightings
    from flux_pipeline.cli.service import walk
    from flux_pipeline.files.save import Files
    from flux_pipeline.plan import paths_to_survey
    from flux_pipeline.wiro.client import Wiro
    from flux_pipeline.wiro.http import Http
    from flux_pipeline.wiro.outcomes import NoTask, Tasks

    claimed = {task for task, key in history.claimed().items() if key in names}
    async with Http() as http:
        wiro = Wiro(http, access.url, access.credentials)
        walked = await walk(wiro)
        listed = {task.id: task for task in walked.tasks}
        asked = await _ask(wiro, sorted(claimed - listed.keys(), key=int))
    told = {task: outcome.tasks[0] for task, outcome in asked.items() if isinstance(outcome, Tasks)}
    wanted: dict[str, tuple[str, ...]] = {}
    for cell in work.cells:
        if cell.key in names:
            wanted[cell.key] = (*wanted.get(cell.key, ()), cell.path)
    found = Files(work.root).survey(paths_to_survey((cell for cell in work.cells if cell.key in names), history))
    scene = Scene(
        history=history,
        unclaimed=sort_out(history, sightings(work, walked.tasks), frozenset(names)),
        cells=names,
        wanted=wanted,
        present={path: getattr(one, "sha256", "") for path, one in found.items()},
        told={task: one for task, one in (listed | told).items() if task in claimed},
        denied=frozenset(task for task, outcome in asked.items() if isinstance(outcome, NoTask)),
        expected=work.estimates(),
        account=access.credentials.digest(),
    )
    return scene, walked.complete


async def _ask(wiro: Wiro, tasks: Iterable[str]) -> Mapping[str, ReadOutcome]:
    """Ask for the claimed tasks that the list does not show: it may show less than there is.

    Raises:
        ServiceError, AccountError: there is no answer.
    """
    import asyncio  # late, as in `simulator`

    from flux_pipeline.cli.service import patient, refusal
    from flux_pipeline.wiro.outcomes import Unread

    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(task: str) -> tuple[str, ReadOutcome]:
        async with turn:
            told = await patient(lambda: wiro.detail(task))
        if isinstance(told, Unread):
            raise refusal(told, f"task {task} cannot be asked for")
        return task, told

    return dict(await asyncio.gather(*map(one, tasks)))
