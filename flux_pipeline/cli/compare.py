"""`compare`: what changed between two lockfiles, or since a revision of git: requests, pictures and dollars."""

from __future__ import annotations

from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from flux_pipeline.cli import options

if TYPE_CHECKING:
    from flux_pipeline.cli.revision import Revision
    from flux_pipeline.comparison import Side
    from flux_pipeline.ledger.contents import Contents
    from flux_pipeline.manifest.cells import Cell
    from flux_pipeline.report.compare import Report

_MOST_BYTES = 2 << 20  # of a manifest or a schema, as they were
_MOST_ROWS_BYTES = 16 << 20
_MOST_SCHEMAS = 200


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
    from flux_pipeline.cli.looks import find
    from flux_pipeline.comparison import compare
    from flux_pipeline.errors import UsageError
    from flux_pipeline.report.compare import Report

    if page is not None:
        _make_sure(page)
    revision: Revision | None = None
    if against is not None:
        if len(places) != 1 or manifest is not None:
            raise UsageError(
                "--against compares one manifest: flux-pipeline compare manifests/catalog.yaml --against main"
            )
        old, new, revision = _since(against, places[0], max_cells, lockfile, output_dir, simulate=simulate)
        names = (f"{places[0]} at {against}", f"{places[0]} now")
    else:
        if len(places) != 2:
            raise UsageError("name two lockfiles, the old one first, or one manifest and --against REV")
        if _was_typed("lockfile") or _was_typed("simulate"):
            raise UsageError("--lockfile and --simulate go with --against; two lockfiles are named as they are")
        old, new = _two(places[0], places[1], manifest, max_cells)
        names = (str(places[0]), str(places[1]))
    comparison = compare(old, new).narrow(select)
    if select and not comparison.rows:
        raise UsageError(f"--select {' '.join(select)}: no cell of either side has such an id")
    looks = find(
        comparison,
        (old.history, new.history),
        output_dir,
        revision,
        page.parent if page else Path(),
        shown=page is not None,
    )
    report = Report(
        comparison=comparison, old=names[0], new=names[1], looks=looks, simulated=simulate and revision is not None
    )
    if page is not None:
        _write(page, report)
    _print(report, form, page, as_json=as_json)
    return 1 if exit_code and comparison.differs else 0


def _was_typed(name: str) -> bool:
    """Whether a flag stands on the command line: one that the environment sets for other commands is no mistake."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _print(report: Report, form: str | None, page: Path | None, *, as_json: bool) -> None:
    from flux_pipeline.cli import project
    from flux_pipeline.report import compare as told
    from flux_pipeline.report.compare_markdown import markdown

    if as_json:
        project.print_document(told.document(report))
    elif form == "text":
        for line in told.text(report):
            click.echo(line)
    elif form == "markdown" or page is None:
        click.echo(markdown(report), nl=False)
    else:
        click.echo(f"{page}: {told.counted(report.comparison)}; {told.costs(report.comparison.total())}")


def _two(old: Path, new: Path, manifest: Path | None, max_cells: int | None) -> tuple[Side, Side]:
    """Read two lockfiles; a manifest says what is behind those keys that it has."""
    from flux_pipeline.cli import project
    from flux_pipeline.comparison import Side
    from flux_pipeline.errors import UsageError
    from flux_pipeline.ledger import contents

    sides: list[Contents] = []
    for path in (old, new):
        found = contents.read(path)
        if found is None:
            raise UsageError(f"{path}: there is no such file; name lockfiles such as manifests/catalog.lock")
        sides.append(found)
    if sides[0].endpoint != sides[1].endpoint:
        click.echo(f"note: {old} is of {sides[0].endpoint}, {new} of {sides[1].endpoint}", err=True)
    work = project.load([manifest], max_cells=max_cells) if manifest else None
    requests = {cell.key: cell.render for cell in work.cells} if work else {}
    estimates = work.estimates() if work else {}
    return Side(history=sides[0].history, requests=requests), Side(
        history=sides[1].history, requests=requests, estimates=estimates
    )


def _since(
    against: str, manifest: Path, max_cells: int | None, lockfile: Path | None, output_dir: Path, *, simulate: bool
) -> tuple[Side, Side, Revision]:
    """Read a manifest and its lockfile as they were, and as they are."""
    from flux_pipeline.cli import project
    from flux_pipeline.cli.revision import revision
    from flux_pipeline.comparison import Side
    from flux_pipeline.errors import UsageError
    from flux_pipeline.ledger import contents

    work = project.load([manifest], max_cells=max_cells, lockfile=lockfile, output_dir=output_dir, simulate=simulate)
    place = work.parts[0].lockfile
    then = revision(against, manifest)
    kept = then.read(place)
    if kept is None:
        raise UsageError(
            f"{place} is not at {against}: nothing to compare with; name a revision at which it is committed"
        )
    past = contents.parse(kept, Path(f"{against}:{place}"))
    if not place.exists():
        click.echo(f"note: {place} is not there now, so nothing counts as paid", err=True)
    cells = _cells(then, manifest, max_cells, simulate=simulate)
    requests = {cell.key: cell.render for cell in (*(cells or ()), *work.cells)}
    return (
        Side(history=past.history, cells=cells, requests=requests),
        Side(history=work.history(), cells=work.cells, estimates=work.estimates()),
        then,
    )


def _cells(then: Revision, manifest: Path, max_cells: int | None, *, simulate: bool) -> tuple[Cell, ...] | None:
    """Return the cells as they were, by the schemas of that time; None, and a word of it, where they cannot be read."""
    from flux_pipeline.cli import project
    from flux_pipeline.errors import UsageError
    from flux_pipeline.manifest.cells import expand
    from flux_pipeline.manifest.schema import Schemas

    name = f"{then.name}:{manifest}"
    source = then.read(manifest, _MOST_BYTES)
    if source is None:
        click.echo(f"note: {manifest} is not at {then.name}: its prompts are unknown there", err=True)
        return None
    with TemporaryDirectory(prefix="flux-pipeline-") as folder:
        try:
            schemas = Schemas((_schemas(then, Path(folder)), Path("schemas")))
            place = project.rehearsed if simulate else None
            read = partial(_rows, then, manifest.parent)
            return expand(source, file=name, schemas=schemas, max_cells=max_cells, place=place, read=read).cells
        except UsageError as error:
            first = str(error).splitlines()[0]
            click.echo(f"note: its prompts are unknown at {then.name}, since it cannot be read: {first}", err=True)
            return None


def _rows(then: Revision, folder: Path, name: str) -> bytes:
    """Return a file of rows as it was beside the manifest; UsageError where it was not there."""
    from flux_pipeline.errors import UsageError

    data = then.read(folder / name, _MOST_ROWS_BYTES)
    if data is None:
        raise UsageError(f"{name} is not at {then.name}, or too large")
    return data


def _schemas(then: Revision, folder: Path) -> Path:
    """Write the schemas of models as they were into a folder: their defaults are part of every request."""
    here = Path("schemas")
    for file in islice(then.files(here / "models"), _MOST_SCHEMAS):
        data = then.read(here / "models" / file, _MOST_BYTES)
        if data is not None and file.name.endswith(".schema.json"):
            kept = folder / "models" / file
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(data)
    return folder


def _make_sure(page: Path) -> None:
    """Refuse to replace anything but a page that this command has made."""
    from flux_pipeline.errors import UsageError
    from flux_pipeline.report.compare_page import MARK

    if page.is_dir() or not page.parent.is_dir():
        raise UsageError(f"-o {page}: name a file in a folder that exists, such as compare.html")
    if page.exists():
        try:
            with page.open("rb") as file:
                ours = file.read(len(MARK)) == MARK.encode()
        except OSError as error:
            raise UsageError(f"-o {page}: {error.strerror}; name another page") from error
        if not ours:
            raise UsageError(f"-o {page} is no page of a comparison, and was left as it is; name another page")


def _write(page: Path, report: Report) -> None:
    """Write the page beside its place, and then give it its name."""
    from flux_pipeline.errors import UsageError
    from flux_pipeline.report.compare_page import page as pieces

    beside = page.with_name(f".{page.name}.part")
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces(report))
        beside.replace(page)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"-o {page}: {error.strerror}; name a page that can be written") from error
