"""Read a whole file below a root, through no symbolic link."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection
from pathlib import Path

from flux_pipeline.files.folders import Tree, split
from flux_pipeline.files.walk import LIMIT_BYTES


def picture(root: Path, path: str, sums: Collection[str]) -> bytes | None:
    """Return the bytes of the file at `path` if their SHA-256 is among `sums`, None for anything else."""
    try:
        data = take_in(Tree(root), path)
    except OSError:
        return None
    return data if data is not None and hashlib.sha256(data).hexdigest() in sums else None


def take_in(tree: Tree, path: str) -> bytes | None:
    """Return a file's bytes, None where there is no regular file of at most 64 MiB."""
    folders, name = split(path)
    fd = tree.open(folders)
    if fd is None:
        return None
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    except FileNotFoundError:
        return None
    finally:
        os.close(fd)
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(handle)
        return file.read() if stat.S_ISREG(facts.st_mode) and facts.st_size <= LIMIT_BYTES else None
