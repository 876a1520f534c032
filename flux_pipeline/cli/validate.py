"""`validate`: every problem of a manifest, at once."""

from __future__ import annotations

from pathlib import Path

import click

from flux_pipeline.cli import options


@click.command()
@click.argument("manifest", type=options.PATH)
@options.max_cells
@options.lockfile
@options.flag("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", help="How to say it.")
@options.as_json
def command(manifest: Path, max_cells: int | None, lockfile: Path | None, form: str, as_json: bool) -> int:  # noqa: ARG001 -- every command takes --lockfile
    """Show every problem of MANIFEST at once; nothing is sent."""
    from flux_pipeline.cli import project
    from flux_pipeline.errors import ManifestError
    from flux_pipeline.manifest.cells import expand
    from flux_pipeline.manifest.schema import Schemas
    from flux_pipeline.report import problems

    schemas = Schemas((Path("schemas"),))
    cells = 0
    try:
        expansion = expand(project.read_source(manifest), file=str(manifest), schemas=schemas, max_cells=max_cells)
        found, cells = expansion.warnings, len(expansion.cells)
    except ManifestError as error:
        found = error.problems
    if as_json or form == "json":
        project.print_document(problems.document(found, cells))
    else:
        for line in problems.github(found) if form == "github" else problems.text(found, str(manifest), cells):
            click.echo(line)
    return 2 if any(problem.severity == "error" for problem in found) else 0
