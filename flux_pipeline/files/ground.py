"""Look at the ground before a run: what is there already, what may be written, what dead runs left."""

from __future__ import annotations

import fcntl
import os
import stat
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flux_pipeline.errors import DiskError
from flux_pipeline.files import names, place
from flux_pipeline.files.folders import ObstacleError, Tree, disk_error, fsync_folder, split, what_is

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN: Final = 10
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file; `sha256` is empty when it has more bytes than a picture can have and was not read."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that is no regular file, or is not to be reached without following a link; it was not read."""

    reason: str


def survey(tree: Tree, paths: Iterable[str]) -> dict[str, Found | Obstacle]:
    found: dict[str, Found | Obstacle] = {}
    for folders, members in _by_folder(paths).items():
        try:
            fd = tree.open(folders)
        except OSError as error:
            found.update((path, _obstacle(path, error)) for path in members)
            continue
        if fd is None:
            continue
        try:
            for path in members:
                thing = _look(fd, path)
                if thing is not None:
                    found[path] = thing
        finally:
            os.close(fd)
    return found


def preflight(tree: Tree, paths: Iterable[str]) -> None:
    problems: list[DiskError] = []
    try:
        os.close(tree.make(()))
    except OSError as error:
        raise disk_error(tree.root, error) from error
    synced: set[int] = set()
    probed: set[tuple[str, ...]] = set()
    for folders, members in sorted(_by_folder(paths).items()):
        try:
            fd, depth = tree.nearest(folders)
        except OSError as error:
            problems.append(disk_error("/".join(folders), error))
            continue
        try:
            if depth == len(folders):
                problems.extend(_in_the_way(fd, members))
            if folders[:depth] not in probed:
                probed.add(folders[:depth])
                _probe(fd, synced)
        except OSError as error:
            problems.append(disk_error(tree.path(folders[:depth], ""), error))
        finally:
            os.close(fd)
    if problems:
        lines = [str(problem) for problem in problems[:_SHOWN]]
        more = len(problems) - _SHOWN
        raise DiskError(*lines, *([f"… and {more} more of this kind"] if more > 0 else []))


def sweep(tree: Tree, paths: Iterable[str]) -> int:
    swept = 0
    for folders, members in _by_folder(paths).items():
        try:
            fd, depth = tree.nearest(folders)
        except (FileNotFoundError, ObstacleError):
            continue  # nothing of ours can be behind it; survey and preflight report it
        except OSError as error:
            raise disk_error(tree.path(folders, ""), error) from error
        ours = [path.rpartition("/")[2] for path in members] if depth == len(folders) else []
        try:
            with os.scandir(fd) as entries:
                candidates = names.parts_among([entry.name for entry in entries], ours)
            swept += sum(_remove_dead(fd, name) for name in candidates)
        except OSError as error:
            raise disk_error(tree.path(folders, ""), error) from error
        finally:
            os.close(fd)
    return swept


def _by_folder(paths: Iterable[str]) -> dict[tuple[str, ...], list[str]]:
    groups: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for path in paths:
        groups[split(path)[0]].append(path)
    return groups


def _look(fd: int, path: str) -> Found | Obstacle | None:
    try:
        thing = place.contents(fd, path)
    except OSError as error:
        return _obstacle(path, error)
    return None if thing is None else Found(thing.sha256, thing.bytes)


def _obstacle(path: str, error: OSError) -> Obstacle:
    where = error.filename if isinstance(error, ObstacleError) else path
    return Obstacle(f"{where}: {error.strerror or error}")


def _in_the_way(fd: int, members: list[str]) -> list[DiskError]:
    """Complain about every final path that something other than a file has."""
    problems = []
    for path in members:
        with suppress(FileNotFoundError):
            facts = os.stat(path.rpartition("/")[2], dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISREG(facts.st_mode):
                problems.append(disk_error(path, ObstacleError(path, f"is {what_is(facts)}, not a file")))
    return problems


def _probe(fd: int, synced: set[int]) -> None:
    """Do in this folder what saving a picture does; the slow part, fsync, once per file system."""
    first, second = names.part(names.PROBE), names.part(names.PROBE)
    device = os.fstat(fd).st_dev
    try:
        handle = os.open(first, _CREATE, 0o600, dir_fd=fd)
        try:
            os.write(handle, bytes(4096))
            if device not in synced:
                os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(first, second, src_dir_fd=fd, dst_dir_fd=fd)
        if device not in synced:
            fsync_folder(fd)
        os.unlink(second, dir_fd=fd)
    except OSError:
        for name in (first, second):
            with suppress(OSError):
                os.unlink(name, dir_fd=fd)
        raise
    synced.add(device)


def _remove_dead(fd: int, name: str) -> bool:
    """Remove a temporary file unless a living run holds its lock, which ends with the process that took it."""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    except OSError:
        return False  # a link, or gone, or not ours to read: not a file of ours
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return False
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=fd)
    except (BlockingIOError, FileNotFoundError):
        return False
    finally:
        os.close(handle)
    return True
