"""`merge`: lockfiles into one, no task id ever lost; also the answer to conflict markers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flux_pipeline.cli import options, voice

if TYPE_CHECKING:
    from flux_pipeline.ledger.contents import Contents
    from flux_pipeline.ledger.history import History


@click.command()
@click.argument("lockfiles", type=options.LOCKFILE, nargs=-1, required=True, metavar="LOCKFILE...")
@options.flag(
    "-o", "--output", "--lockfile", type=options.LOCKFILE, envvar=None, help="Where to write; one LOCKFILE is its own."
)
@options.output_style
def command(lockfiles: tuple[Path, ...], output: Path | None, as_json: bool) -> None:
    """Merge every LOCKFILE into one, which knows every task that any of them knows.

    A file with the conflict markers of a git merge is read as the union of both sides. An output that exists is merged
    too. Renders that were paid for on both sides are reported: both tasks stay.
    """
    from flux_pipeline.audit import doubles
    from flux_pipeline.cli import project

    if output is None and len(lockfiles) > 1:
        raise click.UsageError("say where the union goes: -o LOCKFILE")
    place = output or lockfiles[0]
    endpoint, history, markers = _merge(lockfiles, place)
    twice = doubles(history)
    for key, ids in twice.items():
        voice.echo(f"double: {_cell(history, key)}: tasks {', '.join(ids)} are both paid for, or may be", err=True)
    tasks = len(history.claimed())
    if as_json:
        project.print_document(
            {
                "lockfile": str(place),
                "endpoint": endpoint,
                "merged": [str(path) for path in lockfiles],
                "counts": {"submissions": len(history.submissions), "tasks": tasks, "conflict_markers": markers},
                "doubles": [{"key": key, "cell": _cell(history, key), "tasks": ids} for key, ids in twice.items()],
            }
        )
        return
    conflict = ", both sides of the conflict kept" if markers else ""
    voice.echo(f"{place}: {len(history.submissions)} submissions with {tasks} tasks{conflict}", err=True)


def _merge(lockfiles: tuple[Path, ...], place: Path) -> tuple[str, History, int]:
    """Read, join and write under the lock of the place; nothing is written unless everything can be read."""
    from flux_pipeline.errors import DiskError, LockfileDamaged, UsageError
    from flux_pipeline.ledger import lockfile
    from flux_pipeline.ledger.hold import held
    from flux_pipeline.ledger.merge import union

    sources = list(dict.fromkeys(lockfiles))
    if not place.parent.is_dir():
        raise UsageError(f"{place}: its folder does not exist; make it first")
    with held(place):
        if place not in sources and (place.exists() or place.is_symlink()):
            sources.append(place)
        read = [(path, *_read(path)) for path in sources]
        try:
            endpoint, history = union((path, contents) for path, contents, _ in read)
        except ValueError as error:
            raise LockfileDamaged(f"{error}: one of the lockfiles was changed by hand; nothing was written") from error
        for path, contents, _ in read:
            if contents.torn and not _counted(contents):
                try:
                    aside = lockfile.set_aside(place, contents.torn)
                except OSError as error:
                    raise DiskError(f"{place}: {error.strerror}; make room there and merge again") from error
                voice.echo(f"note: the unfinished last line of {path} is kept as {aside}", err=True)
        lockfile.replace(place, endpoint, history.submissions.values())
    return endpoint, history, sum(markers for _, _, markers in read)


def _counted(contents: Contents) -> bool:
    from flux_pipeline.ledger.contents import whole

    return whole(contents.torn) is not None


def _read(path: Path) -> tuple[Contents, int]:
    from flux_pipeline.errors import UsageError
    from flux_pipeline.ledger.contents import read_bytes
    from flux_pipeline.ledger.merge import read_both_sides

    data = read_bytes(path)
    if data is None:
        raise UsageError(f"{path}: there is no such file; name lockfiles such as manifests/catalog.lock")
    return read_both_sides(data, path)


def _cell(history: History, key: str) -> str:
    return next((one.cell for one in history.of(key) if one.cell), key)
