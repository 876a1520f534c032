"""A file that the user names for a command to write: where it may be, what it may replace, and how it comes there."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_pipeline.errors import DiskError, UsageError

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_HEAD: Final = 500  # bytes, in which a file says what it is
_OTHERS: Final = (".yaml", ".yml", ".lock")
_OPEN_ALREADY: Final = re.compile(r"/dev/(?:null|std(?:in|out|err)|fd/[0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """What a command writes where one of its flags says.

    `what` and `noun` are the words for it, `is_ours` knows the first bytes of what may be replaced. With `streams` it may
    go where the shell has opened something, such as /dev/stdout; with `makes_folders` its folder is made.
    """

    flag: str
    what: str
    example: str
    is_ours: Callable[[bytes], bool]
    noun: str = "file"
    streams: bool = False
    makes_folders: bool = False

    def make_sure(self, file: Path) -> None:
        """Refuse a place where nothing can be written, and to replace anything but an empty file or one of these.

        Raises:
            UsageError: it cannot go there; what is there was left as it is.
        """
        if problem := self._problem(file):
            raise UsageError(problem)

    def put(self, file: Path, pieces: Iterable[bytes]) -> None:
        """Give a file its new contents, all of them or none; a link is followed.

        Raises:
            UsageError: it may not be written there.
            DiskError: the disk is full or broken.
        """
        self.make_sure(file)  # again: it may have come meanwhile
        try:
            if self._is_stream(file):
                with file.open("ab") as stream:
                    stream.writelines(pieces)
            else:
                _put(Path(os.path.realpath(file)), pieces, makes_folders=self.makes_folders)
        except OSError as error:
            kind = DiskError if error.errno in FULL else UsageError
            raise kind(f"{file} could not be written: {error.strerror}; {self._another}") from error

    @property
    def _another(self) -> str:
        return f"name another {self.noun} with {self.flag}"

    def _is_stream(self, file: Path) -> bool:
        return self.streams and is_open_already(file)

    def _problem(self, file: Path) -> str:
        if self._is_stream(file):
            return ""
        if not file.name or str(file) == "-":
            return f"{self.flag} {file}: that is no name of a file; name one such as {self.example}"
        head, place = b"", Path(os.path.realpath(file))
        try:
            if file.is_dir():
                return f"{file} is a folder; name the {self.noun} with {self.flag}, such as {file / self.example}"
            if not (self.makes_folders or file.parent.is_dir()):
                return f"{file}: there is no folder {file.parent}; make it, or {self._another}"
            with suppress(FileNotFoundError):
                head = _head(place)
        except (OSError, ValueError) as error:
            return f"{file}: {why(error)}; {self._another}"
        if head and not self.is_ours(head):
            return f"{file} is no {self.what}, and was left as it is; {self._another}"
        if place.suffix.lower() in _OTHERS:
            return f"{file}: manifests and lockfiles are called so; {self._another}"
        return ""


def is_open_already(file: Path) -> bool:
    """Say whether a path stands for what the shell has opened, which is there whatever it is."""
    return _OPEN_ALREADY.fullmatch(str(file)) is not None


def why(error: Exception) -> str:
    """Return in words why the system refused."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _head(file: Path) -> bytes:
    """Return the first bytes of a file: ValueError where it is none, OSError."""
    if not stat.S_ISREG(file.lstat().st_mode):
        raise ValueError("it is no regular file")  # a pipe would be waited for, and a device is not ours to replace
    with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        return stream.read(_HEAD)


def _put(file: Path, pieces: Iterable[bytes], *, makes_folders: bool) -> None:
    beside = file.with_name(f".{os.urandom(8).hex()}.part")  # no longer than any name that the file may have
    if makes_folders:
        file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with beside.open("xb") as stream:
            stream.writelines(pieces)
            stream.flush()
            with suppress(FileNotFoundError):
                os.fchmod(stream.fileno(), stat.S_IMODE(file.stat().st_mode))  # as what it replaces
            os.fsync(stream.fileno())
        beside.replace(file)
    finally:
        with suppress(OSError):  # it has its name by now, unless something went wrong
            beside.unlink()
