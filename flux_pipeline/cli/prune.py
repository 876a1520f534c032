"""`prune`: forget and remove what the manifest no longer names."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import click

from flux_pipeline.cli import options, voice

if TYPE_CHECKING:
    from flux_pipeline.cli.project import Project
    from flux_pipeline.ledger.history import History
    from flux_pipeline.ledger.prune import Pruning


@click.command()
@options.together(
    options.manifests,
    options.flag("--dry-run", is_flag=True, help="Say what would go, and change nothing."),
    options.select,
    options.max_cells,
    options.lockfile,
    options.output_dir,
    options.simulate,
    options.output_style,
)
def command(as_json: bool, dry_run: bool, select: tuple[str, ...], **scope: Any) -> None:
    """Remove the records and files that MANIFEST no longer names from its lockfile and its outputs.

    What runs, or may run, is kept, and so is every file that is not as it was saved. Try --dry-run first.
    """
    from flux_pipeline.cli import project, reclaim
    from flux_pipeline.files.remove import remove
    from flux_pipeline.report.text import known

    work = project.load(**scope)
    if dry_run or not work.has_lockfile:
        pruning = _decide(work, work.history(), select)
    else:
        with reclaim.holding(work) as lockfile:
            pruning = _decide(work, lockfile.history, select)
            for path, sums in pruning.files.items():
                remove(work.root, path, sums)
            lockfile.keep(pruning.left)
    if as_json:
        project.print_document(_document(pruning, dry_run=dry_run))
    else:
        for line in _text(pruning, dry_run=dry_run):
            voice.echo(line)
    if (spent := _spent(pruning)) or _unpriced(pruning):
        forgets = "would forget" if dry_run else "forgets"
        voice.echo(
            f"the lockfile {forgets} {known(spent, _unpriced(pruning))} of spending: "
            "wanting these pictures again would pay again",
            err=True,
        )


def _decide(work: Project, history: History, select: tuple[str, ...]) -> Pruning:
    from flux_pipeline.files.save import Files
    from flux_pipeline.ledger.prune import prune

    wanted: dict[str, list[str]] = {}
    for cell in work.cells:
        wanted.setdefault(cell.key, []).append(cell.path)
    derived = {one.path for cell in work.cells for one in cell.derived}
    recorded = [facts for one in history.submissions.values() for facts in (one.files, one.derived)]
    paths = {path for each in (*wanted.values(), *recorded, derived) for path in each}
    found = Files(work.root).survey(paths)
    present = {path: getattr(one, "sha256", "") for path, one in found.items()}
    chosen = {
        one.id
        for one in history.submissions.values()
        if not select or any(fnmatchcase(one.cell or "", glob) for glob in select)
    }
    return prune(history, wanted, present, chosen, derived)


def _spent(pruning: Pruning) -> Decimal:
    return sum((one.reserved for one in pruning.records), Decimal(0))


def _unpriced(pruning: Pruning) -> int:
    return sum(one.unpriced for one in pruning.records)


def _text(pruning: Pruning, *, dry_run: bool) -> Iterator[str]:
    from flux_pipeline.report.controls import plain

    for one in pruning.records:
        yield plain(f"record  {one.cell or one.key}{'  task ' + one.task if one.task else ''}")
    for path in pruning.files:
        yield plain(f"file    {path}")
    for kept in pruning.kept:
        yield plain(f"kept    {kept.cell}  {kept.what}  {kept.reason}")
    done = "would go" if dry_run else "gone"
    yield f"{len(pruning.records)} records and {len(pruning.files)} files {done}, {len(pruning.kept)} kept"


def _document(pruning: Pruning, *, dry_run: bool) -> dict[str, Any]:
    from flux_pipeline.report.documents import dollars, total

    return {
        "dry_run": dry_run,
        "counts": {"records": len(pruning.records), "files": len(pruning.files), "kept": len(pruning.kept)},
        **total("cost_usd", _spent(pruning), _unpriced(pruning)),
        "records": [
            {
                "id": one.id,
                "cell": one.cell,
                "key": one.key,
                "task": one.task,
                "cost_usd": dollars(None if one.unpriced else one.reserved),
            }
            for one in pruning.records
        ],
        "files": list(pruning.files),
        "kept": [{"cell": one.cell, "what": one.what, "reason": one.reason} for one in pruning.kept],
    }
