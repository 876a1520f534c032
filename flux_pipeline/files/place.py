"""Give a finished temporary file its final name without destroying whatever else wants or has that name.

A name is taken by linking, which fails when it is in use; what is in the way is moved aside by a rename onto a name
that was created for it. Both are atomic, so a file that another program puts there at any moment survives too.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from flux_pipeline.files import names
from flux_pipeline.files.folders import ObstacleError, what_is
from flux_pipeline.files.walk import LIMIT_BYTES

_ATTEMPTS: Final = 20
_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


@dataclass(frozen=True, slots=True)
class Contents:
    """A regular file as it was when read; `sha256` is empty when it is too large to be a picture, or may not be read."""

    sha256: str
    bytes: int
    identity: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Aside:
    """What had the name before, under its new name; `sha256` is empty unless it is certainly a picture of ours."""

    name: str
    sha256: str


def contents(fd: int, place: str) -> Contents | None:
    """Read the file at `place` (relative to the root, in the folder `fd`); None when there is nothing.

    Raises ObstacleError for anything but a regular file, without opening it.
    """
    name = place.rpartition("/")[2]
    try:
        facts = os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(facts.st_mode):
        raise ObstacleError(place, f"is {what_is(facts)}, not a file")
    if facts.st_size > LIMIT_BYTES:
        return Contents("", facts.st_size, _identity(facts))
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    except FileNotFoundError:
        return None
    except PermissionError:
        return Contents("", facts.st_size, _identity(facts))
    with open(handle, "rb", buffering=0) as file:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise ObstacleError(place, f"is {what_is(facts)}, not a file")
        return Contents(hashlib.file_digest(file, "sha256").hexdigest(), facts.st_size, _identity(facts))


def take(fd: int, temporary: str, place: str, *, ours: frozenset[str]) -> list[Aside]:
    """Rename `temporary` to its place in the folder `fd`; return what was there, each under a `….kept-N` name.

    A picture of ours (its hash is among `ours`) is moved aside like any other; the caller removes it when nothing can
    go wrong any more.
    """
    name = place.rpartition("/")[2]
    asides: list[Aside] = []
    for _ in range(_ATTEMPTS):
        if _link(fd, temporary, name):
            return asides
        asides.extend(_move_aside(fd, place, ours))
    raise OSError(errno.EEXIST, "another program keeps writing to this path")


def remove(fd: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=fd)


def _link(fd: int, temporary: str, name: str) -> bool:
    try:
        os.link(temporary, name, src_dir_fd=fd, dst_dir_fd=fd, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        with suppress(FileNotFoundError):  # the best there is without hard links: look, then rename
            os.stat(name, dir_fd=fd, follow_symlinks=False)
            return False
        os.rename(temporary, name, src_dir_fd=fd, dst_dir_fd=fd)
        return True
    os.unlink(temporary, dir_fd=fd)
    return True


def _move_aside(fd: int, place: str, ours: frozenset[str]) -> list[Aside]:
    name = place.rpartition("/")[2]
    seen = contents(fd, place)
    if seen is None:
        return []
    kept = _reserve(fd, name)
    try:
        os.rename(name, kept, src_dir_fd=fd, dst_dir_fd=fd)
    except OSError as error:
        remove(fd, kept)
        if isinstance(error, FileNotFoundError):
            return []
        raise
    moved = _identity(os.stat(kept, dir_fd=fd, follow_symlinks=False))
    certain = moved == seen.identity and seen.sha256 in ours
    return [Aside(kept, seen.sha256 if certain else "")]


def _reserve(fd: int, name: str) -> str:
    """Create an empty file under the next free `….kept-N` name, for a rename to fall upon."""
    for number in itertools.count(1):
        kept = names.kept(name, number)
        with suppress(FileExistsError):
            os.close(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, dir_fd=fd))
            return kept
    raise AssertionError("counting never ends")


def _identity(facts: os.stat_result) -> tuple[int, int, int, int]:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns
