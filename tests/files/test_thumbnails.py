"""Thumbnails are made once, of sound files only, and never larger than the picture."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from browser.albums import draw
from PIL import Image

from flux_pipeline.files.checker import Checker
from flux_pipeline.files.derive import develop
from flux_pipeline.files.image import Rejected
from flux_pipeline.files.thumbnails import LONGEST, Small, Thumbnails, place, sweep


class Counting:
    """A maker that counts how often it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, path, order):
        self.asked.append(path)
        return develop(path, order)


@pytest.fixture
def maker():
    return Counting()


def test_a_thumbnail_is_made_once_for_all_files_with_the_same_sum(tmp_path, maker):
    fact = draw(tmp_path / "a.png", 1)
    thumbnails = Thumbnails(tmp_path / "kept", maker)
    assert not thumbnails.has(fact)
    first = thumbnails.make(tmp_path / "a.png", fact)
    assert thumbnails.has(fact)
    assert Thumbnails(tmp_path / "kept", maker).make(tmp_path / "b.png", fact) == first
    assert maker.asked == [tmp_path / "a.png"]
    with Image.open(io.BytesIO(first.data)) as image:
        assert (image.format, image.size) == ("WEBP", (first.width, first.height) == image.size and image.size)
    assert (first.width, first.height) == (fact.width, fact.height), "never larger than the picture"


def test_a_large_picture_becomes_a_small_one_of_the_same_shape(tmp_path, maker):
    path = tmp_path / "large.png"
    Image.effect_noise((1344, 768), 60).convert("RGB").save(path)
    fact = draw(tmp_path / "other.png", 1)
    import hashlib

    large = type(fact)(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), bytes=0, width=1344, height=768)
    small = Thumbnails(tmp_path / "kept", maker).make(path, large)
    assert (small.width, small.height) == (LONGEST, 366)
    with Image.open(io.BytesIO(small.data)) as image:
        assert image.size == (LONGEST, 366)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_not_what_was_saved_gets_no_thumbnail_and_a_reason(tmp_path, content):
    fact = draw(tmp_path / "a.png", 1)
    (tmp_path / "a.png").write_bytes(content)
    with Checker() as checker:
        told = Thumbnails(tmp_path / "kept", checker.derive).make(tmp_path / "a.png", fact)
    assert told == Rejected("is not the picture that was saved: it was changed meanwhile")
    assert not (tmp_path / "kept").exists()


def test_a_broken_picture_gets_no_thumbnail_and_a_reason(tmp_path):
    fact = draw(tmp_path / "a.png", 1, broken=True)
    with Checker() as checker:
        told = Thumbnails(tmp_path / "kept", checker.derive).make(tmp_path / "a.png", fact)
        gone = Thumbnails(tmp_path / "kept", checker.derive).make(tmp_path / "gone.png", fact)
    assert isinstance(told, Rejected)
    assert "truncated" in told.reason
    assert gone.reason.startswith("cannot be read:")


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path, maker):
    fact = draw(tmp_path / "a.png", 1)
    (tmp_path / "kept").write_text("in the way")
    thumbnails = Thumbnails(tmp_path / "kept", maker)
    assert thumbnails.make(tmp_path / "a.png", fact) == thumbnails.make(tmp_path / "a.png", fact)
    assert len(maker.asked) == 2


def test_what_is_kept_and_damaged_is_made_again(tmp_path, maker):
    fact = draw(tmp_path / "a.png", 1)
    thumbnails = Thumbnails(tmp_path / "kept", maker)
    first = thumbnails.make(tmp_path / "a.png", fact)
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_bytes(b"")
    assert thumbnails.make(tmp_path / "a.png", fact) == first
    assert kept.read_bytes() == first.data


def test_only_thumbnails_of_an_earlier_page_are_taken_away(tmp_path):
    folder = tmp_path / "gallery_files"
    sweep(folder, [])
    small = [Small(sha256=letter * 64, format="webp", data=b"RIFF", width=1, height=1) for letter in "ab"]
    for one in (*small, *small):
        place(folder, one)
    (folder / "notes.txt").write_text("mine")
    sweep(folder, [small[0].file])
    assert sorted(path.name for path in folder.iterdir()) == [small[0].file, "notes.txt"]
    assert not [path for path in Path(folder).iterdir() if path.name.startswith(".")]
