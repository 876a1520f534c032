"""A small run, killed or failed at every system call that changes something: `python tests/kills/syscalls.py`.

Needs `strace`, and minutes: for the night. Here the whole program runs, start-up included, in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kills import explore, warm
from kills.disks import MANIFEST
from kills.worlds import RUN, Place, Violation, complete

_KILLED_AT = (
    *("write", "fsync", "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "ftruncate"),
    *("sendto", "sendmsg", "connect"),
)
_FAILING = tuple(
    (call, f"error={error}")
    for call, error in (
        *(
            ("fsync", "EIO"),
            ("write", "ENOSPC"),
            ("write", "EIO"),
            ("rename", "EIO"),
            ("link", "EIO"),
            ("linkat", "EIO"),
        ),
        *(("openat", "EROFS"), ("openat", "ENOSPC"), ("unlinkat", "EIO")),
    )
)
_OURS = (
    "manifests/m.lock",
    "manifests",
    "outputs",
    "outputs/hero",
)  # what an error may strike; a kill strikes anything
_CALL = re.compile(r"(?P<thread>\d+) +(?P<call>\w+)\(")


@dataclass(frozen=True, slots=True)
class Injection:
    """What strace does to the `number`-th call of this name, or to those on our files alone.

    It counts for each thread by itself. The main thread begins, and so hides the calls of those that append to the
    lockfile, but for the files that only they write to.
    """

    call: str
    number: int
    what: str
    ours: bool

    def __str__(self) -> str:
        return f"{self.what} at {self.call} {self.number}{' of our files' if self.ours else ''}"


def traced(folder: Path, server: warm.Server, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the program under strace."""
    program = [sys.executable, "-m", "flux_pipeline", *RUN]
    environ = {**os.environ, **server.environ, "XDG_STATE_HOME": str(folder / "state")}
    command = ["strace", "-f", "-qq", *options, "--", *program]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False)


def injections(folder: Path) -> Iterator[Injection]:
    """Yield every injection that an unharmed run has a call for; errors strike nothing but our files."""
    counts = _counts(folder / "any", _KILLED_AT, ours=False)
    for call in _KILLED_AT:
        yield from (Injection(call, number + 1, "signal=KILL", ours=False) for number in range(counts[call]))
    failing = [call for call, _ in _FAILING]
    counts = _counts(folder / "ours", (*_KILLED_AT, *failing), ours=True)
    for call, what in (*((call, "signal=KILL") for call in _KILLED_AT), *_FAILING):
        yield from (Injection(call, number + 1, what, ours=True) for number in range(counts[call]))


def _counts(folder: Path, calls: Iterable[str], *, ours: bool) -> Counter[str]:
    Place(folder, MANIFEST)
    log = folder / "trace"
    with warm.Server(folder) as server:
        traced(folder, server, "-o", str(log), "-e", f"trace={','.join(calls)}", *(_only(folder) if ours else []))
    return _most(log)


def _most(log: Path) -> Counter[str]:
    """Return how often the busiest thread made each call."""
    by_thread = Counter(
        (match["thread"], match["call"]) for line in log.read_text().splitlines() if (match := _CALL.match(line))
    )
    most: Counter[str] = Counter()
    for (_, call), count in by_thread.items():
        most[call] = max(most[call], count)
    return most


def _only(folder: Path) -> list[str]:
    return [word for path in _OURS for word in ("-P", str(folder / path))]


def inject(one: Injection, folder: Path) -> None:
    """Let a run meet this, then end what it began; Violation says what did not hold."""
    place = Place(folder, MANIFEST)
    options = ["-o", str(folder / "trace"), "-e", f"trace={one.call}", *(_only(folder) if one.ours else [])]
    with warm.Server(folder) as server:
        met = traced(folder, server, *options, "-e", f"inject={one.call}:{one.what}:when={one.number}")
        try:
            _judge(one, met, place, server)
            complete(place, server)
        except Violation as broken:
            raise Violation(f"{one}: {broken}\nexit {met.returncode}\n{met.stderr}") from None


def _judge(one: Injection, met: subprocess.CompletedProcess[str], place: Place, server: warm.Server) -> None:
    # An unreadable lockfile is 5, and what cannot be opened before there is a run is a wrong call: 2.
    allowed = {-9, 137, 0} if one.what == "signal=KILL" else {0, 2, 5, 6}
    if met.returncode not in allowed:
        raise Violation(f"ended with exit {met.returncode}")
    if "Traceback" in met.stderr or "internal error" in met.stderr:
        raise Violation("showed a traceback")
    if place.lockfile.exists() and one.what == "signal=KILL":
        place.look()
        place.announced(server.rows())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--every", type=int, default=1, help="take only every so-many-th injection")
    given = parser.parse_args()
    if shutil.which("strace") is None:
        explore.tell("skipped: strace is missing; on Debian, `apt-get install strace`")
        return 0
    warm.warm_up()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="syscalls-") as folder:
        root = Path(folder)
        cases = list(injections(root / "counting"))[:: given.every]
        broken = explore.each(cases, inject, given.jobs, root)
    explore.tell("\n\n".join(broken[:5]))
    explore.tell(f"{len(cases)} injections, {time.monotonic() - began:.0f} s: {len(broken)} promises broken")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
