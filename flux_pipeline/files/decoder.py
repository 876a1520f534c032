"""The child process in which pictures are decoded: what it is asked, what it may use up, what it answers.

Questions and answers are lines of JSON. Whatever the decoder does to this process, the run goes on without it; and when
the run is gone, so is this process: its questions end, and an alarm ends a check that hangs.
"""

from __future__ import annotations

import json
import math
import os
import re
import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from flux_pipeline.errors import DiskError
from flux_pipeline.files.image import Expect, Picture, Rejected, inspect

READY = b'{"ready": true}\n'
_SHA256 = re.compile(r"[0-9a-f]{64}")

Inspect = Callable[[Path, Expect], Picture | Rejected]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a child may use: bytes of address space in all, CPU seconds and seconds by the clock for each check."""

    memory: int = 1 << 30
    cpu: int = 10
    seconds: float = 20.0


def question(path: Path, expect: Expect) -> bytes:
    raw = os.fsencode(path).decode("latin-1")  # the child's idea of file names may be another one
    return json.dumps({"path": raw, **asdict(expect)}).encode() + b"\n"


def answer(line: bytes, expect: Expect) -> Picture | Rejected | None:
    """Read what a child answered; None when it makes no sense.

    Raises DiskError where the child met one.
    """
    try:
        told: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match told:
        case {"sha256": str(sha256), "bytes": int(size)} if _SHA256.fullmatch(sha256):
            return Picture(sha256=sha256, bytes=size, width=expect.width, height=expect.height)
        case {"rejected": str(reason)}:
            return Rejected(reason)
        case {"disk": str(message)}:
            raise DiskError(message)
    return None


def serve(questions: IO[bytes], answers: IO[bytes], limits: Limits, check: Inspect = inspect) -> None:
    """Answer every question, until there are no more."""
    _give_up_rights(limits)
    answers.write(READY)
    answers.flush()
    for line in questions:
        _wind_up(limits)
        answers.write(json.dumps(_judged(line, check)).encode() + b"\n")
        answers.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)


def _judged(line: bytes, check: Inspect) -> dict[str, Any]:
    asked = json.loads(line)
    path = Path(os.fsdecode(asked.pop("path").encode("latin-1")))
    try:
        verdict = check(path, Expect(**asked))
    except DiskError as error:
        return {"disk": str(error)}
    return {"rejected": verdict.reason} if isinstance(verdict, Rejected) else asdict(verdict)


def _give_up_rights(limits: Limits) -> None:
    _lower(resource.RLIMIT_AS, limits.memory)
    _lower(resource.RLIMIT_CORE, 0)  # a core would hold a picture, and fill the disk
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NOFILE, 16)


def _lower(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with suppress(ValueError, OSError):  # not every system has every limit
        resource.setrlimit(what, (most, most))


def _wind_up(limits: Limits) -> None:
    """Let the kernel end this process, whatever it is doing, when the check that begins now takes too much."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    used = math.ceil(time.process_time()) + limits.cpu
    resource.setrlimit(resource.RLIMIT_CPU, (used if hard == resource.RLIM_INFINITY else min(used, hard), hard))
    signal.setitimer(signal.ITIMER_REAL, limits.seconds * 1.5)  # the parent is quicker, unless it is gone
