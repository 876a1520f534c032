"""Who may write a lockfile: the operating system's lock, on a file beside it.

The lock is held on a separate file that is never renamed or deleted, because a lock on a file that a rewrite replaces
guards nothing.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from flux_pipeline.errors import LockfileHeld
from flux_pipeline.ledger.durable import failure


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep every run off a lockfile, whatever is in it and whether or not it exists.

    Raises:
        LockfileHeld: another run holds it.
    """
    lock = hold(path)
    try:
        yield
    finally:
        lock.release()


def hold(path: Path) -> FileLock:
    """Take the lock of a lockfile, and leave a note that says who has it.

    Raises:
        LockfileHeld: another run holds it; the message says who.
        DiskError: the file of the lock cannot be created or opened.
    """
    held = path.with_name(f"{path.name}.held")
    lock = FileLock(held, timeout=0, thread_local=False, fallback_to_soft=False, preserve_lock_file=True)
    try:
        lock.acquire()
    except Timeout as error:
        raise LockfileHeld(
            f"{path} is held by another run{_holder(held)}; wait for it, or stop it, and try again"
        ) from error
    except OSError as error:
        raise failure(held, error) from error
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
