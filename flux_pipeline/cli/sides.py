"""The two sides of a comparison, as `compare` reads them: two lockfiles, or a manifest at a revision of git and now."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from flux_pipeline.cli import project, voice
from flux_pipeline.cli.project import Project
from flux_pipeline.cli.revision import Revision, revision
from flux_pipeline.cli.sources import say_if_torn
from flux_pipeline.comparison import Comparison, Side
from flux_pipeline.errors import LockfileDamaged, UsageError
from flux_pipeline.ledger import contents
from flux_pipeline.ledger.contents import Contents
from flux_pipeline.ledger.history import fold
from flux_pipeline.manifest.cells import Cell, expand
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.report.compare import NO_PROMPTS, Look, Report

_MOST_BYTES = 2 << 20  # of a manifest or a schema, as they were
_MOST_ROWS_BYTES = 16 << 20
_MOST_SCHEMAS = 200
_MANIFESTS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both sides with their names; `then` is the revision of the old one, None where two lockfiles were named.

    `mixed` says which of them is a rehearsal, where the other one is not; `unread` says which prompts could not be read and why; `unknown` why a prompt may not be known.
    """

    old: Side
    new: Side
    names: tuple[str, str]
    then: Revision | None = None
    simulated: bool = False
    mixed: str = ""
    unread: str = ""
    unknown: str = NO_PROMPTS

    def report(
        self, comparison: Comparison, looks: Mapping[str, tuple[Look | None, Look | None]], command: str
    ) -> Report:
        """Return what there is to tell of them; `command` writes the page."""
        return Report(
            comparison=comparison,
            old=self.names[0],
            new=self.names[1],
            looks=looks,
            simulated=self.simulated,
            mixed=self.mixed,
            unread=self.unread,
            unknown=self.unknown,
            command=command,
        )


def named(old: Path, new: Path, manifest: Path | None, max_cells: int | None) -> Sides:
    """Read two lockfiles; a manifest says what is behind those keys that it has.

    Raises:
        UsageError: one is not there, or is a manifest.
    """
    before, after = _lockfile(old), _lockfile(new)
    if before.endpoint != after.endpoint:
        voice.echo(f"note: {old} is of {before.endpoint}, {new} of {after.endpoint}", err=True)
    rehearsals = [path for path, side in ((old, before), (new, after)) if side.endpoint == project.SIMULATED]
    work = project.load([manifest], max_cells=max_cells) if manifest else None
    requests = {cell.key: cell.render for cell in work.cells} if work else {}
    order = tuple(cell.id for cell in work.cells) if work else ()
    missing = f"{manifest} does not ask for some of these requests now, so their prompts are unknown"
    return Sides(
        old=Side(history=before.history, requests=requests, order=order),
        new=Side(history=after.history, requests=requests, estimates=work.estimates() if work else {}, order=order),
        names=(str(old), str(new)),
        simulated=len(rehearsals) == 2,
        mixed=f"{rehearsals[0]} is of a rehearsal: nothing was paid there" if len(rehearsals) == 1 else "",
        unknown=f"{missing}; compare it with --against REV to know those of a revision" if work else NO_PROMPTS,
    )


def _lockfile(path: Path) -> Contents:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        what = "a folder" if path.is_dir() else "a symbolic link" if path.is_symlink() else "no regular file"
        raise UsageError(f"{path} is {what}; name lockfiles such as manifests/catalog.lock")
    try:
        with _asking_nobody():
            found = contents.read(path)
    except LockfileDamaged as error:
        if path.suffix.lower() not in _MANIFESTS:
            raise
        raise UsageError(
            f"{path} is a manifest; use --against REV: flux-pipeline compare {shlex.quote(str(path))} --against main, "
            "or name two lockfiles"
        ) from error
    if found is None:
        raise UsageError(f"{path}: there is no such file; name lockfiles such as manifests/catalog.lock")
    return _whole(found, path)


@contextmanager
def _asking_nobody() -> Iterator[None]:
    """Leave out of what is said of a damaged lockfile that nothing was sent: nothing ever is, here."""
    try:
        yield
    except LockfileDamaged as error:
        raise LockfileDamaged(str(error).removesuffix(contents.NOTHING_SENT)) from error


def _whole(found: Contents, path: Path | str) -> Contents:
    """Say so where a lockfile's last line was not read; what its line ends with is missing."""
    say_if_torn(found, path)
    return found


def since(against: str, work: Project, max_cells: int | None) -> Sides:
    """Read one manifest and its lockfile as they were, and as they are.

    Raises:
        UsageError: there is no such revision, or no lockfile there.
    """
    manifest, place = work.parts[0].manifest, work.parts[0].lockfile
    then = revision(against, manifest)
    kept = then.read(place)
    if kept is None:
        raise UsageError(
            f"{place} is not at {against}: nothing to compare with; name a revision at which it is committed"
        )
    with _asking_nobody():
        past = _whole(contents.parse(kept, Path(f"{against}:{place}")), f"{place} at {against}")
        present = contents.read(place)
    if present is not None:
        _whole(present, place)
    else:
        voice.echo(f"note: {place} is not there now, so nothing counts as paid", err=True)
    cells, unread = _cells(then, manifest, max_cells, simulate=work.simulate)
    if unread:
        voice.echo(f"note: {unread}", err=True)
    requests = {cell.key: cell.render for cell in (*(cells or ()), *work.cells)}
    return Sides(
        old=Side(history=past.history, cells=cells, requests=requests),
        new=Side(history=present.history if present else fold(()), cells=work.cells, estimates=work.estimates()),
        names=(f"{manifest} at {against}", f"{manifest} now"),
        then=then,
        simulated=work.simulate,
        unread=unread,
    )


def _cells(
    then: Revision, manifest: Path, max_cells: int | None, *, simulate: bool
) -> tuple[tuple[Cell, ...] | None, str]:
    """Return the cells as they were, by the schemas of that time; None, and why, where they cannot be read."""
    source = then.read(manifest, _MOST_BYTES)
    if source is None:
        return None, f"the prompts are unknown at {then.name}: {manifest} is not there, or too large"
    with TemporaryDirectory(prefix="flux-pipeline-") as folder:
        try:
            schemas = Schemas((_schemas(then, Path(folder)), Path("schemas")))
            place = project.rehearsed if simulate else None
            read = partial(_rows, then, manifest.parent)
            name = f"{then.name}:{manifest}"
            return expand(source, file=name, schemas=schemas, max_cells=max_cells, place=place, read=read).cells, ""
        except UsageError as error:
            why = str(error).splitlines()[0]
            return None, f"the prompts are unknown at {then.name}, since {manifest} cannot be read there: {why}"


def _rows(then: Revision, folder: Path, name: str) -> bytes:
    """Return a file of rows as it was beside the manifest; UsageError where it was not there."""
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
