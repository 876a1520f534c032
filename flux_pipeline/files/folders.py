"""Reach folders below the output root, one open descriptor at a time, through no symbolic link."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from flux_pipeline.errors import DiskError

if TYPE_CHECKING:
    from pathlib import Path

NAME_BYTES: Final = 255  # of one name, on every file system that matters
PATH_BYTES: Final = 4096 - 64  # of a whole path; the rest is room for the names of siblings
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_ADVICE: Final = {
    errno.ENOSPC: "the disk is full: free some space and run again; nothing is paid twice",
    errno.EDQUOT: "your share of the disk is used up: free some space and run again; nothing is paid twice",
    errno.EROFS: "the file system is read-only: make it writable or choose another --output-dir, and run again",
    errno.EACCES: "get permission to write there or choose another --output-dir, and run again",
    errno.EPERM: "get permission to write there or choose another --output-dir, and run again",
    errno.ENAMETOOLONG: "the path is too long: shorten `output` in the manifest and run again",
    errno.EIO: "the disk may be failing: check it, and run again; nothing is paid twice",
    errno.EMFILE: "too many files are open: raise `ulimit -n` or lower --concurrency, and run again",
    errno.ENOTDIR: "move it away or choose another path, and run again; nothing is paid twice",
}


class ObstacleError(NotADirectoryError):
    """Something at `filename` (relative to the root) is not what it has to be; `strerror` says what it is."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(errno.ENOTDIR, what, place)


def disk_error(place: Path | str, error: OSError) -> DiskError:
    """Put a failed system call into words: where, why, and what to do next."""
    if isinstance(error, ObstacleError):
        place = error.filename
    advice = _ADVICE.get(error.errno or 0, "repair that and run again; nothing is paid twice")
    return DiskError(f"{place}: {error.strerror or error}: {advice}")


def split(path: str) -> tuple[tuple[str, ...], str]:
    """Part a relative POSIX path into folders and a name; refuse one that could leave the root."""
    *folders, name = path.split("/")
    if "\0" in path or any(part in {"", ".", ".."} for part in (*folders, name)):
        raise DiskError(f"{path!r}: not a path below the output root: correct `output` in the manifest")
    try:
        raw = path.encode()
    except UnicodeEncodeError:
        raise DiskError(f"{path!r}: cannot be a file name: correct `output` in the manifest") from None
    if len(raw) > PATH_BYTES or any(len(part.encode()) > NAME_BYTES for part in (*folders, name)):
        raise disk_error(path, OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG)))
    return tuple(folders), name


def what_is(facts: os.stat_result) -> str:
    """Name a thing that is not a regular file, in words for people."""
    named = (
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISREG, "a file"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((words for test, words in named if test(facts.st_mode)), "a device")


def fsync_folder(fd: int) -> None:
    """Make the names in a folder durable, where the file system knows how."""
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # network file systems that cannot sync a folder say so with EINVAL
            raise


class Tree:
    """The output root. The root itself may be reached through links, since the user named it; nothing below may."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._durable: set[tuple[str, ...]] = set()  # only ever grows; adding is atomic, so threads may share it

    def path(self, folders: tuple[str, ...], name: str) -> Path:
        return self.root.joinpath(*folders, name)

    def nearest(self, folders: tuple[str, ...]) -> tuple[int, int]:
        """Open the deepest of these folders that exists; return its descriptor (to be closed) and its depth."""
        fd = os.open(self.root, _FOLDER)
        for depth in range(len(folders)):
            try:
                fd = _step(fd, folders[: depth + 1])
            except FileNotFoundError:
                return fd, depth
            except OSError:
                os.close(fd)
                raise
        return fd, len(folders)

    def open(self, folders: tuple[str, ...]) -> int | None:
        """Open a folder, or return None when it does not exist; the descriptor is the caller's to close."""
        try:
            fd, depth = self.nearest(folders)
        except FileNotFoundError:
            return None
        if depth == len(folders):
            return fd
        os.close(fd)
        return None

    def make(self, folders: tuple[str, ...]) -> int:
        """Open a folder, made if need be, with its name durable; the descriptor is the caller's to close."""
        try:
            fd = os.open(self.root, _FOLDER)
        except FileNotFoundError:
            self._make_root()
            fd = os.open(self.root, _FOLDER)
        try:
            for depth in range(1, len(folders) + 1):
                fd = self._make_step(fd, folders[:depth])
        except OSError:
            os.close(fd)
            raise
        return fd

    def _make_root(self) -> None:
        missing = []
        at = self.root
        while not at.exists():
            missing.append(at)
            at = at.parent
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            above = os.open(folder.parent, _FOLDER)
            try:
                fsync_folder(above)
            finally:
                os.close(above)

    def _make_step(self, fd: int, folders: tuple[str, ...]) -> int:
        """Go one folder down; closes `fd` on success only."""
        if folders in self._durable:
            with suppress(FileNotFoundError):  # somebody removed it meanwhile: made again below
                return _step(fd, folders)
        with suppress(FileExistsError):  # of an earlier run, then, whose folder may not be durable yet
            os.mkdir(folders[-1], dir_fd=fd)
        fsync_folder(fd)
        self._durable.add(folders)
        return _step(fd, folders)


def _step(fd: int, folders: tuple[str, ...]) -> int:
    """Open the last of these folders, inside the one that `fd` is; closes `fd` on success only."""
    try:
        below = os.open(folders[-1], _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
    except OSError as error:
        if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
            raise
        facts = os.stat(folders[-1], dir_fd=fd, follow_symlinks=False)
        raise ObstacleError("/".join(folders), f"is {what_is(facts)}, not a folder") from None
    os.close(fd)
    return below
