"""Files that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import glob
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from flux_pipeline.errors import DiskError


def write_beside(path: Path, data: bytes, mode: int) -> Path:
    """Write a file that is to take the place of `path`, durably, and return where it is."""
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


def clear(path: Path) -> None:
    """Remove what killed runs left beside the file; nobody else writes there while it is held."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}.tmp"):
        with suppress(OSError):
            left.unlink()


def sync_folder(path: Path) -> None:
    """Make durable which names there are beside `path`."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def failure(path: Path, error: OSError) -> DiskError:
    """Return what to say when the disk refuses something of the lockfile."""
    return DiskError(
        f"{path}: {error.strerror or error}; nothing more is submitted. Make room or mend the disk, and run again: "
        "what was paid for is not paid for again"
    )
