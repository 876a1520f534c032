"""What a command works on: a manifest, read and narrowed, with its lockfile and its places."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import orjson

from flux_pipeline.errors import UsageError
from flux_pipeline.files.save import Files
from flux_pipeline.ledger import contents
from flux_pipeline.ledger.history import History, fold
from flux_pipeline.manifest.cells import Cell, Expansion, expand
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.plan import Plan, narrow, paths_to_survey, plan
from flux_pipeline.price import estimate

SIMULATED = "simulator"  # the endpoint that a rehearsal's lockfile belongs to
_REHEARSALS = "outputs/simulated"
_MOST_BYTES = 2 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A manifest with what surrounds it. `cells` are the selected ones, `root` is where their paths begin."""

    manifest: Path
    expansion: Expansion
    cells: tuple[Cell, ...]
    schemas: Schemas
    lockfile: Path
    root: Path
    simulate: bool

    @property
    def endpoint(self) -> str:
        from flux_pipeline.wiro.client import endpoint  # late: most commands ask nobody, and need no HTTP client

        return SIMULATED if self.simulate else endpoint(os.environ)

    def history(self) -> History:
        """Read the lockfile without holding it; an empty history where there is none."""
        found = contents.read(self.lockfile)
        return fold(()) if found is None else found.history

    def plan(self, history: History) -> Plan:
        """Look at the files and decide every render's step."""
        found = Files(self.root).survey(paths_to_survey(self.cells, history))
        present = {path: getattr(one, "sha256", "") for path, one in found.items()}
        return plan(self.cells, history, present, self.estimates())

    def estimates(self) -> Mapping[str, Decimal | None]:
        """Return the dollars that every render is expected to cost, by key; None where nobody knows."""
        prices = {model: known.price for model in self.models() if (known := self.schemas.model(model))}
        renders = {cell.render.key: cell.render for cell in self.cells}
        return {key: estimate(prices.get(render.model), render.params) for key, render in renders.items()}

    def models(self) -> frozenset[str]:
        return frozenset(cell.render.model for cell in self.cells)


def load(
    manifest: Path,
    *,
    select: Sequence[str] = (),
    limit: int | None = None,
    shard: tuple[int, int] | None = None,
    max_cells: int | None = None,
    lockfile: Path | None = None,
    output_dir: Path = Path(),
    simulate: bool = False,
) -> Project:
    """Read a manifest and everything about it that costs nothing.

    Raises:
        UsageError: it cannot be read, has problems, or nothing of it is selected.
    """
    schemas = Schemas((Path("schemas"),))
    if lockfile is not None and not lockfile.parent.is_dir():
        raise UsageError(f"--lockfile {lockfile}: there is no folder {lockfile.parent}; make it, or name another place")
    source = read_source(manifest)
    expansion = expand(
        source, file=str(manifest), schemas=schemas, max_cells=max_cells, place=rehearsed if simulate else None
    )
    for warning in expansion.warnings:
        click.echo(f"warning: {warning}", err=True)
    suffix = ".simulated.lock" if simulate else ".lock"
    return Project(
        manifest=manifest,
        expansion=expansion,
        cells=narrow(expansion.cells, select=select, limit=limit, shard=shard),
        schemas=schemas,
        lockfile=lockfile or manifest.with_suffix(suffix),
        root=output_dir,
        simulate=simulate,
    )


def read_source(manifest: Path) -> bytes:
    """Return a manifest's bytes; UsageError says why it cannot be one."""
    try:
        descriptor = os.open(manifest, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"{manifest}: {error.strerror}; name a manifest such as manifests/catalog.yaml") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise UsageError(f"{manifest} is not a file; name a manifest such as manifests/catalog.yaml")
    with os.fdopen(descriptor, "rb") as file:
        if status.st_size > _MOST_BYTES:
            raise UsageError(f"{manifest} has {status.st_size:,} bytes, more than the {_MOST_BYTES:,} of a manifest")
        return file.read()


def rehearsed(path: str) -> str:
    """Return where a rehearsal puts a picture: never where paid ones are."""
    return f"{_REHEARSALS}/{path.removeprefix('outputs/')}"


def print_document(document: Any) -> None:
    """Print one JSON document on stdout."""
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
