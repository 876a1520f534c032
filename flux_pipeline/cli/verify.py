"""`verify`: the files against the lockfile, without asking anybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import click

from flux_pipeline.cli import options, voice

if TYPE_CHECKING:
    from flux_pipeline.cli.project import Project
    from flux_pipeline.derivation import Derivation
    from flux_pipeline.files.checker import Checker
    from flux_pipeline.files.ground import Found, Obstacle
    from flux_pipeline.ledger.facts import FileFact
    from flux_pipeline.ledger.history import History
    from flux_pipeline.manifest.cells import Cell

State = Literal["ok", "missing", "changed", "wrong"]
STATES = ("ok", "missing", "changed", "wrong")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one file of a cell is; `reason` is empty where it is as it should be."""

    cell: str
    key: str
    path: str
    state: State
    reason: str = ""


@click.command()
@options.scope
def command(as_json: bool, **scope: Any) -> int:
    """Check the pictures of MANIFEST against its lockfile: missing, changed, or not what they should be.

    Nothing is asked of the service, and nothing is written.
    """
    from flux_pipeline.cli import project
    from flux_pipeline.files.checker import Checker
    from flux_pipeline.report.controls import plain

    work = project.load(**scope)
    history = work.history()
    with Checker() as checker, ThreadPoolExecutor() as workers:
        verdicts = list(workers.map(lambda one: _checked(work, checker, *one), _compared(work, history)))
        verdicts += workers.map(lambda one: _derived(work, checker, one), work.derivations(history))
    counts = Counter(str(one.state) for one in verdicts)
    if as_json:
        rows = [
            {"cell": one.cell, "key": one.key, "path": one.path, "state": one.state, "reason": one.reason}
            for one in verdicts
        ]
        project.print_document({"counts": {state: counts[state] for state in STATES}, "files": rows})
    else:
        for one in verdicts:
            if one.state != "ok":
                voice.echo(plain(f"{one.state:<8} {one.path}  {one.reason}"))
        voice.echo(", ".join(f"{counts[state]} {state}" for state in STATES if counts[state] or state == "ok"))
    return 0 if counts["ok"] == len(verdicts) else 1


def _compared(work: Project, history: History) -> Iterator[tuple[Cell, Verdict, FileFact | None]]:
    """Yield every cell with what its file's sum says, and the fact that a sound file has to match."""
    from flux_pipeline.files.save import Files
    from flux_pipeline.plan import paths_to_survey

    found = Files(work.root).survey(paths_to_survey(work.cells, history))
    others = {(path, fact.sha256) for one in history.submissions.values() for path, fact in one.files.items()}
    for cell in work.cells:
        recorded = {fact.sha256: fact for one in history.of(cell.key) for fact in one.files.values()}
        there = found.get(cell.path)
        fact = recorded.get(getattr(there, "sha256", ""))
        if fact is not None:
            yield cell, _verdict(cell, "ok"), fact
        else:
            yield cell, _without_fact(cell, there, recorded, others), None


def _without_fact(
    cell: Cell, there: Found | Obstacle | None, recorded: Mapping[str, FileFact], others: set[tuple[str, str]]
) -> Verdict:
    from flux_pipeline.files.ground import Obstacle

    match there:
        case None if recorded:
            return _verdict(
                cell, "missing", "it was saved and is not there any more: `flux-pipeline run` brings it back"
            )
        case None:
            return _verdict(cell, "missing", "it was never saved: `flux-pipeline run` makes or fetches it")
        case Obstacle(reason):
            return _verdict(cell, "wrong", reason)
        case _ if (cell.path, there.sha256) in others:
            return _verdict(cell, "wrong", "it is the picture of another render: `flux-pipeline run` replaces it")
        case _ if recorded:
            return _verdict(cell, "changed", "it is not the file that was saved: its sha256 differs")
        case _:
            return _verdict(cell, "wrong", "the lockfile knows nothing of this file")


def _verdict(cell: Cell, state: State, reason: str = "") -> Verdict:
    return Verdict(cell=cell.id, key=cell.key, path=cell.path, state=state, reason=reason)


def _checked(work: Project, checker: Checker, cell: Cell, verdict: Verdict, fact: FileFact | None) -> Verdict:
    """Decode a file that has the right sum: what was recorded has to be what the render asked for."""
    from flux_pipeline.files.image import Expect, Rejected

    if fact is None:
        return verdict
    wanted = (cell.params.get("width", fact.width), cell.params.get("height", fact.height))
    if wanted != (fact.width, fact.height):
        was = f"{fact.width}x{fact.height}"
        return _verdict(cell, "wrong", f"the lockfile says {was}, the render asks for {wanted[0]}x{wanted[1]}")
    form = str(cell.params.get("outputFormat", "png"))
    judged = checker.inspect(
        work.root.absolute() / cell.path, Expect(format=form, width=fact.width, height=fact.height, bytes=fact.bytes)
    )
    return _verdict(cell, "wrong", judged.reason) if isinstance(judged, Rejected) else verdict


_OF_DERIVED: Mapping[str, State] = {"made": "ok", "missing": "missing", "changed": "changed", "outdated": "wrong"}


def _derived(work: Project, checker: Checker, one: Derivation) -> Verdict:
    """Say how a derived file is, and decode it if it has the right sum and its picture is there to know its size."""
    from flux_pipeline.files.image import Expect, Rejected

    state, reason = _OF_DERIVED[one.state], one.reason
    if state == "ok" and one.picture is not None:
        width, height = one.recipe.size(one.picture.width, one.picture.height)
        expect = Expect(format=one.recipe.format, width=width, height=height, bytes=None, derived=True)
        judged = checker.inspect(work.root.absolute() / one.path, expect)
        if isinstance(judged, Rejected):
            state, reason = "wrong", judged.reason
    return Verdict(cell=one.cell, key=one.render.key, path=one.path, state=state, reason=reason)
