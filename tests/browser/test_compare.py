"""The page of a comparison in a real browser: seen, used by mouse and by keyboard, and deaf to what stands in it."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import replace
from decimal import Decimal

import pytest
from browser.albums import Fate, entry, project
from browser.conftest import call
from browser.test_access import LONG, violations
from browser.test_hostile import attributes, elements, payloads, received

from flux_pipeline.comparison import Comparison, Dollars, Row, Version
from flux_pipeline.ledger.facts import FileFact
from flux_pipeline.ledger.keys import Render
from flux_pipeline.report.compare import Look, Report
from flux_pipeline.report.compare_page import page

pytestmark = pytest.mark.alone

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 860}
SVG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
)


def commit(folder):
    named = ["git", "-c", "user.name=n", "-c", "user.email=e@example.invalid", "-c", "init.defaultBranch=main"]
    for words in (["init", "-q"], ["add", "-f", "manifests"], ["commit", "-q", "-m", "before"]):
        subprocess.run([*named, *words], cwd=folder, check=True, capture_output=True)


def entries(light, *, seeds):
    yield entry("mug", f"A {{{{ color }}}} mug on {{{{ place }}}}, {light} light", color=["red", "teal"], place=["oak"], seed=seeds, size=["240x240"])  # fmt: skip
    yield entry("jug", f"{LONG} {{{{ color }}}} {light}.", color=["gold"], place=["marble"], size=["240x160"])


def fate(_cell, at):
    return {2: Fate("failed", "the prompt was flagged by moderation"), 3: Fate("pending")}.get(at, Fate())


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Compare a manifest with what was committed: changed, added and removed cells, with and without pictures."""
    folder = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        manifest = project(folder, *entries("soft morning", seeds=[1, 2]))
        lockfile = manifest.with_suffix(".lock")
        before = lockfile.read_bytes()
        commit(folder)
        fresh = entry("cup", "A new cup", color=["white"], place=["oak"], size=["64x64"])
        project(folder, fresh, *entries("hard noon", seeds=[1, 3]), fate=fate)
        lockfile.write_bytes(before + lockfile.read_bytes().split(b"\n", 1)[1])
        assert call(folder, monkeypatch, "compare", manifest, "--against", "HEAD", "-o", "compare.html") in (0, None)
    return folder / "compare.html"


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    file = tmp_path_factory.mktemp("nothing") / "compare.html"
    none = Comparison((), Row(cell="", before=None, after=None))
    file.write_text("".join(page(Report(comparison=none, old="a.lock", new="b.lock", looks={}))))
    return file


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_has_to_be_scrolled_sideways(compared, nothing, screen, viewport, scheme):
    for file in (compared, nothing):
        shown = screen(file, viewport=viewport, color_scheme=scheme)
        assert violations(shown) == []
        assert shown.evaluate("() => document.documentElement.scrollWidth") <= viewport["width"]
        for view in shown.get_by_label("half and half").all():
            view.check()
        assert violations(shown) == []
        assert shown.evaluate("() => document.documentElement.scrollWidth") <= viewport["width"]


def test_everything_is_there_without_javascript(compared, screen):
    shown = screen(compared, java_script_enabled=False)
    assert shown.locator("article").count() == 8
    assert shown.get_by_text("failed: the prompt was flagged by moderation").is_visible()
    assert shown.locator("img").first.is_visible()
    views = shown.locator("fieldset").first
    views.get_by_label("after", exact=True).check()
    assert not shown.locator("article img").nth(0).is_visible()
    assert shown.locator("article img").nth(1).is_visible()


def seen(shown):
    """Return of the first article which of its two pictures can be seen, and whether they lie upon each other."""
    return shown.evaluate(
        """() => { const [one, other] = document.querySelector("article:has(fieldset)").querySelectorAll("figure img");
        const [a, b] = [one, other].map((image) => image.getBoundingClientRect());
        return [one.checkVisibility({visibilityProperty: true}), other.checkVisibility({visibilityProperty: true}),
        Math.abs(a.left - b.left) < 1 && Math.abs(a.top - b.top) < 1]; }"""
    )


VIEWS = {
    "side by side": [True, True, False],
    "before": [True, False, True],
    "half and half": [True, True, True],
    "after": [False, True, True],
}


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_two_pictures_are_laid_upon_each_other_by_mouse_and_by_keyboard(compared, screen, viewport):
    shown = screen(compared, viewport=viewport)
    views = shown.locator("fieldset").first
    assert seen(shown) == VIEWS["side by side"]
    for name in ("before", "after", "half and half", "side by side"):
        views.get_by_text(name, exact=True).click()
        assert seen(shown) == VIEWS[name]
    views.get_by_label("side by side").focus()
    for name in ("before", "half and half", "after", "side by side"):
        shown.keyboard.press("ArrowRight")
        assert seen(shown) == VIEWS[name]
    views.get_by_label("half and half").check()
    frame = shown.locator("article:has(fieldset) figure:first-child .frame").first
    assert frame.evaluate("(one) => getComputedStyle(one).clipPath") == "inset(0px 50% 0px 0px)"


def test_a_small_picture_is_not_blown_up_and_a_missing_side_takes_no_room(compared, screen):
    shown = screen(compared)
    widths = shown.evaluate(
        "() => [...document.images].map((one) => one.getBoundingClientRect().width - one.naturalWidth)"
    )
    assert max(widths) <= 0.5
    for article in shown.locator("article:has(.added), article:has(.removed)").all():
        assert article.locator("figure").count() == 1


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """The page of a cell with a very long id, before and after which are narrow pictures."""
    path = "outputs/an-entry/color=red,size=256x2048.png"
    look = Look(path=path, address="a.png", source=SVG, width=1, height=1)
    request = Render(model="m/m", params={"prompt": "A red mug"}, key="1" * 64)
    one = Version(key="1" * 64, state="saved", path=path, picture=None, task="1", model="m/m", request=request)
    row = Row(cell="mug/" + "x" * 3000, before=one, after=replace(one, key="2" * 64))
    whole = Comparison((row,), Row(cell="", before=None, after=None))
    file = tmp_path_factory.mktemp("narrow") / "compare.html"
    file.write_text("".join(page(Report(comparison=whole, old="a", new="b", looks={row.cell: (look, look)}))))
    return file


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_what_stands_under_a_narrow_picture_can_be_read_in_every_view(narrow, screen, viewport):
    shown = screen(narrow, viewport=viewport)
    for name in VIEWS:
        shown.get_by_label(name, exact=True).check()
        captions = shown.locator("figcaption").all()
        assert min(one.bounding_box()["width"] for one in captions) >= 130
        assert {one.bounding_box()["width"] for one in shown.locator("img").all()} == {1}, "nothing is blown up"
        assert shown.evaluate("() => document.documentElement.scrollWidth") <= viewport["width"]


def test_a_very_long_id_takes_three_lines(narrow, screen):
    heading = screen(narrow, viewport=DESK).locator("h2")
    assert heading.bounding_box()["height"] < 100
    assert len(heading.text_content()) > 3000


def test_a_cell_that_failed_is_marked_and_one_that_is_not_made_yet_is_not(compared, screen):
    shown = screen(compared)
    failed, pending = (shown.locator(".none").filter(has_text=words).first for words in ("moderation", "not made yet"))
    assert failed.get_by_text("failed", exact=True).is_visible()
    assert pending.text_content() == "not made yet"
    ground = "(one) => getComputedStyle(one).borderTopColor"
    assert failed.evaluate(ground) != pending.evaluate(ground)


def told(folder, texts):
    """Write the page of a comparison in which everything that can be a text is one of these."""
    folder.mkdir()
    rows, looks = [], {}
    for at, text in enumerate(texts):
        other = texts[(at + 7) % len(texts)]
        sides = [
            Version(
                key=str(number) * 64, state="saved", path=text, picture=FileFact(sha256="a" * 64, bytes=1, width=1, height=1),
                task=text, model=f"{text}{number}",
                request=Render(model=f"{text}{number}", params={"prompt": f"{number} {text}", text or "x": f"{text}{number}"}, key=str(number) * 64),
            )
            for number in (1, 2)
        ]  # fmt: skip
        cents = Dollars(Decimal("0.03"))
        row = Row(cell=f"{text}{at}", before=sides[0], after=sides[1], spent_before=cents, due=cents)
        if at % 5 == 4:
            row = replace(row, before=None, twin=other)
        elif at % 5 == 3:
            row = replace(row, after=replace(sides[0], path=other + "2", state=text))
        rows.append(row)
        pictured = Look(path=text, address=f"a{at}.png", source=SVG, width=1, height=1)
        looks[row.cell] = (None if row.before is None else Look(reason=text) if at % 2 else pictured, pictured)
    comparison = Comparison(tuple(rows), Row(cell="", before=None, after=None))
    report = Report(comparison=comparison, old=texts[0], new=texts[1], looks=looks, unread=texts[2])
    file = folder / "compare.html"
    file.write_text("".join(page(report)), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return told(tmp_path_factory.mktemp("pages") / "hostile", payloads())


@pytest.fixture(scope="module")
def harmless(tmp_path_factory):
    return told(tmp_path_factory.mktemp("pages") / "harmless", [f"text {number}" for number in range(500)])


def test_five_hundred_hostile_texts_add_no_element_and_run_nothing(hostile, harmless, screen):
    bad, good = screen(hostile), screen(harmless)
    changes = ("DEL", "INS")  # as many as there are words
    for one in (bad, good):
        one.evaluate(
            "() => document.querySelectorAll('.prompt > *').forEach((word) => word.replaceWith(word.textContent))"
        )
    assert elements(bad) == elements(good)
    assert elements(bad)["ARTICLE"] == 500
    assert attributes(bad) == attributes(good)
    assert all(elements(bad)[name] for name in changes), "those of the tables"
    assert bad.evaluate("() => document.querySelectorAll('script, iframe, object, form, link').length") == 0
    bad.mouse.wheel(0, 50_000)
    for link in bad.locator("a").all()[:5]:
        link.focus()
        link.hover()


def test_the_policy_lets_nothing_in_from_outside(harmless, browser):
    with socket.create_server(("127.0.0.1", 0)) as outside:
        outside.setblocking(False)
        context = browser.new_context()
        shown = context.new_page()
        shown.goto(harmless.as_uri())
        shown.evaluate(
            """async (outside) => {
            window.ran = [];
            const put = (html) => document.body.insertAdjacentHTML("beforeend", html);
            put("<img src=x:y onerror='ran.push(1)'><p id=styled style='color: rgb(1, 2, 3)'>x</p>");
            put(`<iframe src='${outside}'></iframe><img src='${outside}/x.png'><link rel=stylesheet href='${outside}/x.css'>`);
            put(`<form action='${outside}' id=sent></form><base href='${outside}'>`);
            const script = document.createElement("script");
            script.textContent = "ran.push(2)";
            document.body.append(script);
            document.getElementById("sent").submit();
            await fetch(outside).catch(() => {}); }""",
            f"http://127.0.0.1:{outside.getsockname()[1]}",
        )
        assert shown.evaluate("() => ran") == []
        assert shown.evaluate("() => document.baseURI") == harmless.as_uri()
        assert shown.evaluate("() => getComputedStyle(document.getElementById('styled')).color") != "rgb(1, 2, 3)"
        context.close()
        assert received(outside) == b""
