"""What a manifest is read from: its own file, the files of rows beside it, and what can be written here."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from flux_pipeline.cli import voice
from flux_pipeline.cli.output import is_open_already
from flux_pipeline.errors import UsageError
from flux_pipeline.ledger.contents import Contents, whole

_MOST_BYTES = 2 << 20
_MOST_ROW_BYTES = 16 << 20
_MOST_PLAN_BYTES = 4 << 30


def can_write(form: str) -> bool:
    """Tell whether files of a format can be derived here."""
    from flux_pipeline.files import derive  # late: most manifests derive nothing

    return derive.can_write(form)


def is_no_folder(path: Path) -> bool:
    """Tell whether something is there that is no folder; what cannot be looked at may be one."""
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def read_source(manifest: Path) -> bytes:
    """Return a manifest's bytes; UsageError says why it cannot be one."""
    return _bytes_of(manifest, _MOST_BYTES, "a manifest", "name a manifest such as manifests/catalog.yaml")


def read_plan(plan: Path) -> bytes:
    """Return a frozen plan's bytes; UsageError says why it cannot be one."""
    remedy = "freeze one with `flux-pipeline plan -o plan.json`"
    return _bytes_of(plan, _MOST_PLAN_BYTES, "a plan", remedy, streams=True)


class Beside:
    """Reads the files of rows that a manifest names, from its folder; `read` are those that it was asked for."""

    def __init__(self, manifest: Path) -> None:
        self._folder = manifest.parent
        self.read: list[Path] = []

    def __call__(self, name: str) -> bytes:
        file = self._folder / name
        self.read.append(file)
        return _bytes_of(file, _MOST_ROW_BYTES, "a file of rows", "name a file beside the manifest")


def reader_beside(manifest: Path) -> Beside:
    """Return what reads the files of rows that a manifest names."""
    return Beside(manifest)


def say_if_torn(found: Contents, path: Path | str) -> None:
    """Say so where a lockfile's last line was not read; `path` is a text where no command can put that line aside."""
    if found.torn and whole(found.torn) is None:
        hint = "; the next run or `flux-pipeline merge` puts it aside" if isinstance(path, Path) else ""
        voice.say(f"the last line of {path} is unfinished and was not read{hint}", head="note")


def _bytes_of(path: Path, most: int, kind: str, remedy: str, *, streams: bool = False) -> bytes:
    try:
        if streams and is_open_already(path):
            return path.read_bytes()
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no name of a file"
        raise UsageError(f"{path}: {reason}; {remedy}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise UsageError(f"{path} is not a file; {remedy}")
    with os.fdopen(descriptor, "rb") as file:
        if status.st_size > most:
            raise UsageError(f"{path} has {status.st_size:,} bytes, more than the {most:,} of {kind}")
        return file.read()
