"""A review in a real browser: every button and every key, and what the lockfile says afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from browser.albums import ENDPOINT, entry, project

from flux_pipeline.ledger import contents
from flux_pipeline.ledger.hold import held
from flux_pipeline.ledger.lockfile import replace as put

pytestmark = pytest.mark.alone
REFUSED = re.compile(r"status of (404|409|423) ")
HOSTILE = "</script><img src=x onerror=alert(1)> & \"quotes\" 'more' \u202e"


@pytest.fixture
def review(tmp_path, monkeypatch):
    """Serve a review of two groups of three pictures; return its address and its lockfile."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gitconfig").write_text("[user]\n\tname = Ada <b>\n\temail = ada@example.org\n")
    manifest = project(tmp_path, entry("hero", color=["red", "teal"], place=["oak"], seed=[1, 2, 3], size=["240x240"]))
    process = subprocess.Popen(
        [sys.executable, "-m", "flux_pipeline", "review", str(manifest)],
        env=os.environ | {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield process.stdout.readline().strip(), manifest.with_suffix(".lock")
    process.kill()
    process.communicate()


@pytest.fixture
def page(review, browser):
    """Open the review; nothing may go wrong in it, and it may ask nobody but its own server."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(10_000)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    # A decision that is refused is one error on the console, and the only one that there may be.
    page.on("console", lambda said: None if REFUSED.search(said.text) else wrong.append(said.text))
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda one: None if one.url.startswith(review[0]) else wrong.append(one.url))
    page.goto(review[0])
    yield page
    context.close()
    assert wrong == []


def verdicts(lockfile):
    lines = map(json.loads, Path(lockfile).read_text().splitlines()[1:])
    return {line["cell"]: line["x-review"]["verdict"] for line in lines if "x-review" in line}


def card(page, color, seed):
    return page.locator(f'.card:has([data-axis="color"]:text-is("{color}")):has([data-axis="seed"]:text-is("{seed}"))')


def cell(color, seed):
    return f"hero/color={color},place=oak,seed={seed},size=240x240"


def wait(page, color, seed, state):
    page.wait_for_function(
        "([id, state]) => [...document.querySelectorAll('.card')].some("
        "(card) => card.dataset.review === state && card.querySelector('.verdict')?.textContent.includes(id))",
        arg=[cell(color, seed), state],
    )


def stands(page, word):
    """Wait until the large view says so."""
    page.wait_for_function("(word) => document.querySelector('.desk .standing').textContent.startsWith(word)", arg=word)


def test_the_page_says_that_it_is_a_review_and_counts_pictures_where_every_cell_has_one(page):
    assert (page.title(), page.locator("h1").inner_text()) == ("Review of m.yaml", "Review of m.yaml")
    assert page.locator(".facts li").all_inner_texts()[:2] == ["6 pictures", "1 entry"]
    assert page.locator(".shown").inner_text() == "6 pictures"
    assert page.locator(".entry h2 .count").all_inner_texts() == ["6 pictures"]


def test_where_a_cell_has_no_picture_the_page_counts_cells(page, review):
    page.wait_for_function("() => [...document.images].every((one) => one.complete)")  # else one of them is missed
    next(Path("outputs").rglob("*.png")).unlink()
    page.reload()
    assert page.locator(".facts li").all_inner_texts()[:2] == ["6 cells", "5 pictures"]
    assert page.locator(".shown").inner_text() == "6 cells"
    assert page.locator(".entry h2 .count").all_inner_texts() == ["6 cells"]


def test_the_buttons_of_a_card_decide_and_take_back(page, review):
    card(page, "red", 1).get_by_role("button", name="Approve").click()
    wait(page, "red", 1, "approved")
    assert verdicts(review[1]) == {cell("red", 1): "approved"}
    assert "Approved by Ada <b> on 20" in card(page, "red", 1).inner_text()
    card(page, "red", 1).get_by_role("button", name="Reject").click()
    wait(page, "red", 1, "rejected")
    card(page, "red", 1).get_by_role("button", name="Undo").click()
    wait(page, "red", 1, "none")
    assert verdicts(review[1]) == {cell("red", 1): "none"}


def test_a_pick_rejects_the_others_of_its_group_and_no_more(page, review):
    card(page, "red", 2).get_by_role("button", name="Pick").click()
    wait(page, "red", 2, "approved")
    assert verdicts(review[1]) == {
        cell("red", 1): "rejected", cell("red", 2): "approved", cell("red", 3): "rejected",
    }  # fmt: skip
    page.get_by_role("button", name="undecided").click()
    page.locator(".shown").get_by_text("3 of 6 pictures").wait_for()


def test_the_keys_decide_in_the_grid_and_in_the_large_view_with_a_note_that_is_only_text(page, review):
    card(page, "teal", 1).locator(".open").focus()
    page.keyboard.press("a")
    wait(page, "teal", 1, "approved")
    page.keyboard.press("Enter")
    page.get_by_label("Note").fill(HOSTILE)
    page.locator(".large h2").focus()
    page.keyboard.press("r")
    stands(page, "Rejected")
    assert HOSTILE.partition("\u202e")[0].strip() in page.locator(".desk .standing").inner_text()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("p")
    stands(page, "Approved")
    page.keyboard.press("u")
    stands(page, "Taken back")
    assert verdicts(review[1]) == {
        cell("teal", 1): "rejected", cell("teal", 2): "none", cell("teal", 3): "rejected",
    }  # fmt: skip
    page.reload()
    wait(page, "teal", 1, "rejected")


def focus(page, name):
    """Wait until something of a cell's card has the focus."""
    page.wait_for_function(
        "(name) => document.activeElement.closest('.card')?.querySelector('.verdict .unseen').textContent.trim() === name",
        arg=name,
    )


def shown(page, count):
    """Wait until so many pictures are left of the six."""
    page.locator(".shown").get_by_text(f"{count} of 6 pictures").wait_for()


def place(page, words):
    page.locator(".place").get_by_text(words, exact=True).wait_for()


def test_in_the_large_view_the_arrows_go_on_from_where_the_decided_picture_stood(page, review):
    page.goto(f"{review[0]}#review=undecided")
    shown(page, 6)
    heading = page.get_by_role("dialog").get_by_role("heading")
    card(page, "red", 3).locator(".open").click()
    place(page, "3 of 6")
    page.keyboard.press("a")
    place(page, "5 others shown")
    assert heading.inner_text() == cell("red", 3), "what was decided on can still be looked at"
    page.keyboard.press("ArrowRight")
    assert heading.inner_text() == cell("teal", 1)
    place(page, "3 of 5")
    page.keyboard.press("r")
    place(page, "4 others shown")
    page.keyboard.press("ArrowLeft")
    assert heading.inner_text() == cell("red", 2)
    page.keyboard.press("End")
    page.get_by_role("button", name="Previous").click()
    page.get_by_role("button", name="Next").click()
    page.locator(".desk").get_by_role("button", name="Approve").click()
    place(page, "3 others shown")
    assert page.get_by_role("button", name="Next").is_disabled()
    page.keyboard.press("Escape")
    focus(page, cell("teal", 2))


def test_in_a_table_too_the_place_of_a_decided_picture_is_kept(page, review):
    page.goto(f"{review[0]}#review=undecided&rows=seed&cols=color")
    shown(page, 6)
    heading = page.get_by_role("dialog").get_by_role("heading")
    card(page, "teal", 1).locator(".open").click()
    page.keyboard.press("a")
    place(page, "5 others shown")
    page.keyboard.press("ArrowRight")
    assert heading.inner_text() == cell("red", 2)


def test_in_the_grid_the_focus_goes_to_the_card_that_takes_the_place(page, review):
    page.goto(f"{review[0]}#review=undecided")
    shown(page, 6)
    card(page, "red", 2).locator(".open").focus()
    page.keyboard.press("a")
    shown(page, 5)
    focus(page, cell("red", 3))
    page.keyboard.press("r")
    shown(page, 4)
    focus(page, cell("teal", 1))
    card(page, "teal", 3).get_by_role("button", name="Approve").click()
    shown(page, 3)
    focus(page, cell("teal", 2))  # none stands behind the last one
    page.keyboard.press("p")
    shown(page, 1)
    page.keyboard.press("a")
    shown(page, 0)
    assert page.evaluate("document.activeElement.textContent") == "Clear the filters"


def test_a_card_keeps_the_focus_when_others_go(page, review):
    page.goto(f"{review[0]}#review=undecided")
    shown(page, 6)
    card(page, "red", 1).locator(".verdict").first.focus()
    page.evaluate("document.querySelector('#card-4 .verdict').click()")
    shown(page, 5)
    focus(page, cell("red", 1))
    assert page.evaluate("document.activeElement.textContent").startswith("Approve")


def test_the_focus_stays_among_the_buttons_when_a_decision_is_taken_back(page, review):
    card(page, "red", 1).get_by_role("button", name="Approve").click()
    wait(page, "red", 1, "approved")
    card(page, "red", 1).get_by_role("button", name="Undo").focus()
    page.keyboard.press("Enter")
    wait(page, "red", 1, "none")
    focus(page, cell("red", 1))
    page.keyboard.press("r")
    wait(page, "red", 1, "rejected")
    card(page, "red", 1).locator(".open").click()
    page.locator(".desk").get_by_role("button", name="Undo").click()
    stands(page, "Taken back")
    assert page.evaluate("document.activeElement.textContent").startswith("Approve")


def test_whoever_writes_a_note_can_use_every_key(page, review):
    card(page, "red", 2).locator(".open").click()
    page.get_by_label("Note").press_sequentially("acrid, up")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    page.keyboard.type("too ")
    assert page.get_by_label("Note").input_value() == "too acrid, up"
    assert page.get_by_role("dialog").get_by_role("heading").inner_text() == cell("red", 2)
    assert page.locator(".mark:checked").count() == 0


def test_axe_finds_nothing_on_the_page_and_in_the_large_view(review, browser):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme, bypass_csp=True)
        page = context.new_page()
        page.goto(review[0])
        card(page, "red", 1).get_by_role("button", name="Approve").click()
        wait(page, "red", 1, "approved")
        assert axe.run(page).response["violations"] == []
        card(page, "red", 1).locator(".open").click()
        assert axe.run(page).response["violations"] == []
        context.close()


def asks(page):
    """Let the page ask for the decisions, as it does every quarter of a minute, and wait until it has them."""
    with page.expect_response("**/decisions") as answer:
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    answer.value.finished()
    page.evaluate("new Promise((done) => setTimeout(done))")


def test_a_refused_decision_is_said_until_it_is_closed_or_one_succeeds(page, review):
    alert = page.get_by_role("alert")
    with held(review[1]):
        card(page, "red", 1).locator(".open").click()
        page.keyboard.press("a")
        alert.get_by_text("nothing was decided").wait_for()
        asks(page)
        assert alert.is_visible()
        page.keyboard.press("Escape")
        page.locator(".large").wait_for(state="hidden")
        assert alert.is_visible(), "it does not go with the large view"
        alert.get_by_role("button", name="Close").click()
        assert alert.is_hidden()
        card(page, "red", 1).get_by_role("button", name="Approve").click()
        alert.wait_for()
    card(page, "red", 1).get_by_role("button", name="Approve").click()
    wait(page, "red", 1, "approved")
    assert alert.is_hidden()


def test_what_the_asking_for_decisions_finds_wrong_goes_when_it_is_right_again(page, review):
    manifest = review[1].with_suffix(".yaml")
    text = manifest.read_text()
    manifest.write_text("version: 1\nentries: [")
    asks(page)
    page.get_by_role("alert").wait_for()
    manifest.write_text(text)
    asks(page)
    assert page.get_by_role("alert").is_hidden()


def test_a_page_that_is_out_of_date_says_so_for_as_long_as_it_is(page, review):
    alert = page.get_by_role("alert")
    asks(page)
    assert alert.is_hidden()
    manifest = review[1].with_suffix(".yaml")
    text = manifest.read_text()
    manifest.write_text(text.replace("bottle", "flask"))
    asks(page)
    alert.get_by_text("The page is out of date").wait_for()
    asks(page)
    card(page, "red", 1).locator(".open").click()
    page.locator(".large").get_by_role("alert").wait_for()
    page.keyboard.press("a")
    alert.get_by_text("asks for another picture").wait_for()
    alert.get_by_role("button", name="Close").click()
    assert alert.get_by_text("The page is out of date").is_visible()
    assert alert.get_by_role("button").all_inner_texts() == ["Reload"]
    alert.get_by_role("button", name="Reload").click()
    page.locator(".js").wait_for()
    asks(page)
    assert alert.is_hidden()


def test_a_manifest_that_is_broken_is_said_on_a_page_until_it_is_mended(page, review, browser):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    manifest = review[1].with_suffix(".yaml")
    text = manifest.read_text()
    manifest.write_text("version: 1\nentries:\n  - id: hero\n    promt: <img src=x onerror=alert(1)>\n")
    page.reload()
    assert page.get_by_role("heading").inner_text() == "The pictures cannot be shown"
    assert "promt: <img src=x onerror=alert(1)>\n" in page.locator("pre").inner_text()
    assert page.locator("pre").evaluate("(one) => getComputedStyle(one).whiteSpace") == "pre-wrap", "it has its style"
    context = browser.new_context(bypass_csp=True)
    other = context.new_page()
    other.goto(review[0])
    assert axe.run(other).response["violations"] == []
    context.close()
    manifest.write_text(text)
    page.get_by_role("link", name="look again").click()
    page.locator(".js").wait_for()


def test_what_was_changed_meanwhile_is_refused_and_the_page_says_to_look_again(page, review):
    manifest = review[1].with_suffix(".yaml")
    manifest.write_text(manifest.read_text().replace("bottle", "flask"))
    card(page, "red", 1).get_by_role("button", name="Approve").click()
    page.get_by_role("alert").get_by_text("the manifest asks for another picture").wait_for()
    assert verdicts(review[1]) == {}
    page.get_by_role("alert").get_by_role("button", name="Reload").click()
    page.get_by_text("never submitted").first.wait_for()


@pytest.mark.parametrize("width", [390, 1280])
def test_no_card_grows_by_a_decision(page, width):
    page.set_viewport_size({"width": width, "height": 844})
    heights = "() => [...document.querySelectorAll('.card')].map((one) => one.getBoundingClientRect().height)"
    before = page.evaluate(heights)
    card(page, "red", 1).get_by_role("button", name="Approve").click()
    wait(page, "red", 1, "approved")
    assert card(page, "red", 1).get_by_role("button", name="Undo").is_visible()
    assert page.evaluate(heights) == before


def test_the_large_view_shows_what_was_decided_and_folds_a_long_note(page):
    card(page, "red", 1).locator(".open").click()
    stage = page.locator(".stage")
    label = "(one) => getComputedStyle(one, '::after').content"
    assert stage.evaluate(label) == "none"
    page.get_by_label("Note").fill("too dark " * 100)
    page.locator(".desk").get_by_role("button", name="Reject").click()
    stands(page, "Rejected")
    assert stage.evaluate(label) == '"rejected"'
    assert page.locator(".stage .full").evaluate("(one) => getComputedStyle(one).filter") == "grayscale(1)"
    standing = page.locator(".desk .standing")
    assert standing.bounding_box()["height"] < 4 * 20
    assert standing.get_attribute("title") == standing.text_content()
    page.keyboard.press("Escape")
    card(page, "red", 2).locator(".open").click()
    assert stage.evaluate(label) == "none"


def test_an_approval_that_is_void_says_on_its_card_and_large_that_somebody_has_to_look_again(page, review):
    card(page, "red", 1).get_by_role("button", name="Approve").click()
    wait(page, "red", 1, "approved")
    manifest = review[1].with_suffix(".yaml")
    manifest.write_text(manifest.read_text().replace("bottle", "flask"))
    page.reload()
    card(page, "red", 1).locator(".standing").get_by_text(
        "Look again: approved as an earlier picture by Ada <b> on 20"
    ).wait_for()
    card(page, "red", 1).locator(".open").click()
    stands(page, "Look again: ")
    assert "ada@example.org" in page.locator(".desk .standing").inner_text()
    assert page.locator(".stage").evaluate("(one) => getComputedStyle(one, '::after').content") == '"look again"'
    assert page.locator(".desk .verdict").count() == 0, "there is no picture yet"


def test_a_file_that_is_no_picture_is_shown_as_broken_and_cannot_be_approved(page, review):
    page.wait_for_function("() => [...document.images].every((one) => one.complete)")
    lines = Path(review[1]).read_bytes()
    broken = next(Path("outputs").rglob("*.png"))
    name = page.evaluate(
        "(path) => JSON.parse(album.textContent).cards.find((one) => one.path === path).name", str(broken)
    )
    old = hashlib.sha256(broken.read_bytes()).hexdigest()
    broken.write_bytes(broken.read_bytes()[:-200])
    data = broken.read_bytes()
    history = contents.read(review[1]).history

    def changed(fact):
        return replace(fact, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data)) if fact.sha256 == old else fact

    put(review[1], ENDPOINT, [
        replace(one, files={path: changed(fact) for path, fact in one.files.items()}) for one in history.submissions.values()
    ])  # fmt: skip
    assert lines != Path(review[1]).read_bytes()
    for _ in range(2):  # found out by the browser, and then known
        page.reload()
        blank = page.locator('.blank[data-state="broken"]')
        blank.wait_for()
        assert "truncated" in blank.inner_text()
        assert page.locator(".card:has(.blank) .verdict").count() == 0
    said = page.evaluate(
        """async ([cell, sha256]) => {
            const { token } = JSON.parse(review.textContent);
            const key = JSON.parse(album.textContent).cards.find((one) => one.name === cell).key;
            const headers = { "Content-Type": "application/json", "X-Flux-Pipeline-Token": token };
            const body = JSON.stringify({ cell, key, sha256, verdict: "approved", note: "", others: [] });
            return (await (await fetch("decide", { method: "POST", headers, body })).json()).error;
        }""",
        [name, hashlib.sha256(data).hexdigest()],
    )
    assert "nothing was decided: outputs/hero/" in said
    assert verdicts(review[1]) == {}


def test_a_note_that_was_begun_is_not_lost_and_can_be_kept_after_the_decision(page, review):
    card(page, "red", 1).locator(".open").click()
    page.get_by_label("Note").fill("too dark")
    assert page.locator(".desk .hint").inner_text() == "Kept when you decide."
    page.locator(".large h2").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_label("Note").input_value() == ""
    page.keyboard.press("ArrowLeft")
    assert page.get_by_label("Note").input_value() == "too dark"
    page.keyboard.press("r")
    stands(page, "Rejected")
    assert page.get_by_role("button", name="Keep the note").is_hidden()
    page.get_by_label("Note").fill("too dark, and blurred")
    page.get_by_role("button", name="Keep the note").click()
    page.locator(".desk .standing").get_by_text("too dark, and blurred").wait_for()
    assert page.locator(".desk .hint").inner_text() == ""
    page.reload()
    card(page, "red", 1).get_by_text("too dark, and blurred").wait_for()


def test_a_file_that_was_away_for_a_moment_can_be_decided_on_again(page, review):
    page.wait_for_function("() => [...document.images].every((one) => one.complete)")
    path = next(Path("outputs").rglob("*.png"))
    data = path.read_bytes()
    for one in Path(".flux-pipeline/thumbnails").iterdir():
        one.unlink()
    page.route("**/thumbnails/**", lambda route: (path.unlink(missing_ok=True), route.continue_()))
    page.reload()
    page.locator('.blank[data-state="broken"]').wait_for()
    page.unroute("**/thumbnails/**")
    path.write_bytes(data)
    page.reload()
    page.locator(".js").wait_for()
    assert page.locator(".blank").count() == 0
    assert page.locator(".card:has(.verdict)").count() == 6


def test_what_another_reviewer_notes_is_not_offered_to_be_overwritten(page, review, browser):
    card(page, "red", 1).locator(".open").click()
    other = browser.new_page()
    other.goto(review[0])
    card(other, "red", 1).locator(".open").click()
    other.get_by_label("Note").fill("too dark")
    other.locator(".desk").get_by_role("button", name="Reject").click()
    stands(other, "Rejected")
    asks(page)
    stands(page, "Rejected")
    assert page.get_by_label("Note").input_value() == "too dark"
    assert page.get_by_role("button", name="Keep the note").is_hidden()
    other.close()


def test_an_entry_may_be_called_as_what_a_browser_knows(tmp_path, monkeypatch, page, review):
    manifest = review[1].with_suffix(".yaml")
    document = json.loads(manifest.read_text())
    document["entries"] += [{"id": "toString", "prompt": "A plain bottle"}, {"id": "constructor", "prompt": "A flask"}]
    manifest.write_text(json.dumps(document))
    page.reload()
    page.locator(".js").wait_for()
    assert page.locator(".card:has(.blank) .standing").all_inner_texts() == ["No picture to decide on"] * 2
    page.get_by_role("button", name="no picture").click()
    page.locator(".shown").get_by_text("2 of 8 cells").wait_for()
