"""Save pictures below the output root, each whole or not at all.

A picture is written to a temporary sibling, checked, made durable and only then given its name. Every failed system
call becomes a DiskError that says where, why and what to do next, and takes its temporary file with it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

from flux_pipeline.errors import FluxError
from flux_pipeline.files import copies, ground, names, place
from flux_pipeline.files.folders import Tree, disk_error, fsync_folder, split
from flux_pipeline.files.image import Expect, Picture, Rejected, inspect
from flux_pipeline.files.walk import LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from flux_pipeline.files.ground import Found, Obstacle

    Inspect = Callable[[Path, Expect], Picture | Rejected]


class TooLargeError(FluxError):
    """More bytes came than a picture can have."""


class Files:
    """The pictures below one root; paths are relative to it and use `/`. May be shared by threads.

    `inspect` judges what is to be saved; `checker.Checker` does it in a process of its own.
    """

    def __init__(self, root: Path, inspect: Inspect = inspect) -> None:
        self._tree = Tree(root)
        self._inspect = inspect

    def survey(self, paths: Iterable[str]) -> dict[str, Found | Obstacle]:
        """Hash what is there; a path with nothing there is not in the answer, and nothing but files is read."""
        return ground.survey(self._tree, paths)

    def preflight(self, paths: Iterable[str]) -> None:
        """Prove, before anything is paid, that every one of these could be saved; raise DiskError otherwise."""
        ground.preflight(self._tree, paths)

    def sweep(self, paths: Iterable[str]) -> int:
        """Remove what dead runs left half written beside these paths; return how many files."""
        return ground.sweep(self._tree, paths)

    def part(self, path: str) -> Part:
        """Begin a picture: folders are made, and a temporary file in the right one is open."""
        return Part(self._tree, path, self._inspect)

    def copy(
        self, moves: Iterable[tuple[str, str]], known: Mapping[str, Picture], *, ours: frozenset[str] = frozenset()
    ) -> dict[str, Picture | Rejected]:
        """Copy pictures from path to path, all of them read before the first is put in place, so that swaps are right.

        `known` is the picture expected at every source. A picture among those, or whose hash is in `ours`, may be
        replaced; any other file in the way is kept aside. A destination whose source is missing or changed is
        Rejected; the others are copied all the same.
        """
        return copies.copy(self._tree, moves, known, ours)


class Part:
    """One picture on its way to its path; as a context manager it discards what is unfinished.

    One thread writes it. Another may discard it at any moment, as happens when the task that awaits a thread is
    cancelled: it waits for the call that is going on. Everything but `discard` is a ValueError afterwards.

    `kept` and `rejected` name the files (relative to the root) that `finish` put aside.
    """

    def __init__(self, tree: Tree, path: str, inspect: Inspect) -> None:
        self._tree = tree
        self._inspect = inspect
        self._path = path
        self._folders, self._name = split(path)
        self._temporary = names.part(self._name)
        self._hash = hashlib.sha256()
        self._open = True
        self._busy = threading.RLock()
        self.size = 0
        self.kept: tuple[str, ...] = ()
        self.rejected: str | None = None
        try:
            self._folder = tree.make(self._folders)
            try:
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                self._file = os.open(self._temporary, flags, 0o666, dir_fd=self._folder)
            except OSError:
                os.close(self._folder)
                raise
        except OSError as error:
            raise disk_error(path, error) from error
        with suppress(OSError):  # tells a sweep that this file is alive; some file systems have no locks
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def write(self, chunk: bytes) -> None:
        """Append; raises TooLargeError beyond 64 MiB, with the file still open, and DiskError with the file gone."""
        if self.size + len(chunk) > LIMIT_BYTES:
            raise TooLargeError(f"{self._path}: more than {LIMIT_BYTES} bytes came: no picture is that large")
        with self._in_use():
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            self._hash.update(chunk)
            self.size += len(chunk)

    def reset(self) -> None:
        """Forget what was written, for a download that has to begin again."""
        with self._in_use():
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)
            self._hash = hashlib.sha256()
            self.size = 0

    def finish(self, expect: Expect, *, ours: frozenset[str]) -> Picture | Rejected:
        """Check the picture and give it its name, durably; or put it aside as `….rejected` and say why.

        `ours` are the hashes of the pictures that we recorded: one of those in the way is replaced, while any other
        file is kept beside as `….kept-N`. A folder, a link or a pipe in the way is a DiskError.
        """
        with self._in_use():
            verdict = self._inspect(self._tree.path(self._folders, self._temporary), expect)
            if isinstance(verdict, Picture) and verdict.sha256 != self._hash.hexdigest():
                verdict = Rejected("was changed on the disk while it was being saved")
            os.fsync(self._file)
            if isinstance(verdict, Rejected):
                self._put_aside()
            else:
                self._put_in_place(verdict, ours)
            fsync_folder(self._folder)
            self._close()
        return verdict

    def discard(self) -> None:
        """Remove the temporary file, if there still is one; may be called at any time, any number of times."""
        with self._busy:
            if self._open:
                with suppress(OSError):  # what cannot be removed now is swept by the next run
                    os.unlink(self._temporary, dir_fd=self._folder)
                self._close()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        """Let nobody discard the picture meanwhile; discard it when anything goes wrong."""
        with self._busy:
            if not self._open:
                raise ValueError(f"{self._path}: this picture is finished or discarded")
            try:
                yield
            except OSError as error:
                self.discard()
                raise disk_error(self._path, error) from error
            except BaseException:
                self.discard()
                raise

    def _close(self) -> None:
        self._open = False
        os.close(self._file)
        os.close(self._folder)

    def _put_aside(self) -> None:
        aside = names.rejected(self._name)
        os.rename(self._temporary, aside, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self.rejected = "/".join((*self._folders, aside))

    def _put_in_place(self, picture: Picture, ours: frozenset[str]) -> None:
        self._same_folder()
        asides = place.take(self._folder, self._temporary, self._path, ours=ours | {picture.sha256})
        for aside in asides:
            if aside.sha256:
                place.remove(self._folder, aside.name)
        self.kept = tuple("/".join((*self._folders, aside.name)) for aside in asides if not aside.sha256)

    def _same_folder(self) -> None:
        """Refuse to save into a folder that is no longer at its path: the picture would be where nobody looks."""
        fd = self._tree.open(self._folders)
        try:
            if fd is None or not os.path.sameopenfile(fd, self._folder):
                raise OSError(errno.ESTALE, "its folder was moved or replaced while the picture was being saved")
        finally:
            if fd is not None:
                os.close(fd)
