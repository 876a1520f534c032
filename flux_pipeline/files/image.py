"""[Pillow] Judge whether a file is the whole picture that was asked for.

Everything goes in and comes out as plain values, so that `inspect` can run in a child process as it stands.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from PIL import AvifImagePlugin, Image, ImageFile, WebPImagePlugin

from flux_pipeline.files import walk
from flux_pipeline.files.folders import disk_error
from flux_pipeline.files.walk import LIMIT_BYTES, LIMIT_PIXELS

if TYPE_CHECKING:
    from pathlib import Path

# Pillow only warns between this number and twice as many; `walk` refuses first, so that the warning never comes and
# no thread has to touch the process-wide warning filters.
Image.MAX_IMAGE_PIXELS = LIMIT_PIXELS
ImageFile.LOAD_TRUNCATED_IMAGES = False
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each further thread counts against the memory that a child may use

_NAMES: Final = {"png": "PNG", "jpeg": "JPEG"}
_MADE_HERE: Final = {"webp": "WebP", "avif": "AVIF or HEIC"}
_DECODERS: Final = {"WebP": WebPImagePlugin.WebPImageFile.format, "AVIF or HEIC": AvifImagePlugin.AvifImageFile.format}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What was asked for: `format` is `png` or `jpeg`, `bytes` the length that the service promised, if it did.

    A `derived` file was made here of a picture that had been checked: it may also be `webp` or `avif`, and blank.
    """

    format: str
    width: int
    height: int
    bytes: int | None
    derived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The facts of a picture that passed, as the lockfile records them."""

    sha256: str
    bytes: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a file is not what was asked for; reads on from the file's name: `is cut off: …`."""

    reason: str


def inspect(path: Path, expect: Expect) -> Picture | Rejected:
    """Check a file against what was asked for, down to its last pixel.

    Raises DiskError when the disk does not give the file; whatever is wrong with the picture is a Rejected, and so is
    everything that a decoder can raise.
    """
    try:
        data = read(path)
        _judge(data, expect)
    except walk.FlawError as flaw:
        return Rejected(str(flaw))
    except MemoryError:
        return Rejected("needs more memory than there is to be decoded")
    return Picture(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), width=expect.width, height=expect.height)


def read(path: Path) -> bytes:
    """Return the bytes of a regular file, FlawError for anything else or for more than a picture can have.

    Raises:
        DiskError: the disk does not give it.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise walk.FlawError("is not a regular file")
            if facts.st_size > LIMIT_BYTES:
                raise walk.FlawError(f"has {facts.st_size} bytes, more than the limit of {LIMIT_BYTES}")
            return file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise disk_error(path, error) from error


def _judge(data: bytes, expect: Expect) -> None:
    if not data:
        raise walk.FlawError("is empty")
    names = _NAMES | _MADE_HERE if expect.derived else _NAMES
    real, wanted = walk.kind(data), names.get(expect.format, expect.format)
    if real not in names.values() or real != wanted:
        raise walk.FlawError(f"is {_article(real)}, expected {_article(wanted)}")
    if expect.bytes is not None and len(data) != expect.bytes:
        verb = "is cut off: it has" if len(data) < expect.bytes else "has"
        raise walk.FlawError(f"{verb} {len(data)} bytes, {expect.bytes} were promised")
    width, height = walk.size(data) if real in _NAMES.values() else (expect.width, expect.height)
    if (width, height) != (expect.width, expect.height):
        raise walk.FlawError(f"is {width}x{height}, expected {expect.width}x{expect.height}")
    try:
        flaw = _decode(data, _DECODERS.get(real, real), (width, height), blank=expect.derived)
    except MemoryError:
        raise
    except Exception as error:
        raise walk.FlawError(f"cannot be decoded: {words_of(error)}") from error
    if flaw:
        raise walk.FlawError(flaw)


def words_of(error: Exception) -> str:
    """Return what a library says was wrong, short and without characters that a terminal would act on."""
    return "".join(c if c.isprintable() else " " for c in str(error))[:200] or type(error).__name__


def _decode(data: bytes, name: str, size: tuple[int, int], *, blank: bool) -> str:
    """Decode every pixel and say what is wrong, or nothing; may raise whatever the decoder raises."""
    with Image.open(io.BytesIO(data), formats=(name,)) as image:
        if image.format != name:  # a JPEG with a second picture inside opens as MPO
            return f"is {_article(image.format or 'file of an unknown kind')}, expected {_article(name)}"
        if image.size != size:
            return f"is damaged: its header says {size[0]}x{size[1]}, its decoder {image.width}x{image.height}"
        if getattr(image, "n_frames", 1) != 1:
            return "is animated, expected one picture"
        image.load()  # not verify(), which lets a JPEG pass that is cut at 2 %
        if blank:
            return ""
        pixels = image.convert("RGBA") if image.mode == "P" else image
        extrema = pixels.getextrema()  # of one band a pair, of several a tuple of pairs
        bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
        if all(low == high for low, high in cast(tuple[tuple[float, float], ...], bands)):
            return "is blank: every pixel is the same colour"
        if pixels.mode in {"LA", "RGBA"} and bands[-1] == (0, 0):
            return "is blank: every pixel is transparent"
    return ""


def _article(noun: str) -> str:
    return f"an {noun}" if noun.startswith(("HTML", "XML", "AVIF", "MPO")) else f"a {noun}"
