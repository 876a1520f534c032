"""The lockfile on disk: read by many, written by one.

A run only appends, and what it appends is durable before `append` returns. A clean end rewrites the file, sorted, one
line per submission.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from flux_pipeline.errors import DiskError, LockfileError, LockfileForeign
from flux_pipeline.ledger import emergency
from flux_pipeline.ledger.contents import HEADER, VERSION, Contents, read, whole
from flux_pipeline.ledger.durable import clear, failure, sync_folder, write_beside
from flux_pipeline.ledger.facts import Submission, to_lines
from flux_pipeline.ledger.history import fold
from flux_pipeline.ledger.hold import hold

_BALLAST_BYTES = 64 << 10
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)  # exFAT, some network shares


class Lockfile:
    """The one writer of a lockfile, for as long as it is open.

    Use it as a context manager. After one failed fsync it refuses every further write: the kernel may already have
    dropped the pages, so that a second, successful fsync would prove nothing. A ballast beside it keeps room on a full
    disk for the last task ids.
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
        self.trouble: str | None = None  # why nothing more may be submitted although everything is durable so far
        self.unwritten: list[bytes] = []  # lines with task ids that the file does not have
        self.emergency: Path | None = None  # where those lines are instead
        self._broken: str | None = None
        self._ballast = path.with_name(f"{path.name}.ballast")
        self._descriptor = -1
        self._lock = hold(path)
        try:
            contents = _open(path, endpoint)
            self.history = contents.history
            self._submissions = dict(contents.history.submissions)
            self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
            self._size = contents.sound
            self._endpoint = endpoint
            clear(path)
            if contents.torn:
                self._set_aside(contents.torn)
            _fill(self._ballast)
        except OSError as error:
            self.close()
            raise failure(path, error) from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def submissions(self) -> Iterable[Submission]:
        """What is durable by now: `history`, and all that was written since."""
        return self._submissions.values()

    def append(self, facts: Iterable[Submission]) -> None:
        """Write the facts and return once they are durable.

        When the disk is full, the ballast is given up for them, and `trouble` says so: they are safe, but nothing more
        may be submitted. When they cannot be made durable, those that name a task go to an emergency file.

        Raises:
            DiskError: they are not durable, and nothing further may be submitted.
            LockfileError: the file was replaced or changed by somebody else.
        """
        facts = tuple(facts)
        try:
            self._make_durable(b"".join(map(to_lines, facts)))
        except (OSError, LockfileError, DiskError) as error:
            told = failure(self.path, error) if isinstance(error, OSError) else error
            self._broken = str(told)
            self._save_elsewhere(facts)
            raise told from error
        for fact in facts:
            known = self._submissions.get(fact.id)
            self._submissions[fact.id] = fact if known is None else known.join(fact)

    def _make_durable(self, data: bytes) -> None:
        if self._broken is not None:
            raise DiskError(self._broken)
        self._unchanged()
        try:
            self._write(data)
        except OSError as error:
            if error.errno not in _FULL or not self._give_up_ballast():
                raise
            self.trouble = str(failure(self.path, error))
            self._write(data)
        os.fsync(self._descriptor)

    def _give_up_ballast(self) -> bool:
        try:
            self._ballast.unlink()
        except OSError:
            return False
        return True

    def _save_elsewhere(self, facts: Iterable[Submission]) -> None:
        lines = [to_lines(fact) for fact in facts if fact.tasks]
        self.unwritten += lines
        if lines:
            self.emergency = emergency.save(
                self.path.name, _header_line(self._endpoint), self.unwritten, self.emergency
            )

    def rewrite(self) -> None:
        """Bring the file into its resting form: sorted, one line per submission.

        Raises:
            DiskError: the old file stays as it is.
        """
        if self._broken is not None:
            return
        data = _at_rest(self._endpoint, self._submissions.values())
        try:
            self._unchanged()
            if self._size == len(data) and self.path.read_bytes() == data:
                return
            temporary = write_beside(self.path, data, os.fstat(self._descriptor).st_mode)
            temporary.replace(self.path)
            sync_folder(self.path)
            fresh = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
            os.close(self._descriptor)
            self._descriptor, self._size = fresh, len(data)
        except OSError as error:
            raise failure(self.path, error) from error

    def keep(self, submissions: Iterable[Submission]) -> None:
        """Rewrite the file with these submissions and no others; for those that nobody wants any more.

        Raises:
            DiskError: the old file stays as it is.
        """
        self._submissions = {one.id: one for one in submissions}
        self.rewrite()

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        with suppress(OSError):
            os.close(descriptor)
        with suppress(OSError):
            self._ballast.unlink()
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
        if whole(torn):
            os.write(self._descriptor, b"\n")
            self._size += len(torn) + 1
        else:
            self.torn = set_aside(self.path, torn)
            os.ftruncate(self._descriptor, self._size)
        os.fsync(self._descriptor)


def replace(path: Path, endpoint: str, submissions: Iterable[Submission]) -> None:
    """Put a lockfile in its resting form in the place of whatever is at `path`, which the caller holds.

    Raises:
        DiskError: what was there is still there.
    """
    try:
        mode = path.stat().st_mode if path.exists() else 0o644
        temporary = write_beside(path, _at_rest(endpoint, submissions), mode)
        temporary.replace(path)
        sync_folder(path)
    except OSError as error:
        raise failure(path, error) from error


def set_aside(path: Path, torn: bytes) -> Path:
    """Keep the bytes of an unfinished last line beside its lockfile."""
    aside = _free_name(path)
    with aside.open("xb") as file:
        file.write(torn)
        os.fsync(file.fileno())
    return aside


def _at_rest(endpoint: str, submissions: Iterable[Submission]) -> bytes:
    ordered = sorted(submissions, key=lambda one: (one.cell or "", one.intended_at or "", one.id))
    return _header_line(endpoint) + b"".join(map(to_lines, ordered))


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
    return json.dumps({HEADER: VERSION, "endpoint": endpoint}).encode() + b"\n"


def _create(path: Path, endpoint: str) -> None:
    """Make the file appear with its header or not at all: an empty lockfile would look like a fresh start."""
    temporary = write_beside(path, _header_line(endpoint), 0o644)
    try:
        try:
            os.link(temporary, path)
        finally:
            temporary.unlink()
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Not as safe, on such a file system: the lock keeps other runs away, but nothing does other programs.
        write_beside(path, _header_line(endpoint), 0o644).rename(path)
    sync_folder(path)


def _fill(ballast: Path) -> None:
    with ballast.open("wb") as file:
        file.write(secrets.token_bytes(_BALLAST_BYTES))  # so that no file system stores it for less
        file.flush()
        os.fsync(file.fileno())


def _free_name(path: Path) -> Path:
    number = 1
    while (name := path.with_name(f"{path.name}.torn-{number}")).exists():
        number += 1
    return name
