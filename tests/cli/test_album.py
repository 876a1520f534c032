"""Promises about pictures on their way from a hostile CDN to the disk, checked in a child process."""

from __future__ import annotations

import asyncio
import time

import pytest
from files.samples import encoded, jpeg, noise, png
from wiro.cdn_server import Cdn, answer, endless, moved

from flux_pipeline.cli.album import Album
from flux_pipeline.files.checker import Checker
from flux_pipeline.files.save import Files
from flux_pipeline.ledger.keys import Render
from flux_pipeline.run.events import Saved, Unfit
from flux_pipeline.wiro.auth import Credentials, Secret
from flux_pipeline.wiro.client import Wiro
from flux_pipeline.wiro.http import Http
from flux_pipeline.wiro.outcomes import Gone, Undelivered
from flux_pipeline.wiro.tasks import Output

RENDER = Render.of("o/m", {"prompt": "x", "width": 64, "height": 64})
PNG = png()


@pytest.fixture(scope="module")
def checks():
    with Checker() as checker:
        yield checker


def fetch(folder, checks, *scripts, paths=("a/1.png",), name="0.png", promised=None, url="/0.png"):
    """Return what came of fetching one output, and the files there are now."""

    async def no_pause(_):
        await asyncio.sleep(0)

    async def scenario(cdn):
        async with Http() as http:
            wiro = Wiro(http, f"{cdn.origin}/v1", Credentials(Secret("canary")), no_pause)
            output = Output(url=cdn.origin + url, name=name, content_type="image/png", size=promised)
            return await Album(Files(folder, checks.inspect), wiro).fetch(RENDER, output, paths, frozenset())

    with Cdn(*scripts) as cdn:
        outcome = asyncio.run(scenario(cdn))
    assert "canary" not in "".join(cdn.requests)
    return outcome, sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_whole_picture_is_saved_and_nothing_else(tmp_path, checks):
    outcome, files = fetch(tmp_path, checks, answer(PNG), promised=len(PNG))
    assert isinstance(outcome, Saved)
    assert (files, (tmp_path / "a/1.png").read_bytes()) == (["a/1.png"], PNG)


@pytest.mark.parametrize(
    "body",
    [jpeg(), png(width=65), PNG[: len(PNG) // 2], PNG[:-1], encoded(noise(), "WEBP"), PNG + b"PK\3\4", b"\x89PNG" * 9],
    ids=["JPEG", "wide", "half", "but one", "WebP", "polyglot", "nonsense"],
)
def test_what_is_not_the_picture_is_kept_aside_and_never_has_its_name(tmp_path, checks, body):
    outcome, files = fetch(tmp_path, checks, answer(body, length=None))
    assert isinstance(outcome, Unfit)
    assert files == ["a/1.png.rejected"]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (answer(b"", "404 Not Found"), Gone),
        (answer(b"<html>", Content_Type="text/html"), Undelivered),
        (answer(PNG[:99], length=len(PNG)), Undelivered),
        (endless(), Undelivered),
        (moved("http://10.0.0.1/"), Undelivered),
        (answer(b""), Undelivered),
    ],
)
def test_what_did_not_come_leaves_nothing_behind(tmp_path, checks, script, kind):
    outcome, files = fetch(tmp_path, checks, script, promised=len(PNG))
    assert (type(outcome), files) == (kind, [])


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/etc/passwd", "a\0b", "x" * 300, "CON", "\u202egnp.exe", "a/1.png/2.png", ""]
)
@pytest.mark.parametrize("url", ["/0.png", "/..%2f..%2fevil.png", "/a%00b", "/CON"])
def test_names_of_the_service_never_become_paths(tmp_path, checks, name, url):
    folder = tmp_path / "root"
    folder.mkdir()
    headers = {"Content_Disposition": 'attachment; filename="../../evil.png"'}
    outcome, files = fetch(folder, checks, answer(PNG, **headers), name=name, url=url)
    assert isinstance(outcome, Saved)
    assert files == ["a/1.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


def test_two_outputs_for_one_path_do_not_cost_the_first(tmp_path, checks):
    other = png(seed=2)
    fetch(tmp_path, checks, answer(PNG))
    outcome, files = fetch(tmp_path, checks, answer(other))
    assert isinstance(outcome, Saved)
    assert {(tmp_path / name).read_bytes() for name in files} == {PNG, other}


def test_an_end_of_the_run_does_not_wait_for_a_check_that_hangs(tmp_path):
    """A child that reads its question and never answers."""
    program = "import sys, time\nprint('{\"ready\": true}', flush=True)\nsys.stdin.readline()\ntime.sleep(60)"
    checks = Checker(program=program)

    async def scenario(cdn):
        async with Http() as http:
            wiro = Wiro(http, f"{cdn.origin}/v1", Credentials(Secret("canary")))
            album = Album(Files(tmp_path, checks.inspect), wiro, checks.close)
            output = Output(url=f"{cdn.origin}/0.png", name="", content_type="", size=None)
            task = asyncio.create_task(album.fetch(RENDER, output, ("1.png",), frozenset()))
            while not any(child.checks for child in checks._busy):  # noqa: ASYNC110 -- it begins in a thread
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    began = time.monotonic()
    with Cdn(answer(PNG)) as cdn:
        asyncio.run(scenario(cdn))
    assert time.monotonic() - began < 5
    assert list(tmp_path.iterdir()) == []
