"""`promote`: the approved pictures, copied to where they are used."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flux_pipeline.cli import options, voice

if TYPE_CHECKING:
    from flux_pipeline.cli.project import Project
    from flux_pipeline.cli.transfer import Done
    from flux_pipeline.ledger.history import History
    from flux_pipeline.review.promotion import Gone, Wanted
    from flux_pipeline.review.standing import Standing

STATES = ("promoted", "kept", "missing", "in the way")
GONE = ("pruned", "left", "stale")
_WOULD = {"promoted": "would promote", "pruned": "would prune", "left": "would leave"}


class _Folder(click.Path):
    """A folder that is named: without a name it would be the one that the shell is in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("it names no folder: write one such as assets, or . for the one that you are in", param, ctx)
        return super().convert(value, param, ctx)


@click.command()
@options.together(
    options.manifests,
    options.flag(
        "--to", "folder", type=_Folder(path_type=Path), required=True, envvar=None, help="Copy them into this folder."
    ),
    options.flag("--dry-run", is_flag=True, help="Say what would be copied, and change nothing."),
    options.flag("--prune", is_flag=True, help="Remove what was promoted before and is no longer approved."),
    options.select,
    options.max_cells,
    options.lockfile,
    options.output_dir,
    options.simulate,
    options.output_style,
)
def command(as_json: bool, folder: Path, dry_run: bool, prune: bool, select: tuple[str, ...], **scope: Any) -> int:
    """Copy the approved pictures of MANIFEST, and what is derived of them, into a folder under stable names.

    A picture has the name that it has below outputs/. What a promotion has put there is recorded in promoted.json beside it,
    and nothing else is ever replaced or removed.
    """
    from flux_pipeline.cli import project
    from flux_pipeline.cli.transfer import Done, carry_out, look
    from flux_pipeline.files.exhibit import Exhibit
    from flux_pipeline.review import promotion

    work = project.load(**scope, select=select)
    _is_for_promotions(work, folder)
    history = work.history()
    found = work.standings(history)
    wanted = promotion.apart(_wanted(work, history, found, folder))
    exhibit = Exhibit(folder)
    gone: list[Gone] = []
    done: list[Done] = []
    if wanted or folder.is_dir():
        with nullcontext() if dry_run else exhibit.held():
            index = promotion.read(
                exhibit.read(promotion.INDEX), str(folder / promotion.INDEX), simulated=work.simulate
            )
            ours = [_from_here(part.manifest, folder) for part in work.parts]
            old = list(promotion.stale(index, wanted, ours, lambda cell: _chosen(cell, select)))
            there = look(exhibit, [*(one.name for one in wanted), *old])
            done = [Done(one, *promotion.decide(one, there.get(one.name), index, _lives(folder))) for one in wanted]
            gone = [promotion.part(name, there.get(name), index, prune=prune) for name in old]
            if not dry_run:
                done, gone = carry_out(work, exhibit, index, there, done, gone)
    void = [one for one in found if one.state == "void"]
    if as_json:
        project.print_document(_document(folder, done, void, gone, dry_run=dry_run))
    else:
        review = options.written("review", scope | {"select": select})
        for line in _text(folder, done, void, gone, review=review, dry_run=dry_run):
            voice.echo(line)
    sound = all(one.state in ("promoted", "kept") for one in done) and all(one.state != "left" for one in gone)
    return 0 if sound else 1


def _lives(folder: Path) -> Callable[[str], bool]:
    return lambda manifest: (folder / manifest).exists()


def _chosen(cell: str, select: Sequence[str]) -> bool:
    return not select or any(fnmatchcase(cell, glob) for glob in select)


def _from_here(manifest: Path, folder: Path) -> str:
    """Return the way to a manifest from the folder, which is the same wherever the command is run."""
    return Path(os.path.relpath(manifest.resolve(), folder.resolve())).as_posix()


def _wanted(work: Project, history: History, found: Sequence[Standing], folder: Path) -> Iterator[Wanted]:
    """Yield every file of the approved pictures, also where it is not on disk as it was approved."""
    from flux_pipeline.review.promotion import Wanted, name_of

    manifests = {id(cell): _from_here(part.manifest, folder) for part in work.parts for cell in part.expansion.cells}
    # An approval that is void only because of the file is still one: the picture of that key is not on disk.
    approved = [
        one
        for one in found
        if one.decision and one.decision.verdict == "approved" and one.decision is history.decision(one.cell.key)
    ]
    derived = {one.path: one for one in replace(work, cells=tuple(one.cell for one in approved)).derivations(history)}
    paths = {one.cell.path for one in approved}
    lost = paths - {path for path in paths if (work.root / path).is_file()}
    for one in approved:
        cell, decision = one.cell, one.decision
        if decision is None:
            continue
        absent = "it is not on disk: `flux-pipeline run` brings it back" if cell.path in lost else one.reason
        of = {"cell": cell.id, "key": cell.key, "manifest": manifests[id(cell)]}
        yield Wanted(name=name_of(cell.path), path=cell.path, sums=frozenset({decision.sha256}), absent=absent, **of)
        for each in cell.derived:
            known = [each_of.derived.get(each.path) for each_of in history.of(cell.key)]
            sums = frozenset(
                fact.sha256
                for fact in known
                if fact and fact.master == decision.sha256 and fact.recipe == each.recipe.digest()
            )
            how = derived[each.path]
            yield Wanted(name=name_of(each.path), path=each.path, sums=sums, absent=absent or how.reason, **of)


def _is_for_promotions(work: Project, folder: Path) -> None:
    """Refuse what is no folder, and where the pictures themselves are: nothing may replace or remove those."""
    from flux_pipeline.errors import UsageError
    from flux_pipeline.files.exhibit import obstacle
    from flux_pipeline.review.promotion import name_of

    if what := obstacle(folder):
        raise UsageError(f"--to {folder}: {what}: name a folder, which is made where there is none")
    there, root = folder.resolve(), work.root.resolve()
    around = {there, *there.parents}
    for part in work.parts:
        for cell in part.expansion.cells:
            theirs = root / "outputs" if cell.path.startswith("outputs/") else (root / cell.path).parent
            if (theirs in around and theirs != root) or there / name_of(cell.path) == root / cell.path:
                raise UsageError(
                    f"--to {folder}: the pictures themselves are there: name another folder, such as assets"
                )


def _text(
    folder: Path, done: Sequence[Done], void: Sequence[Standing], gone: Sequence[Gone], *, review: str, dry_run: bool
) -> Iterator[str]:
    """Yield what there is to say; `review` is the command by which something comes to be approved."""
    from flux_pipeline.report.controls import plain

    rows = [
        *((one.state, one.wanted.name, one.reason) for one in done),
        *(("void", each.cell.id, each.reason) for each in void),
        *((other.state, other.name, other.reason) for other in gone),
    ]
    words, width = (_WOULD, 13) if dry_run else ({}, 10)
    for state, name, reason in rows:
        if state != "kept":
            yield plain(f"{words.get(state, state):<{width}} {name}{'  ' + reason if reason else ''}")
    if not done:
        yield plain(f"nothing is approved: `{review}` is where to look and decide")
    counts = Counter(str(state) for state, _, _ in rows)
    told = [f"{counts[state]} {state}" for state in (*STATES, *GONE, "void") if counts[state]] or ["0 promoted"]
    yield plain(f"{folder}: {'would be: ' if dry_run else ''}{', '.join(told)}")


def _document(
    folder: Path, done: Sequence[Done], void: Sequence[Standing], gone: Sequence[Gone], *, dry_run: bool
) -> dict[str, Any]:
    counts = Counter(str(one.state) for one in done)
    parted = {state: [one.name for one in gone if one.state == state] for state in GONE}
    return {
        "to": str(folder),
        "dry_run": dry_run,
        "counts": {state.replace(" ", "_"): counts[state] for state in STATES}
        | {"void": len(void)}
        | {state: len(names) for state, names in parted.items()},
        "files": [
            {
                "name": one.wanted.name,
                "state": one.state.replace(" ", "_"),
                "reason": one.reason,
                "path": one.wanted.path,
                "cell": one.wanted.cell,
                "key": one.wanted.key,
            }
            for one in done
        ],
        "void": [{"cell": one.cell.id, "key": one.cell.key, "reason": one.reason} for one in void],
    } | parted
