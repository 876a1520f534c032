"""Nothing of the page keeps anybody out, and it stays quick with five thousand pictures."""

from __future__ import annotations

import pytest
from browser.albums import Fate, album, card, draw, entry, picture, project
from browser.conftest import call

from flux_pipeline.report.page import Thumbnail, page

pytestmark = pytest.mark.alone

STATES = {
    "grid": "",
    "narrowed": "#find=red",
    "nothing": "#find=zebra",
    "several": "#is.seed=10&is.seed=12",
    "matrix": "#rows=color&cols=seed",
    "rows": "#rows=place",
    "large": "#open=bottle/color=red,place=oak,seed=1,size=240x240",
    "failed": "#open=bottle/color=red,place=oak,seed=2,size=240x240",
    "marked": "#mark=bottle/color=red,place=oak,seed=1,size=240x240",
    "compare": "#mark=bottle/color=red,place=oak,seed=1,size=240x240&mark=bottle/color=teal,place=marble,seed=2,size=240x240&compare=",
}
LONG = "very long words about light and shadow, and about everything that stands around, " * 12


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Make a gallery with every state in it; return the page's file."""
    folder = tmp_path_factory.mktemp("mixed")
    states = ("saved", "failed", "doubtful", "running", "pending", "paid", "broken", "saved")
    entries = (
        entry("bottle", color=["red", "teal"], place=["oak", "marble"], seed=[1, 2], size=["240x240"]),
        entry("wordy", f"{{{{ color }}}}, {LONG}", color=["red", "gold"], seed=list(range(10, 24)), size=["240x160"]),
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        manifest = project(folder, *entries, fate=lambda cell, at: Fate(states[at], LONG) if at < 8 else Fate())
        assert call(folder, monkeypatch, "gallery", manifest) in (0, None)
    return folder / "gallery.html"


def violations(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    found = axe.Axe().run(page).response["violations"]
    return [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_in_any_state(mixed, screen, state, scheme):
    shown = screen(mixed, STATES[state], color_scheme=scheme)
    shown.locator(".js").wait_for()
    assert shown.locator("dialog[open]").count() == (state in ("large", "failed", "compare"))
    assert violations(shown) == []


def test_entries_of_one_name_in_two_manifests_are_told_apart(screen, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    colors = ["red", "teal"]
    manifests = [
        project(tmp_path, entry("mug", color=colors, place=["oak"]), name=name) for name in ("spring", "winter")
    ]
    assert call(tmp_path, monkeypatch, "gallery", *manifests) in (0, None)
    shown = screen(tmp_path / "gallery.html", "#rows=color")
    names = ["manifests/spring.yaml: mug", "manifests/winter.yaml: mug"]
    assert shown.locator(".entry h2 .name").all_inner_texts() == names
    assert shown.get_by_role("region", name=f"{names[1]} by color as rows").count() == 1
    assert violations(shown) == []
    shown.get_by_role("button", name="manifests/winter.yaml").click()
    shown.wait_for_function("() => document.querySelectorAll('.entry:not([hidden])').length === 1")
    shown.get_by_role("button", name="Clear", exact=True).click()
    shown.get_by_label("Find", exact=True).fill("spring teal")
    shown.locator(".shown").get_by_text("1 of 4 pictures").wait_for()


def test_an_axis_may_have_any_name(screen, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tones = [{"light tone": f"t{at}", "dark tone": "ab"[at % 2]} for at in range(12)]
    manifest = project(tmp_path, entry("mug", "A mug, {{ look['light tone'] }}", look=tones))
    assert call(tmp_path, monkeypatch, "gallery", manifest) in (0, None)
    shown = screen(tmp_path / "gallery.html")
    assert shown.get_by_role("group", name="look.dark tone").count() == 1
    assert shown.get_by_role("combobox", name="look.light tone").count() == 1
    assert violations(shown) == []


def test_axe_finds_nothing_on_a_phone_without_pictures_and_without_javascript(mixed, screen, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    manifest = project(tmp_path, entry("bottle", color=["red"], place=["oak"]), fate=lambda *_: Fate("pending"))
    assert call(tmp_path, monkeypatch, "gallery", manifest) in (0, None)
    empty = screen(tmp_path / "gallery.html")
    assert empty.get_by_role("heading", name="No pictures yet").is_visible()
    assert empty.locator("code").inner_text() == "flux-pipeline run manifests/m.yaml"
    assert violations(empty) == []
    phone = screen(mixed, STATES["large"], viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    assert violations(phone) == []


def test_who_wants_less_motion_gets_none_and_who_forces_colours_sees_what_is_pressed(mixed, screen):
    still = screen(mixed, reduced_motion="reduce", forced_colors="active")
    moving = "() => [...document.querySelectorAll('*')].filter((one) => parseFloat(getComputedStyle(one).transitionDuration)).length"
    assert still.evaluate(moving) == 0
    still.get_by_role("button", name="teal").click()
    assert still.get_by_role("button", name="teal").evaluate("(one) => getComputedStyle(one).outlineStyle") == "solid"


@pytest.fixture(scope="module")
def thousands(tmp_path_factory):
    """Write the page of 5,000 pictures, which share one file; return the page's file."""
    folder = tmp_path_factory.mktemp("thousands")
    fact = draw(folder / "one.png", 1)
    colors, places = ("red", "teal", "gold", "moss", "cream"), ("marble", "oak")
    cards = [
        card(
            at,
            f"A {colors[at % 5]} bottle on {places[at % 2]} with a longer description of light and surroundings, number ",
            entry=f"entry-{at // 1000}",
            axes={"color": colors[at % 5], "place": places[at % 2], "seed": str(at // 10 % 100)},
            picture=picture("one.png", f"{at:064x}"),
        )
        for at in range(5000)
    ]
    small = {f"{at:064x}": Thumbnail(f"one.png?{at}", fact.width, fact.height) for at in range(5000)}
    file = folder / "gallery.html"
    file.write_text(page(album(cards), small, lambda path: path))
    return file


def test_five_thousand_pictures_are_found_in_the_time_of_a_key_stroke(thousands, screen):
    shown = screen(thousands)
    shown.locator(".js").wait_for()
    shown.evaluate(
        """() => { window.took = []; document.getElementById("find").addEventListener("input", () => {
        const began = performance.now(); requestAnimationFrame(() => setTimeout(() => took.push(performance.now() - began))); }, true) }"""
    )
    shown.keyboard.press("/")
    for at, key in enumerate([*"teal oak", *["Backspace"] * 8]):
        shown.keyboard.press(key)
        shown.wait_for_function("(n) => took.length === n", arg=at + 1)
    took = sorted(shown.evaluate("() => took"))
    assert took[len(took) // 2] < 50, took
    assert took[-1] < 400, took
    shown.wait_for_function(
        "() => [...document.querySelectorAll('.card')].filter((one) => one.checkVisibility()).length === 5000"
    )
    waiting = "() => [...document.images].filter((one) => !one.complete).length"
    assert shown.evaluate(waiting) > 4000, "what is far below is not loaded"


def test_five_thousand_pictures_are_walked_through_from_end_to_end(thousands, screen):
    shown = screen(thousands)
    shown.keyboard.press("ArrowRight")
    shown.keyboard.press("End")
    assert shown.evaluate("() => document.activeElement.closest('.card').id") == "card-4999"
    shown.locator("#rows-axis").select_option("color")
    shown.locator("#columns-axis").select_option("place")
    shown.wait_for_function(
        "() => [...document.querySelectorAll('.card')].filter((one) => one.checkVisibility()).length === 5000"
    )


def test_five_thousand_pictures_scroll_smoothly(thousands, screen):
    shown = screen(thousands)
    shown.wait_for_function("() => document.querySelectorAll('.card').length === 5000")
    laid = "() => [...document.querySelectorAll('.card')].filter((one) => one.checkVisibility({ contentVisibilityAuto: true })).length"
    assert 0 < shown.evaluate(laid) < 1000, "what is far away is not laid out"
    high = shown.evaluate("document.documentElement.scrollHeight")
    session = shown.context.new_cdp_session(shown)
    session.send("Performance.enable")
    began = busy(session)
    shown.evaluate(
        """async () => { for (let at = 0; at < 100; at += 1) {
        scrollBy(0, 120);
        await new Promise((done) => requestAnimationFrame(done));
        } }"""
    )
    took = (busy(session) - began) / 100
    assert took < 0.03, took
    shown.keyboard.press("ArrowRight")
    shown.keyboard.press("End")
    assert abs(shown.evaluate("document.documentElement.scrollHeight") / high - 1) < 0.05, "it knew how high it is"


def busy(session):
    """Return the seconds of processor time that the page's program, style and layout have taken."""
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}["ThreadTime"]
