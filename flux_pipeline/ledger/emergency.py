"""Where task ids go when the lockfile cannot take them any more."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path


def save(name: str, header: bytes, lines: Iterable[bytes], before: Path | None) -> Path | None:
    """Write the lines as a lockfile of their own, durably, and return where; None when nowhere is room.

    It is tried in the user's state folder, then in the temporary one. `before` is the file of an earlier call, which
    the new one replaces: it has to hold all lines again.
    """
    data = header + b"".join(lines)
    for folder in _folders():
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{name}.{os.getpid()}.{secrets.token_hex(4)}.lock"
            _write(path, data)
            if before is not None:
                before.unlink(missing_ok=True)
            return path
    return before


def _folders() -> Iterator[Path]:
    state = os.environ.get("XDG_STATE_HOME")
    with suppress(RuntimeError):  # there is no home
        yield (Path(state) if state else Path.home() / ".local" / "state") / "flux-pipeline"
    with suppress(OSError):
        yield Path(tempfile.gettempdir())


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        if os.write(descriptor, data) != len(data):
            raise OSError(f"{path} took only a part of it")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
