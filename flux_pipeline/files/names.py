"""The names of a picture's siblings: being written, rejected, kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from flux_pipeline.files.folders import NAME_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

PROBE: Final = "flux-pipeline-probe"

_PART = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.part", re.DOTALL)
_PART_EXTRA: Final = len("..0123456789abcdef.part")


def part(name: str) -> str:
    """Name a new temporary sibling; hidden, and its own even among runs that know nothing of each other."""
    return f".{_fit(name, NAME_BYTES - _PART_EXTRA)}.{secrets.token_hex(8)}.part"


def parts_among(entries: Iterable[str], names: Iterable[str]) -> list[str]:
    """Pick the temporary siblings of these names out of a folder's entries."""
    ours = {_fit(name, NAME_BYTES - _PART_EXTRA) for name in names} | {PROBE}
    matches = ((entry, _PART.fullmatch(entry)) for entry in entries)
    return [entry for entry, match in matches if match and match["name"] in ours]


def rejected(name: str) -> str:
    return _fit(name, NAME_BYTES - len(".rejected")) + ".rejected"


def kept(name: str, number: int) -> str:
    """Name what was in a picture's place before: `1.png` becomes `1.kept-1.png`."""
    whole = PurePosixPath(name)
    tail = f".kept-{number}{_fit(whole.suffix, 32)}"
    return _fit(whole.stem, NAME_BYTES - len(tail.encode())) + tail


def _fit(name: str, room: int) -> str:
    """Shorten a name to `room` bytes of UTF-8; two long names stay two."""
    raw = name.encode()
    if len(raw) <= room:
        return name
    return f"{raw[: room - 9].decode(errors='ignore')}~{hashlib.sha256(raw).hexdigest()[:8]}"
