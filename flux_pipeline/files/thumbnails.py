"""Small pictures of the large ones, each made once and kept by the sum of the file that it is made of."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from flux_pipeline.errors import DiskError
from flux_pipeline.files.derive import Order, can_write
from flux_pipeline.files.image import Rejected

LONGEST: Final = 640  # twice the 320 CSS pixels at which a card is shown at most, for screens of two dots a pixel
_QUALITY: Final = 78
_SIGNATURES: Final = {"webp": b"RIFF", "jpeg": b"\xff\xd8\xff"}
_OURS: Final = re.compile(r"[0-9a-f]{64}\.(?:webp|jpeg)")


class Master(Protocol):
    """A recorded picture: what its file has to be."""

    @property
    def sha256(self) -> str: ...

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...


Develop = Callable[[Path, Order], bytes | Rejected]


@dataclass(frozen=True, slots=True, kw_only=True)
class Small:
    """A small picture: its bytes in `format` (webp, or jpeg where there is no WebP) and its size in pixels."""

    sha256: str
    format: str
    data: bytes
    width: int
    height: int

    @property
    def file(self) -> str:
        return f"{self.sha256}.{self.format}"


class Thumbnails:
    """Thumbnails, kept in a folder of their own; may be shared by threads.

    `develop` decodes the pictures: `checker.Checker.derive` does it in a process with limits. What cannot be kept, on a
    disk that is full or read-only, is made again the next time.
    """

    def __init__(self, folder: Path, develop: Develop) -> None:
        self._folder = folder
        self._develop = develop
        self._format = "webp" if can_write("webp") else "jpeg"

    def make(self, path: Path, picture: Master) -> Small | Rejected:
        """Return the thumbnail of the picture at `path`, or what is wrong with that file; never larger than it."""
        sha256, size, kept = picture.sha256, _size(picture), self._place(picture)
        data = self._read(kept)
        if data is None:
            order = Order(
                format=self._format, width=size[0], height=size[1], cover=False, quality=_QUALITY, master=sha256
            )
            try:
                made = self._develop(path, order)
            except DiskError as error:
                return Rejected(f"cannot be read: {error}")
            if isinstance(made, Rejected):
                return made
            data = made
            with suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
                write(kept, data)
        return Small(sha256=sha256, format=self._format, data=data, width=size[0], height=size[1])

    def has(self, picture: Master) -> bool:
        """Tell whether the thumbnail was made before, and so is there in no time."""
        return self._place(picture).exists()

    def _place(self, picture: Master) -> Path:
        width, height = _size(picture)
        return self._folder / f"{picture.sha256}-{width}x{height}.{self._format}"

    def _read(self, path: Path) -> bytes | None:
        try:
            data = path.read_bytes()
        except OSError:
            return None
        return data if data.startswith(_SIGNATURES[self._format]) else None


def _size(picture: Master) -> tuple[int, int]:
    share = min(1.0, LONGEST / max(picture.width, picture.height, 1))
    return max(1, round(picture.width * share)), max(1, round(picture.height * share))


def place(folder: Path, small: Small) -> None:
    """Put a thumbnail into the folder beside a page; OSError when that fails."""
    path = folder / small.file
    if not path.is_file() or path.stat().st_size != len(small.data):
        folder.mkdir(parents=True, exist_ok=True)
        write(path, small.data)


def sweep(folder: Path, wanted: Iterable[str]) -> None:
    """Take away the thumbnails of an earlier page, and nothing else; OSError when that fails."""
    if _is_folder(folder):
        there = {path.name for path in folder.iterdir() if _OURS.fullmatch(path.name)}
        for name in there.difference(wanted):
            (folder / name).unlink(missing_ok=True)


def _is_folder(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:  # a page may have a name that is too long for a folder named after it
        return False


def write(path: Path, data: bytes) -> None:
    """Write a file beside its place and then give it its name; OSError when that fails."""
    beside = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
