"""`status`: where every render stands, and the money, without asking anybody."""

from __future__ import annotations

from typing import Any

import click

from flux_pipeline.cli import options


@click.command()
@options.scope
def command(as_json: bool, **scope: Any) -> None:
    """Show where the renders of MANIFEST stand, from its lockfile and the files; nothing is asked of the service."""
    from flux_pipeline.cli import project
    from flux_pipeline.report import documents, text

    work = project.load(**scope)
    history = work.history()
    plan = work.plan(history)
    if as_json:
        project.print_document(documents.status(plan, history))
    else:
        for line in text.status(plan, history):
            click.echo(line)
