"""Moments of a run, by number: where a process kills itself, where its disk fails, and what a power cut leaves of it.

Everything here happens in the forked child, by patching what the program calls.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from httpcore._backends.anyio import AnyIOStream

KINDS = (
    *("before fsync", "after fsync", "before write", "half a write", "after write"),
    *("before rename", "after rename", "before unlink", "before link", "after link"),
    *("before POST", "half a POST", "after POST", "after answer"),
)
JOURNAL = "journal"  # what became durable, one line each: inode and size; beside the outputs of the run
POLLED = "polled"  # the tasks that were asked after
LATE = "late"  # is there when something was sent although nothing may be sent any more
_MOMENT = 0.2  # seconds in which a request that was already on its way may leave

_open, _fsync, _write, _rename, _replace, _link, _unlink = (
    os.open,
    os.fsync,
    os.write,
    os.rename,
    os.replace,
    os.link,
    os.unlink,
)


@dataclass(frozen=True, slots=True)
class Point:
    """The `number`-th time that something of this kind happens, counted from 1."""

    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class Moments:
    """Counts what happens in this process, and ends it at one of these moments."""

    def __init__(self, end: Point | None = None) -> None:
        self._end = end
        self._seen: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._journal = os.open(JOURNAL, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._polled = os.open(POLLED, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def install(self) -> None:
        os.fsync = self._on_fsync
        os.write = self._on_write
        os.rename = self._around("rename", _rename)
        os.replace = self._around("rename", _replace)
        os.link = self._around("link", _link)
        os.unlink = self._around("unlink", _unlink)
        self._watch_wire()
        self._watch_polls()

    def at(self, kind: str) -> None:
        if self._is(kind):
            die()

    def _is(self, kind: str) -> bool:
        with self._counting:
            self._seen[kind] += 1
            return self._end == Point(kind, self._seen[kind])

    def _on_fsync(self, descriptor: int) -> None:
        self.at("before fsync")
        size = os.fstat(descriptor).st_size  # what is written meanwhile may not be part of it
        _fsync(descriptor)
        _write(self._journal, b"%d %d\n" % (os.fstat(descriptor).st_ino, size))
        self.at("after fsync")

    def _on_write(self, descriptor: int, data: Any) -> int:
        self.at("before write")
        if self._is("half a write"):
            _write(descriptor, bytes(data)[: max(len(data) // 2, 1)])
            die()
        written = _write(descriptor, data)
        self.at("after write")
        return written

    def _around(self, kind: str, real: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any, **how: Any) -> None:
            self.at(f"before {kind}")
            real(*arguments, **how)
            self.at(f"after {kind}")

        return call

    def _watch_wire(self) -> None:
        """Look at the connections that a request which costs money goes over, and no other."""
        write, read = AnyIOStream.write, AnyIOStream.read

        async def sending(stream: AnyIOStream, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- as httpcore has it
            self.at("before POST")
            if self._is("half a POST"):
                await write(stream, buffer[: len(buffer) // 2], timeout)
                die()
            await write(stream, buffer, timeout)
            self.at("after POST")

        async def receiving(stream: AnyIOStream, most: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 -- as httpcore has it
            data = await read(stream, most, timeout)
            self.at("after answer")
            return data

        AnyIOStream.write, AnyIOStream.read = sending, receiving

    def _watch_polls(self) -> None:
        from flux_pipeline.wiro.client import Wiro

        real = Wiro.detail

        async def detail(wiro: Wiro, task: str) -> Any:
            _write(self._polled, task.encode() + b"\n")
            return await real(wiro, task)

        Wiro.detail = detail


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Failure:
    """The `number`-th write or fsync of a run that fails, and with what; `lasting` when all that follow fail too.

    `short` writes only half of the bytes, which is how a disk that becomes full often begins.
    """

    call: str  # write, fsync, rename, link, or create
    number: int
    error: int
    short: bool = False
    lasting: bool = False

    def __str__(self) -> str:
        how = "short write" if self.short else errno.errorcode[self.error]
        return f"{how} at {self.call} {self.number}{' and all after it' if self.lasting else ''}"


class Disk:
    """A disk on which one call fails; what begins with a `spared` path is on another disk.

    A POST that begins later than a moment after the failure is noted in `LATE`.
    """

    def __init__(self, failure: Failure | None, spared: Path) -> None:
        self._failure = failure
        self._spared = str(spared)
        self._seen: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._failed: float | None = None

    def install(self) -> None:
        os.fsync = self._on_fsync
        os.write = self._on_write
        os.open = self._on_open
        os.rename = self._around("rename", _rename)
        os.replace = self._around("rename", _replace)
        os.link = self._around("link", _link)
        write = AnyIOStream.write

        async def sending(stream: AnyIOStream, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- as httpcore has it
            if self._failed is not None and time.monotonic() > self._failed + _MOMENT:
                os.close(_open(LATE, os.O_WRONLY | os.O_CREAT, 0o644))
            await write(stream, buffer, timeout)

        AnyIOStream.write = sending

    def counts(self) -> Counter[str]:
        return self._seen

    def _pass(self, call: str) -> bool:
        """Count a call; False when it is one that fails and has nothing done."""
        failure = self._failure
        with self._counting:
            self._seen[call] += 1
            number = self._seen[call]
        if failure is None or call != failure.call:
            return True
        if number != failure.number and not (failure.lasting and number > failure.number):
            return True
        self._failed = self._failed or time.monotonic()
        if failure.short and number == failure.number:
            return False
        raise OSError(failure.error, os.strerror(failure.error))

    def _ours(self, descriptor: int) -> bool:
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        return path.startswith("/") and not path.startswith(("/dev/", self._spared))

    def _on_fsync(self, descriptor: int) -> None:
        if self._ours(descriptor):
            self._pass("fsync")
        _fsync(descriptor)

    def _on_write(self, descriptor: int, data: Any) -> int:
        if self._ours(descriptor) and not self._pass("write"):
            data = bytes(data)[: len(data) // 2]
        return _write(descriptor, data)

    def _on_open(self, path: Any, flags: int, *rest: Any, **how: Any) -> int:
        if flags & os.O_CREAT and not os.fspath(path).startswith(self._spared):
            self._pass("create")
        return _open(path, flags, *rest, **how)

    def _around(self, call: str, real: Callable[..., None]) -> Callable[..., None]:
        def wrapped(*arguments: Any, **how: Any) -> None:
            self._pass(call)
            real(*arguments, **how)

        return wrapped
