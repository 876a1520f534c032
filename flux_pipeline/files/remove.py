"""Remove a picture that nobody wants any more, and only that picture."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flux_pipeline.files import place
from flux_pipeline.files.folders import ObstacleError, Tree, disk_error, fsync_folder, split

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


def remove(root: Path, path: str, sums: Collection[str]) -> bool:
    """Remove the file at `path` below `root` if its SHA-256 is among `sums`; say whether it was.

    Raises:
        DiskError: the disk refused; the file is still there.
    """
    folders, name = split(path)
    try:
        fd = Tree(root).open(folders)
        if fd is None:
            return False
        try:
            there = place.contents(fd, path)
            if there is None or there.sha256 not in sums:
                return False
            os.unlink(name, dir_fd=fd)
            fsync_folder(fd)
        finally:
            os.close(fd)
    except ObstacleError:
        return False
    except OSError as error:
        raise disk_error(path, error) from error
    return True
