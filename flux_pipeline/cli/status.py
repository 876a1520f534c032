"""`status`: where every render stands, and the money, without asking anybody."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from flux_pipeline.cli import options, terminal, voice

if TYPE_CHECKING:
    from flux_pipeline.cli.project import Project
    from flux_pipeline.plan import Plan, PlannedRender
    from flux_pipeline.report.costs import By


@click.command()
@options.scope
@options.flag(
    "--by", type=click.Choice(["entry", "day", "model"]), help="What was spent, from the lockfile, by this instead."
)
@options.flag("--format", "form", type=click.Choice(["text", "json", "csv"]), default="text", help="How to say it.")
@options.flag("--show", is_flag=True, help="Show pictures too, between the lines of a terminal.")
def command(as_json: bool, by: By | None, form: str, show: bool, **scope: Any) -> None:
    """Show where the renders of MANIFEST stand, from its lockfile and the files; nothing is asked of the service."""
    from flux_pipeline.cli import project

    form = "json" if options.is_json(as_json, form) else form
    if show and (form != "text" or by):
        raise click.UsageError("--show is for people: leave out --by, --format and --json")
    work = project.load(**scope)
    if by is not None:
        _costs(work, by, form)
        return
    printed = _states(work, form)
    if show:
        from flux_pipeline.cli import pictures

        pictures.show(work, sum(terminal.rows(line, sys.stdout) for line in printed))


def _states(work: Project, form: str) -> list[str]:
    """Print how everything stands, and return the lines for people that it took."""
    from flux_pipeline.cli.project import print_document
    from flux_pipeline.report import documents, names, standing, text
    from flux_pipeline.report.controls import plain
    from flux_pipeline.report.table import lines
    from flux_pipeline.review.standing import document, told

    history = work.history(aloud=True)
    plan = work.plan(history)
    if form == "json":
        print_document(documents.status(plan, history) | document(work.standings(history)))
        return []
    parts = work.selected
    of = parts, standing.states_of_plan(plan), history, work.named()
    if form == "csv":
        voice.echo(standing.text_csv(standing.standings(*of)), lines=True)
        return []
    columns = terminal.columns(sys.stdout)
    plan = _with_rejected(plan, work.root)
    said = [
        *lines(standing.table(*of), columns, terminal.paint),
        *text.status(plan, history, columns, terminal.paint, names.cells(parts)),
        *map(plain, told(work.standings(history))),
    ]
    for line in said:
        voice.echo(line, styled=True)
    return said


def _with_rejected(plan: Plan, root: Path) -> Plan:
    """Say of what is paid for where a file of it lies that failed its check: the lockfile does not know."""
    from flux_pipeline.files.names import rejected
    from flux_pipeline.plan import Plan, Step

    def told(one: PlannedRender) -> PlannedRender:
        if one.step is not Step.FETCH:
            return one
        path = PurePosixPath(one.paths[0])
        aside = path.with_name(rejected(path.name))
        there = f"{one.reason}; a file that did not pass the check is at {aside}"
        return replace(one, reason=there) if (root / aside).is_file() else one

    return Plan(tuple(map(told, plan.renders)))


def _costs(work: Project, by: By, form: str) -> None:
    from flux_pipeline.cli.project import print_document
    from flux_pipeline.report import costs, names
    from flux_pipeline.report.table import lines

    history = work.history(aloud=True)
    owners = names.owners([(str(part.manifest), part.expansion.cells) for part in work.parts])
    found, whole = costs.costs(history, by, work.named(), owners), costs.total(history)
    if form == "json":
        print_document(costs.document(found, whole, by))
    elif form == "csv":
        voice.echo(costs.text_csv(found, by), lines=True)
    elif found:
        for line in lines(costs.table(found, whole, by), terminal.columns(sys.stdout), terminal.paint):
            voice.echo(line, styled=True)
    else:
        voice.echo("nothing was spent: the lockfile knows no submission")
