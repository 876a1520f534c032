"""What a command works on: a manifest, read and narrowed, with its lockfile and its places."""

from __future__ import annotations

import gc
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Any

import orjson

from flux_pipeline import derivation
from flux_pipeline.cli import voice
from flux_pipeline.cli.part import Part, keep_apart
from flux_pipeline.cli.sources import can_write, is_no_folder, read_source, reader_beside, say_if_torn
from flux_pipeline.derivation import Derivation, Saving
from flux_pipeline.errors import ManifestError, Problem, UsageError
from flux_pipeline.files.save import Files
from flux_pipeline.ledger import contents
from flux_pipeline.ledger.history import History, fold
from flux_pipeline.ledger.keys import Render
from flux_pipeline.manifest.cells import Cell, expand
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.manifest.settings import RunSettings, strictest
from flux_pipeline.plan import Plan, Price, narrow, paths_to_survey, plan
from flux_pipeline.price import estimator
from flux_pipeline.review import standing
from flux_pipeline.review.standing import Standing

SIMULATED = "simulator"  # the endpoint that a rehearsal's lockfile belongs to
_REHEARSALS = "outputs/simulated"
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Manifests with what surrounds them. `cells` are the selected ones, `root` is where their paths begin."""

    parts: tuple[Part, ...]
    cells: tuple[Cell, ...]
    schemas: Schemas
    root: Path
    simulate: bool

    @property
    def names(self) -> str:
        """The manifests as they stand on a command line."""
        return shlex.join(str(part.manifest) for part in self.parts)

    @property
    def origin(self) -> dict[str, Any]:
        """What a JSON document says about where it comes from: lists, where there are several manifests."""
        manifests = [str(part.manifest) for part in self.parts]
        lockfiles = [str(part.lockfile) for part in self.parts]
        alone = len(self.parts) == 1
        return {"manifest": manifests[0] if alone else manifests, "lockfile": lockfiles[0] if alone else lockfiles}

    @property
    def sources(self) -> tuple[Path, ...]:
        """Every file that it was read from; the lockfiles are not among them."""
        named = (file for part in self.parts for file in (part.manifest, *part.rows))
        return (*named, *self.schemas.files())

    @property
    def settings(self) -> RunSettings:
        """What the manifests' `run:` allow together."""
        return strictest(part.expansion.manifest.run for part in self.parts)

    @property
    def has_lockfile(self) -> bool:
        return any(part.lockfile.exists() for part in self.parts)

    @property
    def endpoint(self) -> str:
        from flux_pipeline.wiro.client import endpoint  # late: most commands ask nobody, and need no HTTP client

        return SIMULATED if self.simulate else endpoint(os.environ)

    @property
    def selected(self) -> list[tuple[str, list[Cell]]]:
        """The selected cells of each manifest, by its name."""
        if len(self.parts) == 1:
            return [(str(self.parts[0].manifest), [*self.cells])]
        chosen = frozenset(map(id, self.cells))
        return [
            (str(part.manifest), [cell for cell in part.expansion.cells if id(cell) in chosen]) for part in self.parts
        ]

    def history(self, *, aloud: bool = False) -> History:
        """Read the lockfiles without holding them; `aloud` says where a last line was not read."""
        found = [(each, part.lockfile) for part in self.parts if (each := contents.read(part.lockfile))]
        for torn in found if aloud else ():
            say_if_torn(*torn)
        return fold(one for each, _ in found for one in each.history.submissions.values())

    def plan(self, history: History) -> Plan:
        """Look at the files and decide every render's step."""
        found = Files(self.root).survey(paths_to_survey(self.cells, history))
        present = {path: getattr(one, "sha256", "") for path, one in found.items()}
        with _all_for_good():
            return plan(self.cells, history, present, self.price())

    @property
    def derives(self) -> bool:
        return any(cell.derived for cell in self.cells)

    def derivations(self, history: History) -> tuple[Derivation, ...]:
        """Look at the files and say how each stands that is to be derived."""
        if not self.derives:
            return ()
        found = Files(self.root).survey(derivation.paths_to_survey(self.cells))
        present = {path: getattr(one, "sha256", "") for path, one in found.items()}
        return derivation.derivations(self.cells, history, present)

    def standings(self, history: History) -> tuple[Standing, ...]:
        """Say what was decided on every cell's picture; only files on which somebody decided are looked at."""
        found = Files(self.root).survey(standing.paths_to_survey(self.cells, history))
        present = {path: getattr(one, "sha256", "") for path, one in found.items()}
        return standing.standings(self.cells, history, present)

    def saving(self, derivations: Sequence[Derivation]) -> Saving:
        """Say what deriving files saves against rendering each of them at its own size."""
        price = self.price()

        def instead(one: Derivation) -> Decimal | None:
            params = dict(one.render.params)
            width, height = params.get("width"), params.get("height")
            if isinstance(width, int) and isinstance(height, int):
                params["width"], params["height"] = one.recipe.size(width, height)
            return price(Render(model=one.render.model, params=params, key=one.render.key))

        return derivation.saving(derivations, instead)

    def price(self) -> Price:
        """Return what tells the dollars that a render is expected to cost; None where nobody knows."""
        known = ((model, self.schemas.model(model)) for model in self.models())
        by_model = {model: estimator(schema.price) for model, schema in known if schema}
        return lambda render: by_model[render.model](render.params) if render.model in by_model else None

    def estimates(self) -> Mapping[str, Decimal | None]:
        """Return the dollars that every render is expected to cost, by key; None where nobody knows."""
        price = self.price()
        return {cell.render.key: price(cell.render) for cell in self.cells}

    def notes(self) -> list[str]:
        """Return what was decided for the entries of the selected cells where their manifests say nothing."""
        entries = {cell.entry for cell in self.cells}
        several = len(self.parts) > 1
        return [
            f"{part.manifest}: {note}" if several else str(note)
            for part in self.parts
            for note in part.expansion.notes
            if note.entry in entries
        ]

    def named(self) -> Mapping[str, str]:
        """Return the model of every render that the manifests name, selected or not, by key."""
        return {cell.key: cell.model for part in self.parts for cell in part.expansion.cells}

    def models(self) -> frozenset[str]:
        return frozenset(cell.render.model for cell in self.cells)


@contextmanager
def _all_for_good() -> Iterator[None]:
    """Spare the garbage collector a million small values, of which none is ever garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def load(
    manifests: Sequence[Path],
    *,
    select: Sequence[str] = (),
    limit: int | None = None,
    shard: tuple[int, int] | None = None,
    max_cells: int | None = None,
    lockfile: Path | None = None,
    output_dir: Path = Path(),
    simulate: bool = False,
    strict: bool = False,
) -> Project:
    """Read manifests and everything about them that costs nothing.

    Raises:
        UsageError: one cannot be read or has problems (with `strict`, a warning is one), they are in each other's way, or
            nothing of them is selected.
    """
    _judge_places(manifests, lockfile, output_dir)
    schemas = schemas_in_reach()
    suffix, place = (".simulated.lock", rehearsed) if simulate else (".lock", None)
    parts = []
    problems: list[Problem] = []
    for manifest in manifests:
        beside = reader_beside(manifest)
        try:
            expansion = expand(
                read_source(manifest),
                file=str(manifest),
                schemas=schemas,
                max_cells=max_cells,
                place=place,
                writable=can_write,
                read=beside,
            )
        except ManifestError as error:
            problems += error.problems
            continue
        if strict:
            problems += (replace(warning, severity="error") for warning in expansion.warnings)
        else:
            _warn(expansion.warnings)
        where = lockfile or manifest.with_suffix(suffix)
        parts.append(Part(manifest=manifest, expansion=expansion, lockfile=where, rows=tuple(beside.read)))
    if problems:
        raise ManifestError(tuple(problems))
    gc.freeze()
    keep_apart(parts)
    each = [part.expansion.cells for part in parts]
    cells = each[0] if len(each) == 1 else tuple(chain.from_iterable(each))
    return Project(
        parts=tuple(parts),
        cells=narrow(cells, select=select, limit=limit, shard=shard),
        schemas=schemas,
        root=output_dir,
        simulate=simulate,
    )


def _judge_places(manifests: Sequence[Path], lockfile: Path | None, output_dir: Path) -> None:
    if lockfile is not None and len(manifests) > 1:
        raise UsageError("--lockfile is for one manifest; several have each their own beside them")
    if lockfile is not None and not lockfile.parent.is_dir():
        raise UsageError(f"--lockfile {lockfile}: there is no folder {lockfile.parent}; make it, or name another place")
    if is_no_folder(output_dir):
        raise UsageError(f"--output-dir {output_dir} is no folder, so no picture is there; name a folder")


def _warn(warnings: Iterable[Problem]) -> None:
    for warning in warnings:
        spot: dict[str, Any] = {name: getattr(warning, name) for name in ("file", "line", "column", "code")}
        voice.say(warning.lines, head="warning", level="warning", event="warning", fit=True, **spot)


def schemas_in_reach() -> Schemas:
    """Return the schemas of the folder that a command is run in, before those that came with the program."""
    return Schemas((Path("schemas"),))


def rehearsed(path: str) -> str:
    """Return where a rehearsal puts a picture: never where paid ones are."""
    return f"{_REHEARSALS}/{path.removeprefix('outputs/')}"


def print_lines(lines: Iterable[str]) -> None:
    """Print lines on stdout, many at a time."""
    rest = iter(lines)
    while batch := list(islice(rest, _AT_ONCE)):
        voice.echo("".join(f"{line}\n" for line in batch), lines=True)


def print_document(document: Any) -> None:
    """Print one JSON document on stdout."""
    voice.document(orjson.dumps(document, option=orjson.OPT_INDENT_2))
