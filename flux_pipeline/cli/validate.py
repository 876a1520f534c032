"""`validate`: every problem of some manifests, at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flux_pipeline.cli import options, voice

if TYPE_CHECKING:
    from flux_pipeline.errors import Problem
    from flux_pipeline.manifest.cells import Expansion
    from flux_pipeline.manifest.schema import Schemas


@click.command()
@options.manifests
@options.max_cells
@options.lockfile
@options.flag("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", help="How to say it.")
@options.strict
@options.output_style
def command(
    manifests: tuple[Path, ...],
    max_cells: int | None,
    lockfile: Path | None,  # noqa: ARG001 -- every command takes --lockfile
    form: str,
    strict: bool,
    as_json: bool,
) -> int:
    """Show every problem of each MANIFEST at once; nothing is sent."""
    from flux_pipeline.cli import project
    from flux_pipeline.manifest.schema import Schemas
    from flux_pipeline.report import problems

    schemas = Schemas((Path("schemas"),))
    found: list[Problem] = []
    sound: dict[Path, Expansion] = {}
    for manifest in manifests:
        told, made = _judged(manifest, schemas, max_cells, alone=len(manifests) == 1)
        found += [replace(problem, severity="error") for problem in told] if strict else told
        if made is not None:
            sound[manifest] = made
    found += _together(sound)
    cells = sum(len(one.cells) for one in sound.values())
    if as_json or form == "json":
        project.print_document(problems.document(found, cells))
    else:
        names = [str(manifest) for manifest in manifests]
        for line in problems.github(found) if form == "github" else problems.text(found, names, cells):
            voice.echo(line, orders=form == "github")
    return 2 if any(problem.severity == "error" for problem in found) else 0


def _together(sound: Mapping[Path, Expansion]) -> Iterator[Problem]:
    """Yield what keeps manifests, each sound by itself, from being run in one command."""
    from flux_pipeline.cli.part import Part, keep_apart
    from flux_pipeline.errors import Problem, UsageError

    parts = [
        Part(manifest=manifest, expansion=expansion, lockfile=manifest.with_suffix(".lock"))
        for manifest, expansion in sound.items()
    ]
    try:
        keep_apart(parts)
    except UsageError as error:
        yield Problem(file=str(parts[-1].manifest), line=0, column=0, path="", message=str(error), code="path-clash")


def _judged(
    manifest: Path, schemas: Schemas, max_cells: int | None, *, alone: bool
) -> tuple[tuple[Problem, ...], Expansion | None]:
    """Return a manifest's problems, and its cells if it is sound; one that cannot be read hides no other."""
    from flux_pipeline.cli import sources
    from flux_pipeline.errors import ManifestError, Problem, UsageError
    from flux_pipeline.manifest.cells import expand

    try:
        source = sources.read_source(manifest)
        expansion = expand(
            source,
            file=str(manifest),
            schemas=schemas,
            max_cells=max_cells,
            writable=sources.can_write,
            read=sources.reader_beside(manifest),
        )
    except ManifestError as error:
        return error.problems, None
    except UsageError as error:
        if alone:
            raise
        said = str(error).removeprefix(str(manifest)).lstrip(": ")
        return (Problem(file=str(manifest), line=0, column=0, path="", message=said, code="unreadable"),), None
    return expansion.warnings, expansion
