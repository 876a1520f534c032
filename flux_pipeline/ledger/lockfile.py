"""The lockfile on disk: read by many, written by one.

A run only appends, and what it appends is durable before `append` returns. A clean end rewrites the file, sorted, one
line per submission. The operating system's lock is held on a separate file that is never renamed or deleted, because
a lock on a file that a rewrite replaces guards nothing.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import orjson
from filelock import FileLock, Timeout

from flux_pipeline.errors import DiskError, LockfileDamaged, LockfileError, LockfileForeign, LockfileHeld
from flux_pipeline.ledger.facts import Submission, from_line, to_lines
from flux_pipeline.ledger.history import History, fold

VERSION = 1
_HEADER = "flux_pipeline_lock"
_BOM = b"\xef\xbb\xbf"
_CONFLICT = (b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a lockfile says. `torn` is an unfinished last line, as bytes; `sound` is the length before it."""

    endpoint: str
    history: History
    torn: bytes = b""
    sound: int = 0


def read(path: Path) -> Contents | None:
    """Read a lockfile without holding it; None where there is none.

    Raises:
        LockfileDamaged: a line cannot be trusted; the message names it and the way out.
        LockfileForeign: the file is of a newer version.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _not_a_file(path, error) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LockfileDamaged(f"{path} is not a regular file; move it away, or name another with --lockfile")
    with os.fdopen(descriptor, "rb") as file:
        return parse(file.read(), path)


def parse(data: bytes, path: Path) -> Contents:
    """Read a lockfile's bytes; `path` is for the messages."""
    lines = data.removeprefix(_BOM).split(b"\n")
    torn = lines.pop()
    if not lines:
        raise _damaged(path, 1, "the header is missing or cut off")
    endpoint = _header(lines[0], path)
    facts = [_fact(line, number, path) for number, line in enumerate(lines[1:], start=2) if line.strip()]
    if torn and (whole := _whole(torn)):
        facts.append(whole)  # only its line end is missing: it says something true, and a task id is never dropped
    elif _whole(torn[:-1]):
        raise _damaged(path, len(lines) + 1, "the line end was changed")  # a torn write is the beginning of a line
    history = _fold(facts, path)
    return Contents(endpoint=endpoint, history=history, torn=torn, sound=len(data) - len(torn))


def _header(line: bytes, path: Path) -> str:
    try:
        header = orjson.loads(line)
        version, endpoint = header[_HEADER], header["endpoint"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, 1, _conflict(line) or "this is not the header of a lockfile") from error
    if not isinstance(version, int) or version < 1 or not isinstance(endpoint, str):
        raise _damaged(path, 1, "this is not the header of a lockfile")
    if version > VERSION:
        raise LockfileForeign(
            f"{path} was written by a newer version (format {version}; this one reads {VERSION}): upgrade flux-pipeline"
        )
    return endpoint


def _fact(line: bytes, number: int, path: Path) -> Submission:
    try:
        return from_line(line)
    except ValueError as error:
        raise _damaged(path, number, _conflict(line) or f"the line {error}") from error


def _whole(torn: bytes) -> Submission | None:
    with suppress(ValueError):
        return from_line(torn)
    return None


def _fold(facts: list[Submission], path: Path) -> History:
    try:
        return fold(facts)
    except ValueError as error:
        raise LockfileDamaged(f"{path}: {error}; {_WAY_OUT}") from error


_WAY_OUT = "restore the file from version control, or merge sound copies with `flux-pipeline merge`; nothing was sent"


def _conflict(line: bytes) -> str | None:
    return "conflict markers of a git merge" if line.startswith(_CONFLICT) else None


def _damaged(path: Path, number: int, what: str) -> LockfileDamaged:
    return LockfileDamaged(f"{path}:{number}: {what}; {_WAY_OUT}")


def _not_a_file(path: Path, error: OSError) -> LockfileError:
    if error.errno == errno.ELOOP:
        return LockfileDamaged(f"{path} is a symbolic link; name the file that it points to with --lockfile")
    return LockfileError(f"{path} cannot be read: {error.strerror}")


class Lockfile:
    """The one writer of a lockfile, for as long as it is open.

    Use it as a context manager. After one failed write or fsync it refuses every further one: the kernel may already
    have dropped the pages, so that a second, successful fsync would prove nothing.
    """

    def __init__(self, path: Path, endpoint: str) -> None:
        """Take the lock and read the file, creating it if needed.

        Raises:
            LockfileHeld: another run holds it; the message says who.
            LockfileForeign: it belongs to another server, or to a newer version.
            LockfileDamaged: a line cannot be trusted.
            DiskError: it cannot be created or opened.
        """
        self.path = path
        self.torn: Path | None = None
        self._broken: str | None = None
        self._descriptor = -1
        self._lock = _hold(path)
        try:
            contents = _open(path, endpoint)
            self.history = contents.history
            self._submissions = dict(contents.history.submissions)
            self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
            self._size = contents.sound
            self._endpoint = endpoint
            if contents.torn:
                self._set_aside(contents.torn)
        except OSError as error:
            self.close()
            raise _disk(path, error) from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, facts: Iterable[Submission]) -> None:
        """Write the facts and return once they are durable.

        Raises:
            DiskError: they are not, and nothing further may be submitted.
            LockfileError: the file was replaced or changed by somebody else.
        """
        facts = tuple(facts)
        if self._broken is not None:
            raise DiskError(self._broken)
        try:
            self._unchanged()
            self._write(b"".join(map(to_lines, facts)))
            os.fsync(self._descriptor)
        except OSError as error:
            failure = _disk(self.path, error)
            self._broken = str(failure)
            raise failure from error
        except LockfileError as error:
            self._broken = str(error)
            raise
        for fact in facts:
            known = self._submissions.get(fact.id)
            self._submissions[fact.id] = fact if known is None else known.join(fact)

    def rewrite(self) -> None:
        """Bring the file into its resting form: sorted, one line per submission.

        Raises:
            DiskError: the old file stays as it is.
        """
        if self._broken is not None:
            return
        ordered = sorted(self._submissions.values(), key=lambda one: (one.cell or "", one.intended_at or "", one.id))
        data = _header_line(self._endpoint) + b"".join(map(to_lines, ordered))
        try:
            self._unchanged()
            if self._size == len(data) and self.path.read_bytes() == data:
                return
            temporary = _write_beside(self.path, data, os.fstat(self._descriptor).st_mode)
            temporary.replace(self.path)
            _sync_folder(self.path)
            fresh = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
            os.close(self._descriptor)
            self._descriptor, self._size = fresh, len(data)
        except OSError as error:
            raise _disk(self.path, error) from error

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        with suppress(OSError):
            os.close(descriptor)
        self._lock.release()

    def _write(self, data: bytes) -> None:
        written = os.write(self._descriptor, data)
        if written != len(data):
            os.ftruncate(self._descriptor, self._size)
            raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes were written")
        self._size += written

    def _unchanged(self) -> None:
        mine = os.fstat(self._descriptor)
        try:
            named = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError as error:
            raise LockfileError(f"{self.path} was deleted during the run; nothing more is submitted") from error
        if (mine.st_dev, mine.st_ino, mine.st_size) != (named.st_dev, named.st_ino, self._size):
            raise LockfileError(f"{self.path} was replaced or changed during the run; nothing more is submitted")

    def _set_aside(self, torn: bytes) -> None:
        if _whole(torn):
            os.write(self._descriptor, b"\n")
            self._size += len(torn) + 1
        else:
            self.torn = _free_name(self.path)
            with self.torn.open("xb") as file:
                file.write(torn)
                os.fsync(file.fileno())
            os.ftruncate(self._descriptor, self._size)
        os.fsync(self._descriptor)


def _hold(path: Path) -> FileLock:
    held = path.with_name(f"{path.name}.held")
    lock = FileLock(held, timeout=0, thread_local=False, fallback_to_soft=False, preserve_lock_file=True)
    try:
        lock.acquire()
    except Timeout as error:
        raise LockfileHeld(
            f"{path} is held by another run{_holder(held)}; wait for it, or stop it, and run again"
        ) from error
    except OSError as error:
        raise _disk(held, error) from error
    note = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    with suppress(OSError):  # the lock is the kernel's; the note only helps the next reader
        held.write_text(json.dumps(note) + "\n")
    return lock


def _holder(held: Path) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads(held.read_text())
        return f" (process {note['pid']} on {note['host']}, since {note['since']})"
    return ""


def _open(path: Path, endpoint: str) -> Contents:
    contents = read(path)
    if contents is None:
        _create(path, endpoint)
        contents = Contents(endpoint=endpoint, history=fold(()), sound=path.stat().st_size)
    if contents.endpoint != endpoint:
        raise LockfileForeign(
            f"{path} belongs to {contents.endpoint}, but this run talks to {endpoint}: "
            "use the lockfile of that server, or name another with --lockfile"
        )
    return contents


def _header_line(endpoint: str) -> bytes:
    return json.dumps({_HEADER: VERSION, "endpoint": endpoint}).encode() + b"\n"


def _create(path: Path, endpoint: str) -> None:
    """Make the file appear with its header or not at all: an empty lockfile would look like a fresh start."""
    temporary = _write_beside(path, _header_line(endpoint), 0o644)
    try:
        os.link(temporary, path)
    finally:
        temporary.unlink()
    _sync_folder(path)


def _write_beside(path: Path, data: bytes, mode: int) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), stat.S_IMODE(mode))
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _free_name(path: Path) -> Path:
    number = 1
    while (name := path.with_name(f"{path.name}.torn-{number}")).exists():
        number += 1
    return name


def _disk(path: Path, error: OSError) -> DiskError:
    return DiskError(
        f"{path}: {error.strerror or error}; nothing more is submitted. Make room or mend the disk, and run again: "
        "what was paid for is not paid for again"
    )
