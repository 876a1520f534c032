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


def marked(count):
    """Return the address of a comparison of so many pictures."""
    seeds = range(1, count + 1)
    return "#" + "&".join(f"mark=mug/color=moss green,style=b,seed={seed}" for seed in seeds) + "&compare="


def test_six_pictures_fit_side_by_side_and_keep_their_names(wordy, screen):
    page = screen(wordy, marked(6))
    sides = page.locator(".sides")
    assert sides.evaluate("(one) => one.scrollWidth <= one.clientWidth"), "all of them are seen at once"
    widths = page.locator(".sides .full").evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().width)")
    assert min(widths) >= 160
    assert max(widths) - min(widths) < 1
    assert abs(box(page, ".sides .full")["height"] - widths[0]) < 1, "no mat is higher than its picture is wide"
    page.set_viewport_size(PHONE["viewport"])
    row = page.locator(".sides tbody th:has-text('Cost')")
    title = page.locator(".sides .title span").first
    before = row.bounding_box()["x"], title.bounding_box()["x"]
    sides.evaluate("(one) => one.scrollTo(300, 200)")
    assert (row.bounding_box()["x"], title.bounding_box()["x"]) == before, "what a row is stays in sight"
    assert box(page, ".sides .full")["y"] < 200, "and so do the pictures"


def test_two_pictures_side_by_side_fill_a_phone(wordy, screen):
    page = screen(wordy, marked(2), **PHONE)
    assert box(page, ".sides .full")["width"] > 130
    assert page.locator(".sides .full").last.evaluate("(one) => one.getBoundingClientRect().right") > 375


@pytest.mark.parametrize("settings", [{}, PHONE], ids=["desk", "phone"])
def test_a_long_prompt_buries_nothing_and_can_be_read_whole(wordy, screen, settings):
    page = screen(wordy, "#open=long/color=red,seed=1,size=240x240", **settings)
    prompt = page.locator(".large .text").first
    unfold = page.get_by_role("button", name="Show all")
    unfold.wait_for()
    assert prompt.bounding_box()["height"] < 9 * 23
    assert prompt.inner_text() == f"A red mug, {LONG}"
    assert prompt.bounding_box()["width"] > page.locator(".large dl").bounding_box()["width"] - 2
    unfold.click()
    less = page.get_by_role("button", name="Show less")
    assert less.get_attribute("aria-expanded") == "true"
    assert prompt.bounding_box()["height"] > 20 * 22
    less.click()
    assert prompt.bounding_box()["height"] < 9 * 23
    page.keyboard.press("Escape")
    page.locator("#card-0 .open").click()
    page.locator(".large .text").first.wait_for()
    assert page.locator(".large .unfold").is_hidden(), "a short one is not folded"


def test_a_prompt_from_right_to_left_begins_at_the_right(wordy, screen):
    page = screen(wordy, "#open=rtl/seed=1,size=240x240")
    text = page.locator(".large .text").first
    first = text.evaluate(
        """(one) => { const range = document.createRange(); range.setStart(one.firstChild, 0); range.setEnd(one.firstChild, 1);
        return range.getBoundingClientRect().right; }"""
    )
    assert abs(first - box(page, ".large .text")["right"]) < 2


def test_the_headings_of_a_table_stay_while_it_scrolls(wordy, screen):
    page = screen(wordy, "#rows=seed&cols=color&entry=mug", viewport={"width": 500, "height": 600})
    page.locator("tbody th .value").first.wait_for()
    heads = ("thead th .value", "tbody th .value")
    page.locator(".matrix").evaluate("(one) => one.scrollIntoView()")
    before = [box(page, head) for head in heads]
    page.locator(".matrix").evaluate("(one) => one.scrollTo(60, 40)")
    after = [box(page, head) for head in heads]
    assert after[0]["y"] == before[0]["y"], "what a column is"
    assert after[1]["x"] == before[1]["x"], "what a row is"
    assert page.locator("tbody th").first.evaluate("(one) => getComputedStyle(one).borderRightWidth") == "1px"


def test_a_table_is_one_for_those_who_hear_it(wordy, screen):
    page = screen(wordy, "#rows=color&cols=seed&entry=mug")
    table = page.get_by_role("table", name="mug: color as rows, seed as columns")
    assert table.get_by_role("columnheader").count() == 12
    assert table.get_by_role("rowheader").count() == 2
    assert table.get_by_role("row").count() == 3
    assert table.get_by_role("listitem").count() == 48


def test_a_table_knows_how_high_it_is_before_it_is_laid_out(gallery, screen):
    page = screen(gallery, "#rows=seed&cols=color")
    page.wait_for_function("() => document.querySelectorAll('.card').length === 500")
    laid = "() => [...document.querySelectorAll('.card')].filter((one) => one.checkVisibility({ contentVisibilityAuto: true })).length"
    assert page.evaluate(laid) < 500
    high = page.locator(".matrix").evaluate_all("(all) => all.map((one) => one.scrollHeight)")
    page.emulate_media(media="print")
    real = page.locator(".matrix").evaluate_all("(all) => all.map((one) => one.scrollHeight)")
    assert [abs(one / other - 1) < 0.1 for one, other in zip(high, real, strict=True)] == [True, True], (high, real)


def test_on_a_phone_the_controls_take_little_room_and_there_is_a_way_back_to_them(gallery, screen):
    page = screen(gallery, **PHONE)
    rows, columns = page.locator("#rows-axis").bounding_box(), page.locator("#columns-axis").bounding_box()
    assert rows["y"] == columns["y"]
    assert abs(rows["width"] - columns["width"]) < 1
    assert rows["x"] == page.locator("#find").bounding_box()["x"]
    sizes = "(all) => all.map((one) => getComputedStyle(one).fontSize)"
    assert set(page.locator(".bar :is(input, select)").evaluate_all(sizes)) == {"16px"}, "a phone does not zoom in"
    assert box(page, ".card img")["y"] < 400
    page.evaluate("scrollTo(0, 3000)")
    page.wait_for_function("() => scrollY === 3000")
    way = page.get_by_role("button", name="Filters")
    assert 0 <= way.bounding_box()["y"] < 20
    assert box(page, ".bar")["bottom"] < 60, "what stays is slim"
    way.click()
    assert page.evaluate("scrollY") == 0
    page.get_by_role("button", name="teal").click()
    assert page.locator(".chip").first.bounding_box()["height"] >= 32
    way.click()
    assert page.locator(".chip").first.is_hidden()


def test_filters_that_would_push_the_pictures_down_are_closed_at_first(gallery, tmp_path, monkeypatch, screen):
    assert screen(gallery).locator(".chip").first.is_visible()
    axes = {f"axis{at}": [f"a first value of many words {at}", f"a second value of many words {at}"] for at in range(6)}
    words = " ".join(f"{{{{ {name} }}}}" for name in axes)
    assert call(tmp_path, monkeypatch, "gallery", project(tmp_path, entry("many", words, **axes))) in (0, None)
    page = screen(tmp_path / "gallery.html")
    assert page.locator(".chip").first.is_hidden()
    page.locator("summary").click()
    assert page.locator(".chip").first.is_visible()


def test_a_long_value_takes_two_lines_and_a_marked_card_keeps_its_size(wordy, screen):
    page = screen(wordy, "#find=moss")
    values = page.locator("#card-0 .values span")
    assert values.nth(1).get_attribute("title") == f"style: {STYLE}"
    assert values.nth(1).bounding_box()["height"] < 3 * 19
    before = box(page, "#card-0 img"), box(page, "#card-0")
    page.locator("#card-0 .open").focus()
    page.keyboard.press("c")
    page.locator("#card-0.marked").wait_for()
    assert (box(page, "#card-0 img"), box(page, "#card-0")) == before


@pytest.mark.parametrize("address", ["", "#rows=color&cols=seed"])
def test_why_there_is_no_picture_can_be_read_whole(gallery, screen, address):
    reason = screen(gallery, address).locator("#card-17 .reason")
    assert "must be a multiple of 16" in reason.get_attribute("title")


@pytest.mark.parametrize("width", [390, 820, 1280])
def test_a_small_picture_is_shown_as_large_as_there_is_room(wordy, screen, width):
    page = screen(wordy, "#open=rtl/seed=1,size=240x240", viewport={"width": width, "height": 1100})
    page.locator(".large .full").evaluate("(one) => one.decode()")
    stage, full, side = box(page, ".stage"), box(page, ".stage .full"), box(page, ".side")
    assert full["width"] >= stage["width"] - 33
    assert (stage["bottom"] <= side["y"]) == (width < 960), "what is known stands beside it only where there is room"
    assert stage["width"] >= min(width, 700) - 36
