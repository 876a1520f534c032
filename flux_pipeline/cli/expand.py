"""`expand`: the cells of a manifest."""

from __future__ import annotations

from typing import Any

import click

from flux_pipeline.cli import options


@click.command()
@options.scope
@options.strict
@options.flag("--prompts", is_flag=True, help="Show only the prompts, each once, with the pictures that it is for.")
def command(as_json: bool, prompts: bool, **scope: Any) -> None:
    """Show every cell of MANIFEST: its id, prompt, parameters and path."""
    from flux_pipeline.cli import project
    from flux_pipeline.report import documents, text
    from flux_pipeline.report import prompts as by_prompt

    work = project.load(**scope)
    if as_json:
        project.print_document((by_prompt.document if prompts else documents.expanded)(work.cells))
    else:
        project.print_lines((by_prompt.text if prompts else text.expanded)(work.cells))
