"""A small run on a disk that fails, once for every call that can fail; and what the next run makes of it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kills import points, warm
from kills.worlds import RUN, Place, Violation, complete

MANIFEST = {
    "version": 1,
    "output": "outputs/{{ entry }}/{{ seed }}.{{ ext }}",
    "run": {"rate": "20/s", "concurrency": 1},
    "entries": [{"id": "hero", "prompt": "A red bottle", "matrix": {"seed": [1, 2], "size": ["64x64"]}}],
}
_ERRORS = {"write": ("ENOSPC", "EIO"), "fsync": ("EIO",), "rename": ("EIO",), "link": ("EIO",), "create": ("EROFS",)}


def failures(folder: Path) -> Iterator[points.Failure]:
    """Yield every failure that a run can meet: each of its calls, failing alone, with all that follow, or halfway."""
    for call, number in _counts(folder).items():
        for at in range(1, number + 1):
            for name in _ERRORS[call]:
                error = getattr(errno, name)
                yield points.Failure(call, at, error)
                yield points.Failure(call, at, error, lasting=True)
            if call == "write":
                yield points.Failure(call, at, errno.ENOSPC, short=True)
                yield points.Failure(call, at, errno.ENOSPC, short=True, lasting=True)


def _counts(folder: Path) -> dict[str, int]:
    place = Place(folder, MANIFEST)

    def prepare() -> None:
        disk = points.Disk(None, folder / "state")
        disk.install()
        os._exit = _telling(disk, os._exit)

    with warm.Server(folder) as server:
        warm.call(folder, "run", "manifests/m.yaml", environ=server.environ, prepare=prepare)
    counts: dict[str, int] = json.loads((folder / "counts").read_text())
    assert place.lockfile.exists()
    return counts


def _telling(disk: points.Disk, leave):
    def told(code: int) -> None:
        Path("counts").write_text(json.dumps(disk.counts()))
        leave(code)

    return told


def fail(failure: points.Failure, folder: Path, prepare: warm.Prepare = lambda: None) -> None:
    """Let a run meet this failure, then end what it began; Violation says what did not hold."""
    place = Place(folder, MANIFEST)
    state = folder / "state"

    def break_disk() -> None:
        points.Disk(failure, state).install()
        prepare()

    with warm.Server(folder) as server:
        broken = warm.call(folder, *RUN, environ=server.environ | {"XDG_STATE_HOME": str(state)}, prepare=break_disk)
        try:
            _judge_broken(broken, place, server)
            complete(place, server)
        except Violation as violation:
            lock = place.lockfile.read_text() if place.lockfile.exists() else "no lockfile"
            told = (f"{failure}: {violation}", f"exit {broken.code}", broken.err, *map(str, server.rows()), lock)
            raise Violation("\n".join(told)) from None


def _judge_broken(broken: warm.Done, place: Place, server: warm.Server) -> None:
    if broken.signal or broken.code not in {0, 6}:
        raise Violation(f"ended with exit {broken.code}, signal {broken.signal}")
    if broken.ugly:
        raise Violation(broken.ugly)
    late = place.folder / points.LATE
    if broken.code and late.exists():
        raise Violation("a POST left after the disk had failed")
    rows = server.rows()
    if place.lockfile.exists():
        place.look()
        place.announced(rows)
    saved = "".join(path.read_text() for path in (place.folder / "state").rglob("*.lock"))
    for row in rows:
        name = f'"task": "{row.task}"'
        if row.task not in place.known and (name not in saved or name not in broken.err):
            raise Violation(f"task {row.task} is neither in the lockfile nor in an emergency file and on stderr")


@dataclass(frozen=True, slots=True)
class Unwritable:
    """Why nothing can be saved below `outputs`."""

    error: int

    def __str__(self) -> str:
        return f"outputs cannot be written: {os.strerror(self.error)}"


UNWRITABLE = tuple(Unwritable(error) for error in (errno.EROFS, errno.EACCES, errno.ENOSPC, errno.ENOTDIR))


def refuse(why: Unwritable, folder: Path) -> None:
    """Begin a run that could save nothing; it has to end before anything is sent."""
    place = Place(folder, MANIFEST)
    real = os.open

    def refusing(path: str, flags: int, *rest: object, **how: object) -> int:
        if flags & os.O_CREAT and str(path).endswith(".part"):
            raise OSError(why.error, os.strerror(why.error))
        return real(path, flags, *rest, **how)

    def prepare() -> None:
        os.open = refusing

    if why.error == errno.ENOTDIR:
        (folder / "outputs").write_text("a file, and not a folder")
    with warm.Server(folder) as server:
        done = warm.call(folder, "run", "manifests/m.yaml", environ=server.environ, prepare=prepare)
        made, intended = server.rows(), [line for line in place.lines() if "intended_at" in line]
    if done.code != 6 or done.ugly or made or intended:
        raise Violation(f"{why}: exit {done.code}, {len(made)} tasks, {len(intended)} intents\n{done.err}")
