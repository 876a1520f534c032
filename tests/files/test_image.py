from __future__ import annotations

import hashlib
import os
import pickle
import random
import time
import zipfile
from io import BytesIO

import pytest
from files.samples import (
    animated_png,
    bare_png,
    chunk,
    encoded,
    expect,
    jpeg,
    noise,
    png,
    text_bomb,
)
from PIL import Image

from flux_pipeline.errors import DiskError
from flux_pipeline.files import image as room
from flux_pipeline.files import walk
from flux_pipeline.files.image import Picture, Rejected, inspect


@pytest.fixture
def judge(tmp_path):
    def write_and_inspect(data, wanted):
        path = tmp_path / "picture"
        path.write_bytes(data)
        return inspect(path, wanted)

    return write_and_inspect


WHOLE = {
    "png": (png(), "png"),
    "png with alpha": (encoded(noise(mode="RGBA")), "png"),
    "png in grey": (encoded(noise(mode="L")), "png"),
    "png of 16 bits": (encoded(noise().convert("L").convert("I;16")), "png"),
    "png with a palette": (encoded(noise().quantize(16)), "png"),
    "jpeg": (jpeg(), "jpeg"),
    "progressive jpeg": (jpeg(progressive=True), "jpeg"),
    "jpeg with EXIF, ICC and a comment": (
        jpeg(exif=b"Exif\0\0" + b"x" * 99, icc_profile=b"i" * 999, comment=b"c"),
        "jpeg",
    ),
    "jpeg in grey": (encoded(noise(mode="L"), "JPEG"), "jpeg"),
    "jpeg with restarts": (jpeg(restart_marker_blocks=2), "jpeg"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_picture_passes_with_its_facts(judge, name):
    data, fmt = WHOLE[name]
    facts = Picture(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), width=64, height=64)
    assert judge(data, expect(fmt, promised=len(data))) == facts


@pytest.mark.parametrize("name", ["png", "jpeg", "progressive jpeg"])
@pytest.mark.parametrize("fraction", [0, 0.02, 0.5, 0.9, 0.999, "2 bytes", "1 byte"])
def test_a_picture_cut_anywhere_is_rejected_even_when_no_length_was_promised(judge, name, fraction):
    data, fmt = WHOLE[name]
    end = len(data) - int(fraction[0]) if isinstance(fraction, str) else int(len(data) * fraction)
    verdict = judge(data[:end], expect(fmt))
    assert isinstance(verdict, Rejected)
    assert verdict.reason.startswith(("is cut off", "is empty", "is a file of an unknown kind"))


def test_every_single_cut_of_a_small_picture_is_rejected(judge):
    for data, fmt in ((png(width=8, height=8), "png"), (jpeg(width=8, height=8), "jpeg")):
        for end in range(len(data)):
            assert isinstance(judge(data[:end], expect(fmt, 8, 8)), Rejected), (fmt, end)


def test_every_flipped_bit_of_a_png_is_noticed(judge):
    data = png(width=16, height=16)
    dice = random.Random(1)
    for _ in range(400):
        torn = bytearray(data)
        torn[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        assert isinstance(judge(bytes(torn), expect("png", 16, 16)), Rejected)


def test_no_damage_to_a_jpeg_raises(judge):
    data = jpeg(width=16, height=16, progressive=True)
    dice = random.Random(2)
    for _ in range(600):
        torn = bytearray(data)
        for _ in range(dice.randrange(1, 4)):
            torn[dice.randrange(len(data))] = dice.randrange(256)
        assert isinstance(judge(bytes(torn), expect("jpeg", 16, 16)), Picture | Rejected)


def zipped() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.html", "<script>")
    return out.getvalue()


@pytest.mark.parametrize("tail", [b"\0", b"\n", b"<script>", png(), jpeg(), zipped()], ids=lambda tail: f"{len(tail)}")
@pytest.mark.parametrize("name", ["png", "jpeg"])
def test_bytes_behind_the_end_are_rejected(judge, name, tail):
    data, fmt = WHOLE[name]
    verdict = judge(data + tail, expect(fmt))
    assert isinstance(verdict, Rejected)
    assert "behind its end" in verdict.reason


@pytest.mark.parametrize(
    ("data", "wanted", "reason"),
    [
        (png(), expect("jpeg"), "is a PNG, expected a JPEG"),
        (jpeg(), expect("png"), "is a JPEG, expected a PNG"),
        (encoded(noise(), "GIF"), expect(), "is a GIF, expected a PNG"),
        (encoded(noise(), "TIFF"), expect(), "is a TIFF, expected a PNG"),
        (encoded(noise(), "WEBP"), expect(), "is a WebP, expected a PNG"),
        (encoded(noise(), "BMP"), expect(), "is a BMP, expected a PNG"),
        (encoded(noise(), "AVIF"), expect(), "is an AVIF or HEIC, expected a PNG"),
        (b"<!DOCTYPE html><title>404</title>", expect(), "is an HTML page, expected a PNG"),
        (b"<?xml version='1.0'?><Error/>", expect(), "is an XML document, expected a PNG"),
        (b'{"result": false}', expect(), "is a JSON document, expected a PNG"),
        (b"", expect(), "is empty"),
        (encoded(noise(), "WEBP"), expect("webp"), "is a WebP, expected a webp"),
        (png(), expect(width=1024, height=1024), "is 64x64, expected 1024x1024"),
        (jpeg(), expect("jpeg", 64, 65), "is 64x64, expected 64x65"),
        (encoded(Image.new("RGB", (64, 64), "red")), expect(), "is blank: every pixel is the same colour"),
        (encoded(Image.new("RGB", (64, 64)), "JPEG"), expect("jpeg"), "is blank: every pixel is the same colour"),
        (encoded(Image.new("P", (64, 64), 3)), expect(), "is blank: every pixel is the same colour"),
        (
            encoded(Image.merge("LA", (noise(mode="L"), Image.new("L", (64, 64))))),
            expect(),
            "is blank: every pixel is transparent",
        ),
        (animated_png(), expect(), "is animated, expected one picture"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_was_not_asked_for_is_rejected_by_its_contents(judge, data, wanted, reason):
    assert judge(data, wanted) == Rejected(reason)


def test_a_length_other_than_the_promised_one_is_rejected(judge):
    data = png()
    assert judge(data, expect(promised=len(data) + 1)) == Rejected(
        f"is cut off: it has {len(data)} bytes, {len(data) + 1} were promised"
    )
    assert judge(data, expect(promised=5)) == Rejected(f"has {len(data)} bytes, 5 were promised")


@pytest.mark.parametrize("side", [6400, 9000, 20000])
def test_a_small_file_of_huge_dimensions_is_refused_before_it_is_decoded(judge, side):
    started = time.monotonic()
    verdict = judge(bare_png(side, side, rows=b"\0"), expect(width=side, height=side))
    assert verdict == Rejected(f"is {side}x{side}, more than the limit of 40000000 pixels")
    assert time.monotonic() - started < 1


def test_a_picture_whose_pixels_are_missing_is_rejected_although_its_chunks_are_whole(judge):
    rows = bytes(range(65)) * 64
    assert isinstance(judge(bare_png(64, 64, rows=rows), expect()), Picture)
    for count in (0, 10, 63):
        missing = f"is cut off: {65 * (64 - count)} of {65 * 64} bytes of its pixels are missing"
        assert judge(bare_png(64, 64, rows=rows[: 65 * count]), expect()) == Rejected(missing)


@pytest.mark.parametrize("depth", [1, 8])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 3), (5, 5), (8, 8), (9, 17), (64, 33)])
def test_the_length_of_an_interlaced_picture_is_known_to_the_byte(depth, width, height):
    """Counted pixel by pixel here, by a formula there."""
    start = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    counted = 0
    for left, top, right, down in start:
        columns = len(range(left, width, right))
        counted += len(range(top, height, down)) * ((columns * depth + 7) // 8 + 1) if columns else 0
    assert walk._raw_length(width, height, depth, 0, 0, 0, 1) == counted
    assert walk._raw_length(width, height, depth, 0, 0, 0, 0) == height * ((width * depth + 7) // 8 + 1)


def test_a_bomb_of_text_is_rejected(judge):
    verdict = judge(text_bomb(), expect())
    assert isinstance(verdict, Rejected)
    assert verdict.reason.startswith("cannot be decoded")


def test_a_swarm_of_tiny_chunks_is_rejected_in_a_second(judge):
    started = time.monotonic()
    verdict = judge(bare_png(64, 64, chunk(b"tEXt", b"") * 200_000), expect())
    assert verdict == Rejected("is damaged: it has more than 100000 chunks")
    assert time.monotonic() - started < 2


def test_a_swarm_of_scans_is_rejected(judge):
    data = jpeg(progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert judge(data[:-2] + scan * 200 + b"\xff\xd9", expect("jpeg")) == Rejected(
        "is damaged: it has more than 100 scans"
    )


def test_a_jpeg_with_a_second_picture_inside_is_rejected(judge):
    data = encoded(noise(), "MPO", save_all=True, append_images=[noise(seed=2)])
    assert isinstance(judge(data, expect("jpeg")), Rejected)


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b""),
        bare_png(64, 64, chunk(b"IHDR", bytes(13))),
        bare_png(64, 64, chunk(b"acTL", b"")),
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xff\xff",
        b"\xff\xd8\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xe0\0\x04ab?",
        b"\xff\xd8" + jpeg()[2:20] + b"\xff\xc0",
    ],
)
def test_a_malformed_skeleton_is_a_flaw_and_never_another_exception(data):
    with pytest.raises(walk.FlawError):
        walk.size(data)


@pytest.mark.parametrize(
    "error", [MemoryError(), RecursionError("deep"), OSError("broken data stream"), KeyError("x"), SystemError("")]
)
def test_whatever_a_decoder_raises_is_a_rejection(judge, monkeypatch, error):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr(room.Image, "open", broken)
    assert isinstance(judge(png(), expect()), Rejected)


def test_a_file_above_the_limit_is_rejected_unread(tmp_path):
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(room.LIMIT_BYTES + 1)
    assert inspect(path, expect()) == Rejected("has 67108865 bytes, more than the limit of 67108864")


def test_only_a_regular_file_is_read_and_no_link_followed(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert inspect(tmp_path / "pipe", expect()) == Rejected("is not a regular file")
    (tmp_path / "real.png").write_bytes(png())
    (tmp_path / "link.png").symlink_to("real.png")
    for name in ("link.png", "absent.png"):
        with pytest.raises(DiskError, match=name):
            inspect(tmp_path / name, expect())


def test_what_goes_in_and_out_can_travel_to_a_child_process():
    for value in (expect(), Rejected("x"), Picture(sha256="a", bytes=1, width=2, height=3), inspect):
        assert pickle.loads(pickle.dumps(value)) == value
