"""The page in a real browser: every control is used on a gallery of 500 pictures, by mouse and by keyboard."""

from __future__ import annotations

import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode

import pytest
from browser.albums import entry, project
from browser.conftest import call

pytestmark = pytest.mark.alone


def cards(page):
    """Return the names of the cards that can be seen, in their order."""
    return page.evaluate(
        "[...document.querySelectorAll('.card')].filter((one) => one.checkVisibility()).map((one) => one.id)"
    )


def focused(page):
    return page.evaluate("document.activeElement.closest('.card')?.id ?? document.activeElement.id")


def settled(page, count):
    """Wait until the page says that so many pictures are shown, and until that many are in place."""
    page.wait_for_function("(n) => document.querySelector('.shown').textContent.startsWith(n)", arg=f"{count} ")
    page.wait_for_function(
        "(n) => [...document.querySelectorAll('.card')].filter((one) => one.checkVisibility()).length === n", arg=count
    )


def address(page, part):
    page.wait_for_function("(part) => decodeURIComponent(location.hash).includes(part)", arg=part)
    return page.url


def test_all_cells_are_there_and_those_without_a_picture_say_why(gallery, screen):
    page = screen(gallery)
    settled(page, 500)
    assert page.locator("h1").inner_text() == "Gallery of m.yaml"
    assert page.locator(".entry h2 .name").all_inner_texts() == ["small-bottle", "large-bottle"]
    assert page.locator(".entry h2 .count").all_inner_texts() == ["250 cells", "250 cells"]
    assert page.locator(".facts li").all_inner_texts()[:3] == ["500 cells", "462 pictures", "2 entries"]
    assert page.locator(".shown").inner_text() == "500 cells"
    reasons = dict(
        page.evaluate("[...document.querySelectorAll('.blank')].map((one) => [one.dataset.state, one.textContent])")
    )
    assert {"failed", "doubtful", "running", "pending", "paid", "broken"} == set(reasons)
    assert "flagged by moderation" in page.locator("#card-7 .reason").inner_text()
    assert "multiple of 16" in page.locator("#card-17 .reason").inner_text()
    assert "truncated" in reasons["broken"]
    assert page.locator("#card-0 img").get_attribute("alt") == "A small red bottle on marble"


def test_words_narrow_the_pictures_and_the_count_says_so(gallery, screen):
    page = screen(gallery)
    page.keyboard.press("/")
    assert focused(page) == "find"
    page.keyboard.type("teal LARGE")
    settled(page, 50)
    assert page.locator(".shown").inner_text() == "50 of 500 cells"
    assert page.locator(".entry:visible h2").all_inner_texts() == ["large-bottle\n50 of 250 cells"]
    page.wait_for_function("() => document.querySelector('[role=status]').textContent === '50 of 500 cells shown'")
    page.keyboard.press("Escape")
    settled(page, 500)
    assert page.locator("#find").input_value() == ""


def test_task_reason_and_state_are_found_too(gallery, screen):
    page = screen(gallery)
    find = page.get_by_label("Find", exact=True)
    for words, count in (("failed", 14), ("2321 large teal marble", 1), ("moderation LARGE", 3), ("broken", 6)):
        find.fill(words)
        settled(page, count)


def test_accents_are_found_without_them_and_with_them(tmp_path, monkeypatch, screen):
    monkeypatch.chdir(tmp_path)
    flavours = ["crème brûlée", "creme fraiche", "Ångström", "vanilla"]
    manifest = project(tmp_path, entry("pot", "A pot of {{ flavour }}", flavour=flavours, size=["240x240"]))
    assert call(tmp_path, monkeypatch, "gallery", manifest) in (0, None)
    page = screen(tmp_path / "gallery.html")
    find = page.get_by_label("Find", exact=True)
    for words, count in (("creme", 2), ("CRÈME", 2), ("cre\u0300me brulee", 1), ("angstrom", 1)):
        find.fill(words)
        settled(page, count)


def test_a_filter_that_nothing_matches_says_so_and_can_be_cleared(gallery, screen):
    page = screen(gallery, "#find=zebra")
    settled(page, 0)
    page.get_by_role("heading", name="Nothing matches").wait_for()
    page.get_by_role("button", name="Clear the filters").click()
    settled(page, 500)
    assert page.get_by_role("heading", name="Nothing matches").is_hidden()


def test_values_are_chosen_by_chips_and_from_a_list_where_there_are_many(gallery, screen):
    page = screen(gallery)
    page.get_by_role("button", name="teal").click()
    settled(page, 100)
    page.get_by_role("button", name="gold").click()
    settled(page, 200)
    page.get_by_role("button", name="oak").click()
    settled(page, 100)
    page.get_by_label("seed", exact=True).select_option("3")
    settled(page, 4)
    assert page.get_by_role("button", name="teal").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="teal").click()
    settled(page, 2)
    page.get_by_role("button", name="Clear", exact=True).click()
    settled(page, 500)
    page.get_by_role("button", name="failed", exact=True).click()
    settled(page, 14)


def test_any_two_axes_are_rows_and_columns_and_can_be_swapped(gallery, screen):
    page = screen(gallery)
    page.get_by_label("Rows", exact=True).select_option("color")
    page.get_by_label("Columns", exact=True).select_option("place")
    settled(page, 500)
    table = page.locator(".matrix:visible table").first
    assert table.locator("thead .value").all_text_contents() == ["marble", "oak"]
    assert table.locator("tbody th .value").all_text_contents() == ["red", "teal", "gold", "moss", "cream"]
    assert page.locator("#card-30").evaluate("one => one.closest('tr').querySelector('th .value').textContent") == "red"
    assert page.locator("#card-0 .values span:visible").all_inner_texts() == ["1"], "not what row and column say"
    page.get_by_role("button", name="Swap rows and columns").click()
    settled(page, 500)
    assert (
        page.locator(".matrix:visible thead .value").all_inner_texts() == ["red", "teal", "gold", "moss", "cream"] * 2
    )
    assert "rows=place" in address(page, "cols=color")
    page.get_by_label("Rows", exact=True).select_option("")
    page.get_by_label("Columns", exact=True).select_option("")
    settled(page, 500)
    assert page.locator(".matrix:visible").count() == 0
    assert cards(page)[:3] == ["card-0", "card-1", "card-2"]


def test_one_axis_is_never_rows_and_columns_at_once(gallery, screen):
    page = screen(gallery, "#rows=color&cols=place")
    rows, columns = (page.get_by_label(name, exact=True) for name in ("Rows", "Columns"))
    rows.select_option("place")
    assert (rows.input_value(), columns.input_value()) == ("place", "color")
    columns.select_option("place")
    assert (rows.input_value(), columns.input_value()) == ("color", "place")
    rows.select_option("")
    rows.select_option("place")
    assert (rows.input_value(), columns.input_value()) == ("place", "")
    again = screen(gallery, "#rows=seed&cols=seed")
    settled(again, 500)
    assert again.get_by_label("Rows", exact=True).input_value() == ""
    assert again.get_by_label("Columns", exact=True).input_value() == "seed"
    assert again.locator(".matrix:visible tbody th").count() == 0


def test_several_values_of_many_are_chosen_shown_and_taken_off(gallery, screen):
    page = screen(gallery)
    seed = page.get_by_label("seed", exact=True)
    seed.select_option("11")
    settled(page, 20)
    seed.select_option("3")
    settled(page, 40)
    assert page.locator(".taken .chip").all_text_contents() == ["seed × 3", "seed × 11"]
    assert seed.locator("option:disabled").all_inner_texts() == ["3", "11"]
    assert seed.locator("option:checked").inner_text() == "and…"
    again = screen(gallery, "#" + address(page, "is.seed=3").partition("#")[2])
    settled(again, 40)
    again.get_by_role("button", name="seed 11").focus()
    again.keyboard.press("Enter")
    settled(again, 20)
    assert again.evaluate("document.activeElement.getAttribute('aria-labelledby')") is not None, (
        "the list has the focus"
    )
    again.get_by_role("button", name="seed 3").click()
    settled(again, 500)
    assert again.locator(".taken .chip").count() == 0
    assert again.get_by_label("seed", exact=True).locator("option:checked").inner_text() == "any"


def test_a_table_is_narrowed_to_the_rows_that_are_left(gallery, screen):
    page = screen(gallery, "#rows=color&cols=seed&find=small+teal")
    settled(page, 50)
    assert page.locator(".matrix:visible tbody th .value").all_inner_texts() == ["teal"]


def test_the_arrows_lead_to_the_picture_that_the_eye_expects(gallery, screen):
    page = screen(gallery)
    page.keyboard.press("ArrowRight")
    assert focused(page) == "card-0"
    page.keyboard.press("ArrowRight")
    assert focused(page) == "card-1"
    page.keyboard.press("ArrowDown")
    below = focused(page)
    x = "(id) => document.getElementById(id).getBoundingClientRect().x"
    assert page.evaluate(x, below) == page.evaluate(x, "card-1")
    assert below != "card-1"
    page.keyboard.press("ArrowUp")
    assert focused(page) == "card-1"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert focused(page) == "card-0"
    page.keyboard.press("End")
    assert focused(page) == "card-499"
    page.keyboard.press("Home")
    assert focused(page) == "card-0"
    page.get_by_label("Find", exact=True).focus()
    page.keyboard.press("ArrowDown")
    assert focused(page) == "card-0"


def test_up_and_down_in_a_table_keep_to_their_column(gallery, screen):
    page = screen(gallery, "#rows=color&cols=place&find=small", viewport={"width": 1900, "height": 900})
    settled(page, 250)
    at = """() => {
        const cell = document.activeElement.closest('td');
        const lines = [...new Set([...cell.querySelectorAll('.card')].map((one) => one.getBoundingClientRect().top))];
        const row = cell.closest('tr').querySelector('.value').textContent;
        return [row, cell.cellIndex, lines.indexOf(document.activeElement.closest('.card').getBoundingClientRect().top)];
    }"""
    colors = page.locator(".matrix:visible tbody th .value").all_inner_texts()
    for column in (1, 2):
        page.locator(".matrix:visible tbody tr").first.locator("td").nth(column - 1).locator(".open").last.focus()
        place = page.evaluate(at)
        assert place[:2] == [colors[0], column]
        assert place[2] >= 1
        page.keyboard.press("ArrowDown")
        assert page.evaluate(at) == [colors[1], column, 0]
        page.keyboard.press("ArrowDown")
        assert page.evaluate(at) == [colors[1], column, 1]
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        assert page.evaluate(at) == [colors[0], column, place[2]]


def test_axes_and_values_may_be_called_as_what_a_browser_knows(tmp_path, monkeypatch, screen):
    monkeypatch.chdir(tmp_path)
    odd = entry("car", "A {{ constructor }}", constructor=["ferrari", "lotus"], seed=[1])
    project(tmp_path, odd, entry("toString", "A plain bottle"))
    assert call(tmp_path, monkeypatch, "gallery", "manifests/m.yaml") == 0
    page = screen(tmp_path / "gallery.html", "#rows=constructor")
    settled(page, 3)
    assert page.locator(".matrix:visible tbody th .value").all_inner_texts() == ["ferrari", "lotus"]
    assert page.locator(".grid:visible .card").count() == 1
    assert "native code" not in page.content()


def test_the_large_view_tells_everything_and_goes_on_from_picture_to_picture(gallery, screen):
    page = screen(gallery)
    page.locator("#card-2 .open").click()
    large = page.get_by_role("dialog")
    assert large.get_by_role("heading").inner_text() == "small-bottle/color=red,place=marble,seed=3,size=240x240"
    facts = dict(zip(large.locator("dt").all_inner_texts(), large.locator("dd .text").all_inner_texts(), strict=True))
    assert facts["Prompt"] == "A small red bottle on marble"
    assert (facts["Seed"], facts["Size"], facts["Cost"], facts["Task"]) == ("3", "240x240", "$0.03", "2002")
    assert "safetyTolerance: 2" in facts["Parameters"]
    assert facts["Path"].startswith("outputs/small-bottle/")
    image = large.locator("img")
    image.evaluate("(one) => one.decode()")
    assert image.evaluate("(one) => one.naturalWidth") == 160, "the file itself, not the thumbnail"
    assert large.locator(".place").inner_text() == "3 of 500"
    large.get_by_role("button", name="Next").click()
    assert large.locator(".place").inner_text() == "4 of 500"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert large.locator(".place").inner_text() == "2 of 500"
    large.get_by_role("button", name="Previous").click()
    assert large.get_by_role("button", name="Previous").is_disabled()
    assert large.get_by_role("link", name="Open the file").get_attribute("href").startswith("outputs/")
    page.keyboard.press("Escape")
    assert large.is_hidden()
    assert focused(page) == "card-0"


def test_up_and_down_step_by_rows_in_the_large_view_too(gallery, screen):
    page = screen(gallery)
    settled(page, 500)
    page.locator("#card-1 .open").focus()
    page.keyboard.press("ArrowDown")
    below = focused(page)
    page.locator("#card-1 .open").click()
    heading = page.get_by_role("dialog").get_by_role("heading")
    first = heading.inner_text()
    page.keyboard.press("ArrowDown")
    assert heading.inner_text() != first
    page.keyboard.press("Escape")
    page.wait_for_function("(id) => document.activeElement.closest('.card')?.id === id", arg=below)
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowUp")
    assert heading.inner_text() == first


def test_enter_opens_the_large_view_and_the_focus_stays_in_it(gallery, screen):
    page = screen(gallery)
    page.locator("#card-1 .open").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    for _ in range(40):
        page.keyboard.press("Tab")
        inside = page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
        assert inside
    page.get_by_role("button", name="Close").click()
    assert focused(page) == "card-1"


def test_a_large_view_that_is_opened_again_at_once_stays(gallery, screen):
    page = screen(gallery)
    page.locator("#card-1 .open").click()
    page.evaluate(
        """() => new Promise((done) => {
        document.querySelector(".large").close();
        document.querySelector("#card-2 .open").click();
        setTimeout(done);
        })"""
    )
    assert page.locator(".large .full").count() == 1
    assert page.locator(".large .place").inner_text() == "3 of 500"
    address(page, "seed=3,")


def test_back_closes_the_large_view_and_forward_opens_it(gallery, screen):
    page = screen(gallery, "#find=teal")
    settled(page, 100)
    start = page.url
    page.locator(".card:visible .open").first.click()
    large = page.get_by_role("dialog")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Mark for compare").click()
    name = large.get_by_role("heading").inner_text()
    address(page, f"open={name}")
    page.go_back()
    large.wait_for(state="hidden")
    assert page.locator(".mark:checked").count() == 1, "what was marked meanwhile stays marked"
    address(page, f"mark={name}")
    page.go_forward()
    large.wait_for()
    assert large.get_by_role("heading").inner_text() == name
    large.get_by_role("button", name="Close").click()
    large.wait_for(state="hidden")
    page.wait_for_function("() => !location.hash.includes('open=')")
    page.locator(".card:visible .open").nth(3).click()
    page.keyboard.press("Escape")
    large.wait_for(state="hidden")
    page.wait_for_function("() => !location.hash.includes('open=')")
    assert page.evaluate("history.length") <= 3, "each look leaves no place of its own behind"
    assert start.partition("#")[0] == page.url.partition("#")[0]


def test_a_large_view_that_is_closed_while_the_address_is_written_leaves_back_as_it_was(gallery, screen):
    page = screen(gallery, "#find=teal")
    settled(page, 100)
    large = page.get_by_role("dialog")
    for _ in range(3):
        page.evaluate("document.querySelector('.card:not([hidden]) .open').click()")
        page.evaluate(
            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));"
            "document.querySelector('.large .close').click()"
        )
        large.wait_for(state="hidden")
        page.wait_for_function("() => !location.hash.includes('open=') && !history.state?.large")
    page.locator(".card:visible .open").first.click()
    large.wait_for()
    page.go_back()
    large.wait_for(state="hidden")


def test_every_copy_button_copies_its_text(gallery, screen):
    page = screen(gallery, "#open=small-bottle/color=red,place=marble,seed=3,size=240x240")
    large = page.get_by_role("dialog")
    wanted = large.locator("dd .text").all_text_contents()
    copied = []
    for button in large.locator(".copy").all():
        button.click()
        page.wait_for_function("(one) => one.textContent === 'Copied'", arg=button.element_handle())
        copied.append(
            page.evaluate("navigator.clipboard.readText()")
            if page.context.grant_permissions(["clipboard-read"]) is None
            else ""
        )
    assert copied == wanted


def test_a_failed_cell_opens_too_and_has_its_reason(gallery, screen):
    page = screen(gallery)
    page.locator("#card-7 .open").click()
    large = page.get_by_role("dialog")
    assert "flagged by moderation" in large.locator(".fact", has_text="Reason").inner_text()
    assert large.get_by_role("link", name="Open the file").is_hidden()
    assert large.get_by_role("button", name="Mark for compare").is_hidden()
    page.keyboard.press("ArrowRight")
    assert large.locator("img").count() == 1


def test_two_pictures_and_more_are_compared_side_by_side(gallery, screen):
    page = screen(gallery)
    page.locator("#card-0 .open").focus()
    page.keyboard.press("c")
    assert page.get_by_role("button", name="Compare", exact=True).is_disabled()
    page.locator("#card-30").hover()
    page.locator("#card-30 .mark").check()
    page.get_by_role("button", name="Compare", exact=True).click()
    sides = page.get_by_role("dialog")
    assert sides.get_by_role("heading").inner_text() == "Compare 2 pictures"
    assert sides.locator("img").count() == 2
    rows = {
        row.locator("th").inner_text(): row.locator("td").all_inner_texts()
        for row in sides.locator("tbody tr:has(td)").all()
    }
    assert rows["Seed"] == ["1", "6"]
    assert rows["Prompt"] == ["A small red bottle on marble", "A small red bottle on oak"]
    assert sides.locator("mark").all_inner_texts() == ["marble", "oak"]
    titles = sides.locator("tr.title").all_inner_texts()
    assert titles == ["What differs", "The same in all"]
    page.keyboard.press("Escape")
    page.locator("#card-2 .open").click()
    page.get_by_role("button", name="Mark for compare").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Compare", exact=True).click()
    assert sides.locator("img").count() == 3
    sides.get_by_role("button", name="Take out").first.click()
    assert sides.locator("img").count() == 2
    sides.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Clear marks").click()
    assert page.get_by_role("button", name="Compare", exact=True).is_hidden()
    assert page.locator(".mark:checked").count() == 0


def test_on_a_phone_what_is_compared_is_never_squeezed(gallery, screen):
    page = screen(gallery, "", viewport={"width": 390, "height": 844}, has_touch=True)
    marks = page.evaluate(
        "JSON.parse(document.getElementById('album').textContent).cards.slice(0, 4).map((one) => one.name)"
    )
    page = screen(
        gallery,
        f"#{urlencode([*(('mark', one) for one in marks), ('compare', '')])}",
        viewport={"width": 390, "height": 844},
    )
    heads = page.locator(".sides thead th")
    heads.nth(3).wait_for()
    assert min(head.bounding_box()["width"] for head in heads.all()) > 120
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_long_prompts_are_folded_where_pictures_are_compared(tmp_path, monkeypatch, screen):
    monkeypatch.chdir(tmp_path)
    long = entry("hero", "{{ color }} " + "and one word more " * 100, color=["red", "teal"], seed=[1], size=["240x240"])
    project(tmp_path, long)
    assert call(tmp_path, monkeypatch, "gallery", "manifests/m.yaml") == 0
    page = screen(tmp_path / "gallery.html")
    for mark in page.locator(".mark").all():
        mark.check(force=True)
    page.get_by_role("button", name="Compare", exact=True).click()
    row = page.locator(".sides tr:has(th:has-text('Prompt'))")
    folded = row.bounding_box()["height"]
    assert folded < 250
    row.get_by_role("button", name="Show all").click()
    assert row.bounding_box()["height"] > folded + 100
    row.get_by_role("button", name="Show all of Prompt").click()
    assert row.bounding_box()["height"] == folded


def test_the_address_brings_everything_back(gallery, screen):
    page = screen(gallery)
    page.get_by_role("button", name="teal").click()
    page.get_by_label("Find", exact=True).fill("oak")
    page.get_by_label("Rows", exact=True).select_option("seed")
    page.get_by_label("Columns", exact=True).select_option("color")
    settled(page, 50)
    page.locator(".card:visible .open").first.focus()
    page.keyboard.press("c")
    page.keyboard.press("Enter")
    name = page.get_by_role("dialog").get_by_role("heading").inner_text()
    link = address(page, f"mark={name}")
    again = screen(gallery, "#" + link.partition("#")[2])
    settled(again, 50)
    assert again.get_by_role("dialog").get_by_role("heading").inner_text() == name
    again.keyboard.press("Escape")
    assert again.locator(".mark:checked").count() == 1
    assert again.get_by_label("Rows", exact=True).input_value() == "seed"
    assert again.get_by_role("button", name="teal").get_attribute("aria-pressed") == "true"
    again.evaluate("location.hash = '#find=gold&state=nonsense&rows=nonsense&open=nonsense'")
    settled(again, 100)
    assert again.get_by_label("Find", exact=True).input_value() == "gold"


def test_light_and_dark_are_the_system_s_until_somebody_chooses(gallery, screen):
    ground = "getComputedStyle(document.body).backgroundColor"
    page = screen(gallery, color_scheme="dark")
    dark = page.evaluate(ground)
    assert sum(map(int, re.findall(r"\d+", dark))) < 150
    theme = page.get_by_role("button", name="Theme")
    theme.click()
    assert theme.inner_text() == "Theme: light"
    assert page.evaluate(ground) != dark
    page.reload()
    assert page.get_by_role("button", name="Theme").inner_text() == "Theme: light"
    page.get_by_role("button", name="Theme").click()
    assert page.evaluate(ground) == dark


@pytest.mark.parametrize(
    "fragment", ["", "#rows=color&cols=place", "#open=small-bottle/color=red,place=marble,seed=3,size=240x240"]
)
def test_a_phone_of_360_pixels_shows_it_without_scrolling_sideways(gallery, screen, fragment):
    page = screen(gallery, fragment, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page.locator(".js").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("[...document.querySelectorAll('dialog[open]')].every((one) => one.scrollWidth <= 360)")


def test_what_is_derived_is_beside_its_picture_and_what_is_missing_is_said(tmp_path, monkeypatch, screen):
    monkeypatch.chdir(tmp_path)
    derive = [{"format": "webp"}, {"format": "jpeg", "width": 120, "suffix": "@half"}]
    manifest = project(tmp_path, entry("bottle", derive=derive, color=["red"], place=["oak"], size=["240x240"]))
    (half,) = tmp_path.glob("outputs/bottle/*@half.jpg")
    assert call(tmp_path, monkeypatch, "gallery", manifest) in (0, None)
    page = screen(tmp_path / "gallery.html")
    links = page.locator("#card-0 .derived a")
    assert links.all_inner_texts() == [".webp", "@half.jpg"]
    for href in links.evaluate_all("(all) => all.map((a) => decodeURIComponent(a.getAttribute('href')))"):
        assert (tmp_path / href).exists()
    page.locator("#card-0 .open").click()
    said = page.locator(".large .fact", has_text="Derived").locator(".text")
    assert re.fullmatch(r".*webp \(webp, 240x240\)\s+.*@half\.jpg \(jpeg, 120x120\)\s*", said.inner_text(), re.DOTALL)
    assert said.locator("a").count() == 2
    half.unlink()
    assert call(tmp_path, monkeypatch, "gallery", manifest) in (0, None)
    page = screen(tmp_path / "gallery.html", "#open=bottle/color=red,place=oak,size=240x240")
    assert "@half.jpg: it was derived and is not there any more" in page.locator(".large").inner_text()
    assert page.locator("#card-0 .derived a").count() == 1


@pytest.fixture(scope="module")
def drinks(tmp_path_factory):
    """Make a gallery of an entry with 30 rows, each in two colours; return the page's file."""
    folder = tmp_path_factory.mktemp("drinks")
    rows = [
        {
            "sku": f"A{at:02}",
            "product": f"drink {at}",
            "maker": ("Ada", "Eve", "Zoë")[at % 3],
            "about": f"A long text about drink {at}, and about everything else that there is to say",
        }
        for at in range(30)
    ]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        prompt = "A {{ color }} bottle of {{ product }}"
        manifest = project(folder, entry("drink", prompt, foreach=rows, color=["red", "teal"], size=["240x240"]))
        assert call(folder, monkeypatch, "gallery", manifest) in (0, None)
    return folder / "gallery.html"


def test_the_fields_of_rows_label_filter_find_and_arrange_the_cards(drinks, screen):
    page = screen(drinks)
    settled(page, 60)
    assert page.locator("#card-0 .values span").all_inner_texts() == ["red", "A00"]
    page.get_by_role("button", name="Eve").click()
    settled(page, 20)
    page.get_by_label("sku", exact=True).select_option("A04")
    settled(page, 2)
    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_label("Find", exact=True).fill("ada teal")
    settled(page, 10)
    page.get_by_label("Rows", exact=True).select_option("sku")
    page.get_by_label("Columns", exact=True).select_option("color")
    settled(page, 10)
    assert page.locator(".matrix:visible tbody th .value").all_inner_texts() == [f"A{at:02}" for at in range(0, 30, 3)]
    page.locator("#card-1 .open").click()
    large = page.get_by_role("dialog")
    assert "A long text about drink 0" in large.locator(".fact", has_text="about (field)").inner_text()
    assert large.locator(".fact", has_text="color (axis)").count() == 1


def test_without_javascript_there_is_a_grid_of_links_to_the_files(gallery, screen):
    page = screen(gallery, java_script_enabled=False)
    assert page.locator(".card").count() == 500
    assert page.locator(".card img").count() == page.locator(".card .open[href^='outputs/']").count() - 6
    assert page.locator(".bar, .mark:visible, dialog").count() == 0
    assert page.locator("#card-7 .reason").inner_text() == "task 2007 failed: the prompt was flagged by moderation"
    assert page.locator("#card-0 .prompt").inner_text() == "A small red bottle on marble"
    href = page.locator("#card-0 .open").get_attribute("href")
    assert (gallery.parent / href).read_bytes().startswith(b"\x89PNG")


def test_on_paper_every_picture_is_there_and_no_control(gallery, screen):
    page = screen(gallery, "#find=teal")
    settled(page, 100)
    page.emulate_media(media="print")
    assert page.locator(".bar:visible, .more:visible").count() == 0
    assert page.locator(".card:visible").count() == 100
    for name in (".card", ".grid"):
        assert page.locator(name).first.evaluate("(one) => getComputedStyle(one).contentVisibility") == "visible"


def test_on_a_web_server_the_page_asks_for_nothing_but_itself_and_its_pictures(tmp_path, monkeypatch, browser):
    asked, said = [], []

    class Site(SimpleHTTPRequestHandler):
        def log_request(self, code="-", _size="-"):
            asked.append((self.path.split("/")[1], int(code)))

    manifest = project(tmp_path, entry("hero", color=["red"], place=["oak"], size=["240x240"]))
    assert call(tmp_path, monkeypatch, "gallery", manifest) in (0, None)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.on("console", lambda one: said.append(one.text))
        page.goto(f"http://127.0.0.1:{server.server_port}/gallery.html", wait_until="networkidle")
        page.close()
        server.shutdown()
    assert said == []
    assert {*asked} == {("gallery.html", 200), ("gallery_files", 200)}
