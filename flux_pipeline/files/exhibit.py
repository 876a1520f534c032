"""A folder outside the output root into which chosen pictures are copied, and nothing that somebody put there is lost."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flux_pipeline.errors import DiskError
from flux_pipeline.files import ground, names, place
from flux_pipeline.files.folders import ObstacleError, Tree, disk_error, fsync_folder, split, what_is
from flux_pipeline.files.ground import Found, Obstacle
from flux_pipeline.files.remove import remove
from flux_pipeline.files.take_in import take_in

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def obstacle(folder: Path) -> str:
    """Say what is where a folder is wanted; nothing where there is one, or where one can be made."""
    try:
        for at in (folder, *folder.parents):
            if at.is_dir():
                return ""
            if os.path.lexists(at):
                return f"{at} is {what_is(at.lstat())}, not a folder"
    except OSError as error:
        return f"{folder}: {error.strerror}"
    return ""


class Exhibit:
    """The files below a folder by their names, which use `/`; every failed system call becomes a DiskError."""

    def __init__(self, root: Path) -> None:
        self._tree = Tree(root)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder if need be, and keep every other promotion out of it."""
        try:
            fd = self._tree.make(())
        except OSError as error:
            raise disk_error(self._tree.root, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def look(self, wanted: Iterable[str]) -> Mapping[str, Found | Obstacle]:
        """Return what has these names already: a file with its SHA-256, or why it is none that can be read."""
        try:
            found = ground.survey(self._tree, wanted)
        except OSError as error:
            raise disk_error(self._tree.root, error) from error
        return {name: self._in_words(name, one) if isinstance(one, Obstacle) else one for name, one in found.items()}

    def _in_words(self, name: str, one: Obstacle) -> Obstacle:
        parts = name.split("/")
        for at in ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1)):
            if (self._tree.root / at).is_symlink():
                return Obstacle(f"{at} is a symbolic link, which is not followed")
        return one

    def read(self, name: str) -> bytes | None:
        """Return a small file's bytes, None where there is none."""
        try:
            return take_in(self._tree, name)
        except OSError as error:
            raise disk_error(self._tree.root / name, error) from error

    def put(self, name: str, data: bytes, ours: Collection[str]) -> None:
        """Put a file in its place, whole and durable or not at all.

        A file there whose SHA-256 is among `ours` is replaced; any other is moved aside, as `….kept-1`.
        """
        folders, last = split(name)
        temporary = names.part(last)
        try:
            fd = self._tree.make(folders)
            try:
                _write(fd, temporary, data)
                there = place.contents(fd, name)
                if there is not None and there.sha256 in ours:
                    os.rename(temporary, last, src_dir_fd=fd, dst_dir_fd=fd)
                else:
                    place.take(fd, temporary, name, ours=frozenset())
                fsync_folder(fd)
            finally:
                place.remove(fd, temporary)
                os.close(fd)
        except OSError as error:
            raise _in_words(self._tree.root / name, error) from error

    def remove(self, name: str, sums: Collection[str]) -> bool:
        """Remove a file if its SHA-256 is among these; say whether it was."""
        return remove(self._tree.root, name, sums)


def _write(fd: int, temporary: str, data: bytes) -> None:
    handle = os.open(temporary, _NEW, 0o666, dir_fd=fd)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)


def _in_words(where: Path, error: OSError) -> DiskError:
    if isinstance(error, ObstacleError):
        return DiskError(f"{where}: {error.filename} {error.strerror}: move it away, or name another folder with --to")
    return disk_error(where, error)
