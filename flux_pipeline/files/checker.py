"""Check and derive pictures in child processes, so that a decoder that crashes, hangs or eats memory costs one file, not the run.

A child has no environment (and so no API key), no descriptor but its two pipes, a session of its own (Ctrl-C is not for
it), and the limits of `decoder.Limits`. It ends with the program, however that ends.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final, Self, TypeVar

from flux_pipeline.errors import DiskError, StoppedError
from flux_pipeline.files import decoder
from flux_pipeline.files.derive import Order
from flux_pipeline.files.image import Expect, Picture, Rejected

DIED: Final = Rejected("could not be checked: the decoder died")
UNMADE: Final = Rejected("could not be made into another size or format: the process that does it died")
_CHILDREN: Final = 2
_CHECKS: Final = 500  # then a child is replaced, whatever it may have leaked
_START_SECONDS: Final = 30.0
_ANSWER_BYTES: Final = 64 << 10
_PROGRAM: Final = """\
import json, sys
given = json.loads(sys.argv[1])
sys.path[:] = given["path"]
from flux_pipeline.files import decoder
decoder.serve(sys.stdin.buffer, sys.stdout.buffer, decoder.Limits(**given["limits"]))
"""


_Answer = TypeVar("_Answer", Picture | Rejected, bytes | Rejected)


class Checker:
    """A small pool of children, begun when there is something to check; may be shared by threads."""

    def __init__(self, limits: decoder.Limits | None = None, *, program: str = _PROGRAM, checks: int = _CHECKS) -> None:
        self._limits = limits or decoder.Limits()
        self._command = _command(program, self._limits)
        self._checks = checks
        self._slots = threading.BoundedSemaphore(_CHILDREN)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def inspect(self, path: Path, expect: Expect) -> Picture | Rejected:
        """Do what `image.inspect` does, in a child; whatever ends the child rejects this file and no other.

        Raises DiskError like `image.inspect`, and StoppedError when there is no child to be had.
        """

        def read(child: _Child) -> Picture | Rejected | None:
            line = child.line(self._limits.seconds)
            return decoder.answer(line, expect) if line else None

        return self._ask(decoder.question(path, expect), read) or DIED

    def derive(self, path: Path, order: Order) -> bytes | Rejected:
        """Do what `derive.develop` does, in a child; whatever ends the child rejects this file and no other.

        Raises DiskError like `derive.develop`, and StoppedError when there is no child to be had.
        """
        seconds = self._limits.for_deriving().seconds

        def read(child: _Child) -> bytes | Rejected | None:
            line = child.line(seconds)
            told = decoder.announced(line) if line else None
            return child.body(told, seconds) if isinstance(told, int) else told

        return self._ask(decoder.question(path, order), read) or UNMADE

    def _ask(self, asked: bytes, read: Callable[[_Child], _Answer | None]) -> _Answer | None:
        """Put a question to a child and return what it answers, None when it died of it."""
        with self._slots:
            child = self._take()
            while not child.ask(asked):  # it died while it had nothing to do: no fault of this file
                self._drop(child)
                child = self._take()
            try:
                answer = read(child)
            except DiskError:
                self._give_back(child)
                raise
            if answer is not None:
                self._give_back(child)
                return answer
            self._drop(child)
        if self._closed:
            raise _stopped("the run ends")
        return None

    def close(self) -> None:
        """End all children at once, those included that are checking: their files count as not checked."""
        with self._lock:
            self._closed = True
            for child in self._busy:
                child.kill()
            while self._idle:
                self._idle.pop().end()

    def _take(self) -> _Child:
        with self._lock:
            if self._closed:
                raise _stopped("the run ends")
            child = self._idle.pop() if self._idle else None
            if child is None:
                child = _Child(self._command)
            self._busy.add(child)
        if child.checks or child.line(_START_SECONDS) == decoder.READY:
            return child
        self._drop(child)
        raise _stopped("the process that decodes does not start")

    def _give_back(self, child: _Child) -> None:
        with self._lock:
            if not self._closed and child.checks < self._checks and not child.rest:
                self._busy.discard(child)
                self._idle.append(child)
                return
        self._drop(child)

    def _drop(self, child: _Child) -> None:
        with self._lock:
            self._busy.discard(child)
        child.end()


class _Child:
    """One process and the two pipes to it. `rest` is what it said and nobody has read."""

    def __init__(self, command: list[str]) -> None:
        self.checks = 0
        self.rest = b""
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter, and no shell
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd="/",
                env=kept,
                start_new_session=True,
            )
        except OSError as error:
            raise _stopped(f"{sys.executable}: {error.strerror}") from error

    def ask(self, line: bytes) -> bool:
        """Hand over a question; False when nobody is there to take it."""
        assert self._process.stdin is not None
        self.checks += 1
        try:
            self._process.stdin.write(line)  # shorter than a pipe is deep, so it never waits
        except OSError:
            return False
        return True

    def line(self, seconds: float) -> bytes | None:
        """Wait for a line; None when it did not come in time or whole, or is too long."""
        until = time.monotonic() + seconds
        while b"\n" not in self.rest and len(self.rest) < _ANSWER_BYTES:
            part = self._part(until)
            if part is None:
                return None
            self.rest += part
        line, end, self.rest = self.rest.partition(b"\n")
        return line + end if end else None

    def body(self, length: int, seconds: float) -> bytes | None:
        """Wait for this many bytes; None when they did not all come in time."""
        until = time.monotonic() + seconds
        body = bytearray(self.rest)
        while len(body) < length:
            part = self._part(until)
            if part is None:
                return None
            body += part
        self.rest = bytes(body[length:])
        return bytes(body[:length])

    def _part(self, until: float) -> bytes | None:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        if not poll.poll(max(until - time.monotonic(), 0.0) * 1000):
            return None
        return os.read(pipe, _ANSWER_BYTES) or None

    def kill(self) -> None:
        """End the process; the thread that awaits its answer is told by the pipe."""
        self._process.kill()

    def end(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._process.wait()


def _command(program: str, limits: decoder.Limits) -> list[str]:
    """Begin an interpreter that looks at no environment and no site, only where this one finds its modules."""
    ours = str(Path(__file__).parents[2])
    given = {"path": [ours, *(place for place in sys.path if Path(place).is_absolute())], "limits": asdict(limits)}
    return [sys.executable, "-I", "-S", "-c", program, json.dumps(given)]


def _stopped(why: str) -> StoppedError:
    return StoppedError(f"pictures cannot be checked: {why}; run again to go on, nothing is paid twice")
