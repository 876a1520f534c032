"""`schema`: the JSON schemas, for editors and other programs."""

from __future__ import annotations

from pathlib import Path

import click

from flux_pipeline.cli import options


@click.command()
@click.argument("name", default="manifest")
@options.lockfile
@options.as_json
def command(name: str, lockfile: Path | None, as_json: bool) -> None:  # noqa: ARG001 -- every command takes both; a schema is JSON anyway
    """Print a schema: `manifest`, `lockfile`, or a model such as black-forest-labs/flux-2-pro-t2i."""
    from flux_pipeline.manifest.schema import Schemas

    click.echo(Schemas((Path("schemas"),)).text(name), nl=False)
