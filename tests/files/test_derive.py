"""Promises about files that are made of a picture: exact, the same every time, marked as made by AI, and contained."""

from __future__ import annotations

import io
import json
import os
import random
import re
import signal
import time
from xml.etree import ElementTree as ET

import pytest
from files.samples import encoded, noise, png, sha
from PIL import Image, ImageCms

from flux_pipeline.errors import DiskError
from flux_pipeline.files import derive
from flux_pipeline.files.checker import UNMADE, Checker
from flux_pipeline.files.decoder import Limits
from flux_pipeline.files.derive import Order, can_write, develop
from flux_pipeline.files.image import Expect, Picture, Rejected, inspect

FORMATS = [form for form in ("png", "jpeg", "webp", "avif") if can_write(form)]
QUALITY = {"png": None}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
MARK = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

# A child that does to itself what the name of the file says, before it makes anything of it.
WILD = """
import json, os, sys, time
given = json.loads(sys.argv[1])
sys.path[:] = given["path"]
from flux_pipeline.files import decoder
from flux_pipeline.files.derive import develop
from flux_pipeline.files.image import inspect

def wild(path, order):
    match path.stem.split("-"):
        case ["signal", number]: os.kill(os.getpid(), int(number))
        case ["leave"]: os._exit(0)
        case ["hang"]: time.sleep(60)
        case ["short"]: os.write(1, b'{"follows": 100}\\nxx'); os._exit(0)
        case ["huge"]: os.write(1, b'{"follows": 99999999999}\\n'); time.sleep(60)
        case ["babble"]: os.write(1, b"no JSON\\n"); time.sleep(60)
        case ["raise"]: raise ValueError("a fault")
        case ["more"]:
            os.write(1, b'{"follows": 2}\\nxxand more')
            time.sleep(60)
        case ["pid"]: return str(os.getpid()).encode()
    return develop(path, order)

decoder.serve(sys.stdin.buffer, sys.stdout.buffer, decoder.Limits(**given["limits"]), inspect, wild)
"""


def order(data, form="png", width=64, height=64, *, cover=False, quality=80):
    return Order(
        format=form, width=width, height=height, cover=cover, quality=QUALITY.get(form, quality), master=sha(data)
    )


@pytest.fixture
def make(tmp_path):
    """Make a file of a picture and return its bytes."""

    def making(data, form="png", width=64, height=64, **rest):
        (tmp_path / "master").write_bytes(data)
        return develop(tmp_path / "master", order(data, form, width, height, **rest))

    return making


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def judged(tmp_path, data, form, width, height):
    (tmp_path / "made").write_bytes(data)
    return inspect(tmp_path / "made", Expect(format=form, width=width, height=height, bytes=len(data), derived=True))


@pytest.mark.parametrize("source", ["PNG", "JPEG"])
@pytest.mark.parametrize("form", FORMATS)
def test_a_file_is_whole_and_has_exactly_the_format_and_size_that_were_asked_for(make, tmp_path, form, source):
    made = make(encoded(noise(96, 64), source), form, 48, 32)
    assert isinstance(judged(tmp_path, made, form, 48, 32), Picture)
    assert (opened(made).format, opened(made).size) == (form.upper(), (48, 32))


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_is_cut_or_of_another_size_does_not_pass_the_check(make, tmp_path, form):
    made = make(png(), form)
    assert isinstance(judged(tmp_path, made[:-9], form, 64, 64), Rejected)
    assert isinstance(judged(tmp_path, made, form, 64, 65), Rejected)
    assert isinstance(judged(tmp_path, made, {"png": "jpeg"}.get(form, "png"), 64, 64), Rejected)


def test_a_picture_of_the_service_may_not_be_what_only_a_derived_file_may_be(make, tmp_path):
    (tmp_path / "made").write_bytes(make(png(), "webp"))
    verdict = inspect(tmp_path / "made", Expect(format="webp", width=64, height=64, bytes=None))
    assert isinstance(verdict, Rejected)


def test_a_derived_file_may_be_blank_as_a_corner_of_the_sky_is(make, tmp_path):
    made = make(png(), width=1, height=1)
    assert isinstance(judged(tmp_path, made, "png", 1, 1), Picture)


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_picture_and_recipe_give_the_same_bytes_in_any_process_at_any_time(make, tmp_path, form):
    data = encoded(noise(200, 150), icc_profile=SRGB)
    made = make(data, form, 100, 75)
    second = time.time() + 1.1
    with Checker() as checks:
        while time.time() < second:
            assert checks.derive(tmp_path / "master", order(data, form, 100, 75)) == made
    assert make(data, form, 100, 75) == made


@pytest.mark.parametrize("form", FORMATS)
def test_the_colour_profile_is_kept(make, form):
    made = make(encoded(noise(), icc_profile=SRGB), form, 32, 32)
    assert opened(made).info["icc_profile"] == SRGB


@pytest.mark.parametrize("form", FORMATS)
def test_a_profile_for_other_colours_than_the_file_has_is_not_in_it(make, form):
    cmyk = SRGB[:16] + b"CMYK" + SRGB[20:]
    made = make(encoded(noise(), icc_profile=cmyk), form, 32, 32)
    assert "icc_profile" not in opened(made).info


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_says_in_its_metadata_that_a_model_made_it_and_nothing_else(make, form):
    master = encoded(noise(), "JPEG", comment=b"canary", exif=b"Exif\0\0canary")
    made = make(master, form)
    image = opened(made)
    xmp = ET.fromstring(image.info["xmp"])
    assert [each.text for each in xmp.iter(f"{{{IPTC}}}DigitalSourceType")] == [MARK]
    assert b"canary" not in made
    assert not image.getexif()
    assert not re.search(rb"20\d\d-\d\d-\d\dT", made)


def halves(width, height):
    """A picture whose left quarter and right quarter are red, on a blue ground."""
    image = Image.new("RGB", (width, height), "blue")
    for left in (0, width * 3 // 4):
        image.paste("red", (left, 0, left + width // 4, height))
    return encoded(image)


def test_cover_cuts_from_the_centre_and_fills_the_whole_size(make):
    made = opened(make(halves(128, 64), width=32, height=32, cover=True))
    assert made.size == (32, 32)
    assert all(red < 20 and blue > 235 for _, (red, _, blue) in made.getcolors())


def test_cover_of_a_tall_picture_cuts_above_and_below(make):
    tall = encoded(opened(halves(128, 64)).transpose(Image.Transpose.ROTATE_90))
    made = opened(make(tall, width=32, height=32, cover=True))
    assert all(red < 20 and blue > 235 for _, (red, _, blue) in made.getcolors())


def test_without_cover_nothing_is_cut(make):
    made = opened(make(halves(128, 64), width=32, height=16))
    assert (made.getpixel((0, 8)), made.getpixel((31, 8)), made.getpixel((16, 8))) == (
        (255, 0, 0),
        (255, 0, 0),
        (0, 0, 255),
    )


def test_the_pixels_of_a_png_of_the_same_size_are_those_of_its_picture(make):
    master = noise(64, 64)
    assert opened(make(encoded(master))).tobytes() == master.tobytes()


def test_what_can_be_seen_through_is_white_in_a_jpeg_and_stays_in_the_others(make):
    master = encoded(Image.new("RGBA", (64, 64), (255, 0, 0, 0)))
    assert opened(make(master, "jpeg", quality=100)).getpixel((5, 5)) == (255, 255, 255)
    for form in (form for form in FORMATS if form != "jpeg"):
        assert opened(make(master, form, 32, 32)).convert("RGBA").getpixel((5, 5))[3] == 0


def bilevel(mode):
    image = noise(mode="L").point(lambda shade: 255 * (shade > 99)).convert("1")
    return image if mode == "1" else image.convert(mode)


ODD = {
    "palette": lambda: encoded(noise().quantize(16)),
    "palette with transparency": lambda: encoded(noise().quantize(16), transparency=3),
    "one transparent colour": lambda: encoded(noise(), transparency=(1, 2, 3)),
    "grey": lambda: encoded(noise(mode="L")),
    "grey with alpha": lambda: encoded(noise(mode="LA")),
    "black and white": lambda: encoded(bilevel("1")),
    "16 bits": lambda: encoded(Image.frombytes("I;16", (64, 64), bytes(range(256)) * 32)),
    "inks": lambda: encoded(noise(mode="CMYK"), "JPEG"),
    "turned": lambda: encoded(noise(), "JPEG", exif=turned()),
}


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("form", FORMATS)
def test_a_picture_of_any_colours_can_be_made_into_any_format(make, tmp_path, form, odd):
    made = make(ODD[odd](), form, 32, 32)
    assert isinstance(made, bytes), made
    assert isinstance(judged(tmp_path, made, form, 32, 32), Picture)


def test_16_bits_become_8_without_becoming_white(make):
    master = Image.frombytes("I;16", (64, 64), b"".join((i * 16).to_bytes(2, "little") for i in range(4096)))
    made = opened(make(encoded(master)))
    assert made.getpixel((0, 0)) == 0
    assert abs(made.getpixel((0, 32)) - 128) <= 1


def test_a_higher_quality_takes_more_bytes(make):
    for form in (form for form in FORMATS if form != "png"):
        low, high = (len(make(encoded(noise(256, 256)), form, 256, 256, quality=quality)) for quality in (10, 95))
        assert low < high


def test_a_picture_that_was_changed_meanwhile_gives_nothing(tmp_path):
    (tmp_path / "master").write_bytes(png(seed=2))
    verdict = develop(tmp_path / "master", order(png(seed=1)))
    assert verdict == Rejected("is not the picture that was saved: it was changed meanwhile")


@pytest.mark.parametrize("data", [b"", b"<html>", png()[:200]])
def test_what_cannot_be_decoded_is_rejected_in_words(make, data):
    assert isinstance(make(data), Rejected)


def test_what_cannot_be_encoded_is_rejected_in_words(make):
    verdict = make(png(), "webp", 16_384, 1)
    assert isinstance(verdict, Rejected)
    assert verdict.reason.startswith("cannot be made into webp: ")


def test_a_file_that_is_larger_than_a_picture_may_be_is_rejected(make, monkeypatch):
    monkeypatch.setattr(derive.walk, "LIMIT_BYTES", 1000)
    assert make(png(), width=640, height=640) == Rejected("gives more than 1000 bytes")


def test_a_disk_that_does_not_give_the_picture_is_the_disks_fault(tmp_path):
    with pytest.raises(DiskError, match="No such file"):
        develop(tmp_path / "absent", order(png()))
    with Checker() as checks, pytest.raises(DiskError, match="No such file"):
        checks.derive(tmp_path / "absent", order(png()))


@pytest.mark.parametrize("form", FORMATS)
def test_a_child_makes_what_this_process_would(make, tmp_path, form):
    data = png()
    here = make(data, form, 32, 32)
    with Checker() as checks:
        assert checks.derive(tmp_path / "master", order(data, form, 32, 32)) == here
        assert isinstance(judged(tmp_path, here, form, 32, 32), Picture)


@pytest.mark.parametrize("what", [f"signal-{int(signal.SIGSEGV)}", "leave", "hang", "short", "huge", "babble", "raise"])
def test_whatever_ends_or_stalls_a_child_costs_one_file_and_the_next_is_made_fine(tmp_path, what):
    data = png()
    for name in (what, "fine"):
        (tmp_path / name).write_bytes(data)
    with Checker(Limits(seconds=0.1, cpu=1), program=WILD) as checks:
        assert checks.derive(tmp_path / what, order(data)) == UNMADE
        assert isinstance(checks.derive(tmp_path / "fine", order(data)), bytes)


def test_a_child_that_says_more_than_it_was_asked_is_not_asked_again(tmp_path):
    data = png()
    for name in ("more", "pid"):
        (tmp_path / name).write_bytes(data)
    with Checker(program=WILD) as checks:
        first = checks.derive(tmp_path / "pid", order(data))
        assert checks.derive(tmp_path / "pid", order(data)) == first
        assert checks.derive(tmp_path / "more", order(data)) == b"xx"
        assert checks.derive(tmp_path / "pid", order(data)) != first


def test_a_file_of_many_pixels_comes_whole_through_the_pipe(tmp_path):
    pixels = random.Random(1).randbytes(3 * 1000 * 800)
    data = encoded(Image.frombytes("RGB", (1000, 800), pixels), compress_level=1)
    (tmp_path / "master").write_bytes(data)
    with Checker() as checks:
        made = checks.derive(tmp_path / "master", order(data, "png", 1000, 800))
    assert len(made) > 1 << 20
    assert opened(made).tobytes() == pixels


def test_a_child_answers_checks_and_orders_alike(tmp_path):
    data = png()
    (tmp_path / "pid").write_bytes(data)
    with Checker(program=WILD) as checks:
        pids = {checks.derive(tmp_path / "pid", order(data))}
        assert isinstance(
            checks.inspect(tmp_path / "pid", Expect(format="png", width=64, height=64, bytes=None)), Picture
        )
        pids.add(checks.derive(tmp_path / "pid", order(data)))
    assert len(pids) == 1
    assert os.getpid() not in {int(json.loads(pid)) for pid in pids}
