"""`plan`: what `run` would do, and what it would cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flux_pipeline.cli import options


@click.command()
@options.scope
@options.strict
@options.flag("-o", "--output", "frozen", type=options.PATH, envvar=None, help="Freeze the plan for `run --plan`.")
def command(as_json: bool, frozen: Path | None, **scope: Any) -> None:
    """Show what `run` would do with MANIFEST, render by render, and what it would cost."""
    import orjson

    from flux_pipeline.cli import project
    from flux_pipeline.errors import UsageError
    from flux_pipeline.report import documents, text

    work = project.load(**scope)
    plan = work.plan(work.history())
    document = documents.planned(plan)
    if frozen is not None:
        try:
            frozen.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        except OSError as error:
            raise UsageError(f"{frozen}: {error.strerror}; name a file that can be written") from error
    if as_json:
        project.print_document(document)
    else:
        for line in text.planned(plan):
            click.echo(line)
