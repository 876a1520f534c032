"""`expand`: the cells of a manifest."""

from __future__ import annotations

from typing import Any

import click

from flux_pipeline.cli import options


@click.command()
@options.scope
def command(as_json: bool, **scope: Any) -> None:
    """Show every cell of MANIFEST: its id, prompt, parameters and path."""
    from flux_pipeline.cli import project
    from flux_pipeline.report import documents, text

    work = project.load(**scope)
    if as_json:
        project.print_document(documents.expanded(work.cells))
    else:
        for line in text.expanded(work.cells):
            click.echo(line)
