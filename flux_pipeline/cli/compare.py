"""`compare`: what changed between two lockfiles, or since a revision of git: requests, pictures and dollars."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from flux_pipeline.cli import options, terminal, voice
from flux_pipeline.cli.output import Outlet

if TYPE_CHECKING:
    from flux_pipeline.cli.sides import Sides
    from flux_pipeline.report.compare import Report


_FORMS = ("form", "page", "exit_code", "as_json")  # how it is told, not what is compared


@click.command()
@click.argument("places", type=options.PATH, nargs=-1, required=True, metavar="OLD.lock NEW.lock | MANIFEST")
@options.flag("--against", metavar="REV", envvar=None, help="Compare MANIFEST with itself at this revision of git.")
@options.flag(
    "--manifest", type=options.PATH, envvar=None, help="Take the prompts of two lockfiles from this manifest."
)
@options.flag(
    "--format",
    "form",
    type=click.Choice(["markdown", "text"]),
    envvar=None,
    help="How to print it: markdown if not said.",
)
@options.flag("-o", "--output", "page", type=options.PATH, envvar=None, help="Write a page with the pictures.")
@options.flag("--exit-code", is_flag=True, envvar=None, help="End with 1 when anything differs.")
@options.select
@options.max_cells
@options.lockfile
@options.output_dir
@options.simulate
@options.output_style
def command(
    places: tuple[Path, ...],
    against: str | None,
    manifest: Path | None,
    form: str | None,
    page: Path | None,
    exit_code: bool,
    select: tuple[str, ...],
    max_cells: int | None,
    lockfile: Path | None,
    output_dir: Path,
    simulate: bool,
    as_json: bool,
) -> int:
    """Show what changed from OLD.lock to NEW.lock, or in MANIFEST since --against REV: cells, pictures, dollars.

    Cell by cell: what was added, removed or changed, the words of the prompt, the pictures before and after, and the
    dollars. It prints Markdown for a pull request; -o writes a page. Nothing is asked of the service.
    """
    from flux_pipeline.cli import secrets
    from flux_pipeline.cli.looks import find
    from flux_pipeline.comparison import compare
    from flux_pipeline.errors import UsageError

    as_json = options.is_json(as_json, form)
    if page is not None:
        _outlet().make_sure(page)
    scope = {"max_cells": max_cells, "lockfile": lockfile, "output_dir": output_dir, "simulate": simulate}
    sides = _sides(places, against, manifest, scope)
    comparison = secrets.comparison(compare(sides.old, sides.new)).narrow(select)
    if select and not comparison.rows:
        raise UsageError(f"--select {' '.join(select)}: no cell of either side has such an id")
    histories, folder = (sides.old.history, sides.new.history), page.parent if page else Path()
    looks = find(comparison, histories, output_dir, sides.then, folder, shown=page is not None)
    report = sides.report(comparison, looks, _again(page))
    if page is not None:
        _write(page, report)
    _print(report, form, page, as_json=as_json)
    return 1 if exit_code and comparison.differs else 0


def _sides(places: tuple[Path, ...], against: str | None, manifest: Path | None, scope: dict[str, Any]) -> Sides:
    """Read what the command line names."""
    from flux_pipeline.cli import project, sides
    from flux_pipeline.errors import UsageError

    if against is not None:
        if len(places) != 1 or manifest is not None:
            raise UsageError(
                "--against compares one manifest: flux-pipeline compare manifests/catalog.yaml --against main"
            )
        return sides.since(against, project.load(places, **scope), scope["max_cells"])
    if len(places) != 2:
        raise UsageError("name two lockfiles, the old one first, or one manifest and --against REV")
    if _was_typed("lockfile") or _was_typed("simulate"):
        raise UsageError("--lockfile and --simulate go with --against; two lockfiles are named as they are")
    return sides.named(places[0], places[1], manifest, scope["max_cells"])


def _was_typed(name: str) -> bool:
    """Whether a flag stands on the command line: one that the environment sets for other commands is no mistake."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _again(page: Path | None) -> str:
    """Return the command that writes the page, as it is typed: what was typed now, but for how it is told."""
    given, words = click.get_current_context(), ["flux-pipeline", "compare"]
    for option in given.command.params:
        name = str(option.name)
        if name in _FORMS or name not in given.params or not _was_typed(name):
            continue
        value = given.params[name]
        flag = [] if isinstance(option, click.Argument) else [option.opts[0]]
        for one in value if isinstance(value, tuple) else (value,):
            words += flag if one is True else [*flag, str(one)]
    return shlex.join([*words, "-o", str(page or "compare.html")])


def _print(report: Report, form: str | None, page: Path | None, *, as_json: bool) -> None:
    from flux_pipeline.cli import project
    from flux_pipeline.report import compare as told
    from flux_pipeline.report.compare_markdown import markdown
    from flux_pipeline.report.compare_text import text

    if as_json:
        project.print_document(told.document(report))
    elif form == "text":
        for line in text(report, terminal.columns(sys.stdout), terminal.paint):
            voice.echo(line, styled=True)
    elif form == "markdown" or page is None:
        voice.echo(markdown(report), lines=True)
    else:
        voice.echo(f"{page}: {told.counted(report.comparison)}; {told.costs(report.comparison.total())}")


def _outlet() -> Outlet:
    from flux_pipeline.report.compare_page import MARK

    def is_ours(head: bytes) -> bool:
        return head.startswith(MARK.encode())

    return Outlet(flag="-o", what="page of a comparison", example="compare.html", noun="page", is_ours=is_ours)


def _write(page: Path, report: Report) -> None:
    from flux_pipeline.report.compare_page import page as pieces

    _outlet().put(page, (piece.encode() for piece in pieces(report)))
