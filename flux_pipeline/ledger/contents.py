"""A lockfile's bytes, read and judged: by many, at any time, without holding it."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from flux_pipeline.errors import LockfileDamaged, LockfileError, LockfileForeign
from flux_pipeline.ledger.facts import Submission, from_line
from flux_pipeline.ledger.history import History, fold

VERSION = 1
HEADER = "flux_pipeline_lock"
_BOM = b"\xef\xbb\xbf"
CONFLICT = (b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||")


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
    data = read_bytes(path)
    return None if data is None else parse(data, path)


def read_bytes(path: Path) -> bytes | None:
    """Return a lockfile's bytes as they are, None where there is no file.

    Raises:
        LockfileError: it is no regular file, or cannot be read.
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
        return file.read()


def parse(data: bytes, path: Path) -> Contents:
    """Read a lockfile's bytes; `path` is for the messages."""
    lines = data.removeprefix(_BOM).split(b"\n")
    torn = lines.pop()
    if not lines:
        raise _damaged(path, 1, "the header is missing or cut off")
    endpoint = _header(lines[0], path)
    facts = [_fact(line, number, path) for number, line in enumerate(lines[1:], start=2) if line.strip()]
    if torn and (last := whole(torn)):
        facts.append(last)  # only its line end is missing: it says something true, and a task id is never dropped
    elif whole(torn[:-1]):
        raise _damaged(path, len(lines) + 1, "the line end was changed")  # a torn write is the beginning of a line
    history = _fold(facts, path)
    return Contents(endpoint=endpoint, history=history, torn=torn, sound=len(data) - len(torn))


def _header(line: bytes, path: Path) -> str:
    try:
        header = orjson.loads(line)
        version, endpoint = header[HEADER], header["endpoint"]
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


def whole(torn: bytes) -> Submission | None:
    """Read an unfinished last line that lacks only its line end; None when more of it is missing."""
    with suppress(ValueError):
        return from_line(torn)
    return None


def _fold(facts: list[Submission], path: Path) -> History:
    try:
        return fold(facts)
    except ValueError as error:
        raise LockfileDamaged(f"{path}: {error}; {_WAY_OUT}") from error


NOTHING_SENT = "; nothing was sent"
_WAY_OUT = f"restore the file from version control, or merge sound copies with `flux-pipeline merge`{NOTHING_SENT}"


def _conflict(line: bytes) -> str | None:
    return "conflict markers of a git merge" if line.startswith(CONFLICT) else None


def _damaged(path: Path, number: int, what: str) -> LockfileDamaged:
    return LockfileDamaged(f"{path}:{number}: {what}; {_WAY_OUT}")


def _not_a_file(path: Path, error: OSError) -> LockfileError:
    if error.errno == errno.ELOOP:
        return LockfileDamaged(f"{path} is a symbolic link; name the file that it points to with --lockfile")
    return LockfileError(f"{path} cannot be read: {error.strerror}")
