"""Paths: inside the root, the same on every system, one file per cell."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.manifest.paths import MAX_COMPONENT, Claims, extension_fault, faults, fold

BAD = [
    "/a.png", "//a.png", "\\a.png", "C:a.png", "../a.png", "a/../b.png", "a/./b.png", "./a.png", "a//b.png", "a/", "", ".a.png",
    "a/.b/c.png", "con.png", "CON/a.png", "a/nul.tar.gz.png", "a/COM¹.png", "a/com1", "a/lpt9.x.png", "aux", "a/CONIN$.png",
    "a./b.png", "a /b.png", "a/ b.png", "a.png.", "a.png ", "a<b.png", "a>b.png", "a:b.png", 'a"b.png', "a|b.png", "a?b.png",
    "a*b.png", "a\\b.png", "a\nb.png", "a\x00b.png", "a\x7fb.png", "a\u202eb.png", "a\u200bb.png", "a\u2066b.png", "a\ufeffb.png",
    "a\u00adb.png", "-rf/a.png", "~/a.png", "．．／a.png", "a/．．/b.png", "a" * 232 + ".png", "é" * 116 + ".png", "a/" * 2500 + "a.png",
]  # fmt: skip
GOOD = [
    "a.png", "outputs/hero/red-1-1024x1024.png", "a b/c,d=e.png", "Crème/brûlée.jpg", "日本/東京.png", "a/b.tar.png", "console/auxiliary.png",
    "com/lpt.png", "com10.png", "a" * 227 + ".png", "a_b@half+x.png", "x/-1.png", "nul-1.png",
]  # fmt: skip


@pytest.mark.parametrize("path", BAD)
def test_a_path_that_is_unsafe_somewhere_is_refused_everywhere(path):
    assert list(faults(path))


@pytest.mark.parametrize("path", GOOD)
def test_an_ordinary_path_passes(path):
    assert list(faults(path)) == []


@given(st.text(st.sampled_from("ab./\\.- CONuxl1:é．／\u202e"), max_size=30))
def test_a_path_that_passes_never_leaves_the_root(path):
    if not list(faults(path)):
        resolved = posixpath.normpath(posixpath.join("/srv/out", path))
        assert resolved == "/srv/out/" + path
        assert all(0 < len(part.encode()) <= MAX_COMPONENT and part[0] != "." for part in path.split("/"))


@given(st.text(max_size=12), st.text(max_size=12))
def test_names_that_differ_in_case_or_form_alone_are_one(one, other):
    if one.casefold() == other.casefold():
        assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("É", "e\u0301"), ("ß", "SS"), ("ﬁ", "FI"), ("A", "a"), ("Ｋ", "k")])
def test_twins_of_any_file_system_are_one(one, other):
    assert fold(one) == fold(other)


def test_a_claimed_path_names_its_owner_and_a_picture_is_no_folder():
    claims = Claims()
    assert claims.claim("a/B.png", "one") is None
    assert claims.claim("A/b.png", "two") == "one"
    assert claims.claim("a/b.png/c.png", "three") is None
    assert list(claims.swallowed()) == [("a/b.png", "one", "three")]


@pytest.mark.parametrize(
    ("path", "picture", "fits"),
    [("a.png", "png", True), ("a.PNG", "png", True), ("a.jpg", "jpeg", True), ("a.jpeg", "jpeg", True), ("a.jpg", "png", False),
     ("a.png", "jpeg", False), ("a", "png", False), ("a.png/b", "png", False), ("a.webp", "png", False)],
)  # fmt: skip
def test_an_extension_is_the_pictures_own(path, picture, fits):
    assert (extension_fault(path, picture) is None) == fits
