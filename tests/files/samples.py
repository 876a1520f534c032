"""Real pictures for these tests, made with Pillow."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zlib
from typing import TYPE_CHECKING

from PIL import Image, PngImagePlugin

from flux_pipeline.files.image import Expect

if TYPE_CHECKING:
    from pathlib import Path

    from flux_pipeline.files.save import Files


def noise(width: int = 64, height: int = 64, mode: str = "RGB", seed: int = 1) -> Image.Image:
    line = bytes((i * 7 + seed * 31) % 251 for i in range(997))
    bands = len(mode) if mode in {"RGB", "RGBA", "LA", "CMYK"} else 1
    size = width * height * bands
    return Image.frombytes(mode, (width, height), (line * (size // len(line) + 1))[:size])


def encoded(image: Image.Image, fmt: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, fmt, **options)
    return out.getvalue()


def png(seed: int = 1, width: int = 64, height: int = 64) -> bytes:
    return encoded(noise(width, height, seed=seed))


def jpeg(seed: int = 1, width: int = 64, height: int = 64, **options) -> bytes:
    return encoded(noise(width, height, seed=seed), "JPEG", **options)


def expect(fmt: str = "png", width: int = 64, height: int = 64, promised: int | None = None) -> Expect:
    return Expect(format=fmt, width=width, height=height, bytes=promised)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def bare_png(width: int, height: int, *extra: bytes, rows: bytes | None = None) -> bytes:
    """A grey PNG of any claimed size; without `rows` its pixels are all there, black, and cost almost nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    if rows is None:
        data = b"".join([*(packer.compress(bytes(width + 1)) for _ in range(height)), packer.flush()])
    else:
        data = zlib.compress(rows)
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def animated_png() -> bytes:
    frames = [noise(seed=n) for n in range(3)]
    return encoded(frames[0], save_all=True, append_images=frames[1:])


def text_bomb() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "A" * 50_000_000, zip=True)
    return encoded(noise(), pnginfo=info)


def save(files: Files, path: str, data: bytes, *, ours: frozenset[str] = frozenset(), fmt: str = "png"):
    with files.part(path) as part:
        part.write(data)
        return part.finish(expect(fmt), ours=ours)


def tree(folder: Path) -> set[str]:
    """Every name below a folder, hidden ones included."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def failing(monkeypatch, call: str, code: int, *, after: int = 0):
    """Let the system call work `after` times and then fail for good."""
    real, calls = getattr(os, call), []

    def broken(*args, **kwargs):
        calls.append(args)
        if len(calls) > after:
            raise OSError(code, os.strerror(code))
        return real(*args, **kwargs)

    monkeypatch.setattr(os, call, broken)
