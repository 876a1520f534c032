"""Walk through the bytes of a PNG or a JPEG without decoding them: cheap, and stricter than Pillow.

Pillow opens a picture that is cut at 2 %, takes one with a ZIP archive behind it, and leaves rows black that a PNG does
not have. Here a file begins and ends as its format says, and its size is known before a decoder sees a byte of it.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import Final

LIMIT_BYTES: Final = 64 * 1024 * 1024
LIMIT_PIXELS: Final = 40_000_000

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"

_CHUNKS = 100_000  # 64 MiB in chunks of the usual 8 KiB are 8,192; more is a way to waste time
_SCANS = 100  # a progressive JPEG has about ten; hundreds are the known way to keep a decoder busy
_SLICE = 64 * 1024  # unpacks to 64 MiB at the very most
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_AFTER_SCAN = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)  # FF00 is data, FFD0 to FFD7 restart the scan

_SIGNATURES = (
    (PNG, "PNG"),
    (JPEG, "JPEG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
    (b"8BPS", "PSD"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1f\x8b", "gzip"),
)


class FlawError(ValueError):
    """Say what is wrong with the bytes, as the end of a sentence that begins with the file's name."""


def kind(data: bytes) -> str:
    """Name what the first bytes claim to be, in words for people."""
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:12] in {b"ftypavif", b"ftypheic"}:
        return "AVIF or HEIC"
    text = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "HTML page"
    if text.startswith(b"<"):
        return "XML document"
    return "JSON document" if text.startswith((b"{", b"[")) else "file of an unknown kind"


def size(data: bytes) -> tuple[int, int]:
    """Return width and height of a whole PNG or JPEG; raise FlawError when a part of it is missing or too much."""
    walk = _png if data.startswith(PNG) else _jpeg
    try:
        return walk(data)
    except (IndexError, struct.error):
        raise FlawError("is cut off: it ends in the middle of a header") from None


def _png(data: bytes) -> tuple[int, int]:
    view = memoryview(data)
    found: tuple[int, int] | None = None
    wanted = 0
    pixels: list[memoryview] = []
    at = len(PNG)
    for _ in range(_CHUNKS):
        if at == len(data):
            raise FlawError("is cut off: its end marker IEND is missing")
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise FlawError(f"is cut off: {end - len(data)} bytes of a chunk are missing")
        if zlib.crc32(view[at + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise FlawError(f"is damaged: the chunk at byte {at} does not match its checksum")
        if (found is None) != (name == b"IHDR"):
            raise FlawError("is damaged: its header is missing or there twice")
        if found is None:
            found = _sane(*struct.unpack_from(">II", data, at + 8))
            wanted = _raw_length(*struct.unpack_from(">IIBBBBB", data, at + 8))
        elif name == b"IDAT":
            pixels.append(view[at + 8 : end - 4])
        elif name == b"acTL" and struct.unpack_from(">I", data, at + 8)[0] != 1:
            raise FlawError("is animated, expected one picture")
        elif name == b"IEND":
            _inflate(pixels, wanted)
            return _whole(found, end, data)
        at = end
    raise FlawError(f"is damaged: it has more than {_CHUNKS} chunks")


def _jpeg(data: bytes) -> tuple[int, int]:
    found: tuple[int, int] | None = None
    scans = 0
    at = 2
    while scans <= _SCANS:
        if at >= len(data):
            raise FlawError("is cut off: its end marker EOI is missing")
        if data[at] != 0xFF:
            raise FlawError(f"is damaged: no marker at byte {at}")
        while data[at] == 0xFF:  # any number of FF may stand before a marker
            at += 1
        marker = data[at]
        at += 1
        if marker == 0xD9:
            if found is None or not scans:
                raise FlawError("is damaged: it holds no picture")
            return _whole(found, at, data)
        if marker in _STANDALONE or not marker:
            raise FlawError(f"is damaged: the marker {marker:#04x} at byte {at} does not belong there")
        (length,) = struct.unpack_from(">H", data, at)
        if marker in _SOF:
            if found is not None:
                raise FlawError("is damaged: its header is there twice")
            height, width = struct.unpack_from(">HH", data, at + 3)
            found = _sane(width, height)
        at += max(length, 2)
        if marker == 0xDA:
            scans += 1
            after = _AFTER_SCAN.search(data, at)
            at = after.start() if after else len(data)
    raise FlawError(f"is damaged: it has more than {_SCANS} scans")


def _raw_length(width: int, height: int, depth: int, colour: int, _: int, __: int, interlaced: int) -> int:
    """Return how many bytes the pixels of a PNG have before compression: per row one for the filter, and the pixels."""
    if colour not in _CHANNELS or interlaced not in {0, 1}:
        raise FlawError("is damaged: its header makes no sense")
    total = 0
    for left, top, right, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((left - width) // right), -((top - height) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * depth * _CHANNELS[colour] + 7) // 8)
    return total


def _inflate(pixels: list[memoryview], wanted: int) -> None:
    """Count the bytes of the pixels, since Pillow takes it for the whole picture when their stream ends early."""
    inflater = zlib.decompressobj()
    found = 0
    try:
        for part in pixels:
            for at in range(0, len(part), _SLICE):
                found += len(inflater.decompress(part[at : at + _SLICE]))
                if found >= wanted:
                    return
    except zlib.error as error:
        raise FlawError(f"is damaged: its pixels cannot be unpacked: {error}") from None
    raise FlawError(f"is cut off: {wanted - found} of {wanted} bytes of its pixels are missing")


def _sane(width: int, height: int) -> tuple[int, int]:
    if width * height > LIMIT_PIXELS:
        raise FlawError(f"is {width}x{height}, more than the limit of {LIMIT_PIXELS} pixels")
    return width, height


def _whole(found: tuple[int, int], end: int, data: bytes) -> tuple[int, int]:
    if end != len(data):
        raise FlawError(f"has {len(data) - end} bytes behind its end")
    return found
