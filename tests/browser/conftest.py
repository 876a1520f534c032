"""A real browser, where there is one: Debian's chromium, driven by Playwright; without them these tests are skipped."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from browser.albums import Fate, entry, project

from flux_pipeline.cli import _run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 10_000  # milliseconds for anything that a page is asked to do


@pytest.fixture(scope="module")
def browser():
    """Yield one browser for a module: Playwright's loop would be in the way of other modules' loops."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: `make test` installs it"
    )
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: `apt-get install chromium`, as .ci/run does")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=30_000)
        yield launched
        launched.close()


class Screen:
    """A page of the browser, and everything that went wrong in it: errors, dialogs, requests for anything but files."""

    def __init__(self, context):
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.wrong = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("dialog", self._asked)
        self.page.on("request", self._requested)
        self.page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url[:200]}"))

    def _said(self, message):
        if message.type in ("error", "warning"):
            self.wrong.append(f"console: {message.text}")

    def _asked(self, dialog):
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _requested(self, request):
        if not request.url.startswith(("file:", "data:")):
            self.wrong.append(f"request: {request.url}")


@pytest.fixture
def screen(browser):
    """Return `screen(file, hash="", **settings of the context)`: the page in the browser; nothing may go wrong in it."""
    contexts, screens = [], []

    def opening(file, fragment="", **settings):
        settings = {"viewport": {"width": 1280, "height": 860}, **settings}
        context = browser.new_context(**settings)
        contexts.append(context)
        one = Screen(context)
        screens.append(one)
        one.page.goto(f"{Path(file).resolve().as_uri()}{fragment}")
        return one.page

    yield opening
    for context in contexts:
        context.close()
    assert [wrong for one in screens for wrong in one.wrong] == []


def call(folder, monkeypatch, *arguments):
    """Run the command line in a folder; return its exit code."""
    monkeypatch.chdir(folder)
    return _run(list(map(str, arguments)))


COLORS, PLACES = ("red", "teal", "gold", "moss", "cream"), ("marble", "oak")


def fate(_cell, at):
    """Give nine of ten a picture, and the others whatever else can happen."""
    odd = {
        7: Fate("failed", "the prompt was flagged by moderation"),
        17: Fate("refused", "Request parameter [width] must be a multiple of 16"),
        27: Fate("doubtful"),
        37: Fate("running"),
        47: Fate("pending"),
        57: Fate("paid"),
        67: Fate("broken"),
        77: Fate(cost=None),
    }
    return odd.get(at % 80, Fate())


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """Make a gallery of 500 pictures once; return the page's file."""
    folder = tmp_path_factory.mktemp("gallery")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        entries = [
            entry(f"{name}-bottle", f"A {name} {{{{ color }}}} bottle on {{{{ place }}}}", **axes)
            for name in ("small", "large")
            for axes in [
                {"color": list(COLORS), "place": list(PLACES), "seed": list(range(1, 26)), "size": ["240x240"]}
            ]
        ]
        manifest = project(folder, *entries, fate=fate)
        assert call(folder, monkeypatch, "gallery", manifest) in (0, None)
    return folder / "gallery.html"
