"""The child process in which pictures are decoded and derived: what it is asked, what it may use up, what it answers.

Questions and answers are lines of JSON; the bytes of a derived file follow their line. Whatever the decoder does to this process, the run goes on without it; and when
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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from flux_pipeline.errors import DiskError
from flux_pipeline.files.derive import Order, develop
from flux_pipeline.files.image import Expect, Picture, Rejected, inspect
from flux_pipeline.files.walk import LIMIT_BYTES

READY = b'{"ready": true}\n'
_SHA256 = re.compile(r"[0-9a-f]{64}")

Inspect = Callable[[Path, Expect], Picture | Rejected]
Develop = Callable[[Path, Order], bytes | Rejected]
_LONGER = 6  # a file takes this many times as long to derive as to check: some encoders are slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a child may use: bytes of address space in all, CPU seconds and seconds by the clock for each check."""

    memory: int = 1 << 30
    cpu: int = 10
    seconds: float = 20.0

    def for_deriving(self) -> Limits:
        return replace(self, cpu=self.cpu * _LONGER, seconds=self.seconds * _LONGER)


def question(path: Path, asked: Expect | Order) -> bytes:
    raw = os.fsencode(path).decode("latin-1")  # the child's idea of file names may be another one
    kind = "derive" if isinstance(asked, Order) else "inspect"
    return json.dumps({"path": raw, kind: asdict(asked)}).encode() + b"\n"


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


def announced(line: bytes) -> int | Rejected | None:
    """Read how many bytes of a derived file follow a child's line, or why there are none; None when it makes no sense.

    Raises DiskError where the child met one.
    """
    try:
        told: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match told:
        case {"follows": int(length)} if 0 < length <= LIMIT_BYTES:
            return length
        case {"rejected": str(reason)}:
            return Rejected(reason)
        case {"disk": str(message)}:
            raise DiskError(message)
    return None


def serve(
    questions: IO[bytes], answers: IO[bytes], limits: Limits, check: Inspect = inspect, derive: Develop = develop
) -> None:
    """Answer every question, until there are no more."""
    _give_up_rights(limits)
    answers.write(READY)
    answers.flush()
    for line in questions:
        asked = json.loads(line)
        path = Path(os.fsdecode(asked["path"].encode("latin-1")))
        _wind_up(limits.for_deriving() if "derive" in asked else limits)
        try:
            made = (
                derive(path, Order(**asked["derive"])) if "derive" in asked else check(path, Expect(**asked["inspect"]))
            )
        except DiskError as error:
            told, body = {"disk": str(error)}, b""
        else:
            told, body = _told(made)
        answers.write(json.dumps(told).encode() + b"\n" + body)
        answers.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)


def _told(outcome: Picture | Rejected | bytes) -> tuple[dict[str, Any], bytes]:
    """Return the line that tells an outcome, and the bytes that follow it."""
    if isinstance(outcome, bytes):
        return {"follows": len(outcome)}, outcome
    return ({"rejected": outcome.reason} if isinstance(outcome, Rejected) else asdict(outcome)), b""


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
