"""Copy pictures from path to path in two phases: all are read and durable before the first gets its name.

So a swap is right, and whatever the moment of a crash, each picture is on disk under some name.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from flux_pipeline.files import names, place
from flux_pipeline.files.folders import ObstacleError, Tree, disk_error, fsync_folder, split
from flux_pipeline.files.image import Picture, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_log = logging.getLogger(__name__)

_CHUNK: Final = 1024 * 1024


@dataclass(slots=True)
class _Copy:
    source: str
    path: str
    temporary: str
    picture: Picture
    asides: list[place.Aside] = field(default_factory=list)


def copy(
    tree: Tree, moves: Iterable[tuple[str, str]], known: Mapping[str, Picture], ours: frozenset[str]
) -> dict[str, Picture | Rejected]:
    """Carry the moves out; see `Files.copy`."""
    outcome: dict[str, Picture | Rejected] = {}
    staged: list[_Copy] = []
    lost: set[str] = set()
    ours |= {picture.sha256 for picture in known.values()}
    try:
        for source, path in moves:
            result = _stage(tree, source, path, known, staged)
            if result is not None:
                outcome[path] = result
        for one in staged:
            outcome[one.path] = _settle(tree, one, ours, lost)
        _fsync_folders(tree, (one.path for one in staged))
        for one in staged:
            _forget_asides(tree, one, lost)
    finally:
        for one in staged:
            _remove(tree, one.path, one.temporary)
    return outcome


def _stage(tree: Tree, source: str, path: str, known: Mapping[str, Picture], staged: list[_Copy]) -> Rejected | None:
    """Copy one source beside its destination, durably, and check that it is what was recorded."""
    folders, name = split(path)
    if source not in known:
        return Rejected(f"its source {source} is not recorded")
    one = _Copy(source, path, names.part(name), known[source])
    try:
        handle = _open_source(tree, source)
    except OSError as error:
        return Rejected(f"its source {source} cannot be read: {error.strerror or error}")
    if handle is None:
        return Rejected(f"its source {source} is missing")
    try:
        fd = tree.make(folders)
        try:
            staged.append(one)
            digest = _copy_bytes(handle, fd, one.temporary, one.picture.bytes)
        finally:
            os.close(fd)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        os.close(handle)
    if digest == one.picture.sha256:
        return None
    staged.pop()
    _remove(tree, path, one.temporary)
    return Rejected(f"its source {source} was changed")


def _open_source(tree: Tree, source: str) -> int | None:
    folders, name = split(source)
    fd = tree.open(folders)
    if fd is None:
        return None
    try:
        facts = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if not stat.S_ISREG(facts.st_mode):
            raise ObstacleError(source, "it is not a file")
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    except FileNotFoundError:
        return None
    finally:
        os.close(fd)


def _copy_bytes(source: int, fd: int, temporary: str, size: int) -> str:
    """Return the hash of what was written, or nothing when the source has another size than `size`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(temporary, flags, 0o666, dir_fd=fd)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(source).st_size != size:
            return ""
        digest = hashlib.sha256()
        while chunk := os.read(source, _CHUNK):
            digest.update(chunk)
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
        return digest.hexdigest()
    finally:
        os.close(handle)


def _settle(tree: Tree, one: _Copy, ours: frozenset[str], lost: set[str]) -> Picture | Rejected:
    """Give one copy its name; what is in its way stays beside it for now."""
    folders, _ = split(one.path)
    try:
        fd = tree.make(folders)
        try:
            one.asides = place.take(fd, one.temporary, one.path, ours=ours)
        finally:
            os.close(fd)
    except ObstacleError as error:
        lost.add(one.picture.sha256)
        return Rejected(f"its path is taken: {error.filename} {error.strerror}")
    except OSError as error:
        raise disk_error(one.path, error) from error
    return one.picture


def _fsync_folders(tree: Tree, paths: Iterable[str]) -> None:
    for folders in {split(path)[0] for path in paths}:
        try:
            fd = tree.make(folders)
            try:
                fsync_folder(fd)
            finally:
                os.close(fd)
        except ObstacleError:
            continue  # its copies are Rejected already
        except OSError as error:
            raise disk_error(tree.path(folders, ""), error) from error


def _forget_asides(tree: Tree, one: _Copy, lost: set[str]) -> None:
    """Remove the pictures of ours that were replaced, but for those that could not be put in their new place."""
    for aside in one.asides:
        if not aside.sha256:
            _log.warning("%s was not a picture of ours and is kept beside as %s", one.path, aside.name)
        elif aside.sha256 not in lost:
            _remove(tree, one.path, aside.name)


def _remove(tree: Tree, path: str, name: str) -> None:
    with suppress(OSError):  # what cannot be removed now is swept by the next run
        fd = tree.open(split(path)[0])
        if fd is not None:
            try:
                place.remove(fd, name)
            finally:
                os.close(fd)
