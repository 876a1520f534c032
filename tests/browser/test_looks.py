"""What the page looks like, as far as it can be measured: nothing is squeezed, buried or pushed out of sight."""

from __future__ import annotations

import pytest
from browser.albums import entry, project
from browser.conftest import call

pytestmark = pytest.mark.alone

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
STYLE = "a style with a name that is much longer than any heading would like to be, " * 4
LONG = "; ".join(f"detail number {at} of the arrangement, with grain and dust" for at in range(60))


@pytest.fixture(scope="module")
def wordy(tmp_path_factory):
    """Make a gallery with wide tables and with texts that are long, or written from right to left."""
    folder = tmp_path_factory.mktemp("wordy")
    entries = (
        entry(
            "mug",
            "A {{ color }} mug, {{ style }}",
            color=["moss green", "teal"],
            style=[STYLE, "b"],
            seed=list(range(1, 13)),
        ),
        entry("long", f"A {{{{ color }}}} mug, {LONG}", color=["red"], seed=[1, 2, 3], size=["240x240", "240x160"]),
        entry("rtl", "كوب على طاولة خشبية", seed=[1], size=["240x240"]),
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        assert call(folder, monkeypatch, "gallery", project(folder, *entries)) in (0, None)
    return folder / "gallery.html"


def box(page, selector):
    """Return where the first element stands that matches."""
    return page.locator(selector).first.evaluate("(one) => one.getBoundingClientRect().toJSON()")


@pytest.mark.parametrize(("settings", "least"), [({}, 96), (PHONE, 80)], ids=["desk", "phone"])
def test_the_headings_of_a_wide_table_keep_their_words_whole(wordy, screen, settings, least):
    page = screen(wordy, "#rows=color&cols=seed&entry=mug", **settings)
    matrix = page.locator(".matrix")
    assert matrix.evaluate("(one) => one.scrollWidth > one.clientWidth"), "it is wider than its box"
    assert box(page, "tbody th .value")["width"] >= least
    page.locator("#rows-axis").select_option("style")
    page.locator(f'tbody th .value[title="{STYLE}"]').wait_for()
    long = box(page, "tbody th .value")
    assert long["width"] <= 11 * 16
    assert long["height"] < 4 * 24
