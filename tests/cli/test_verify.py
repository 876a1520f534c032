"""`verify`: the files against the lockfile, offline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cli import errands
from cli.errands import rewrite, snapshot
from cli.workshop import entry


@pytest.fixture
def made(workshop, monkeypatch, capfd):
    """Make the three pictures, then take the service away."""
    call = errands.caller(workshop, monkeypatch, capfd)
    assert call("run", "--no-progress").code == 0
    monkeypatch.delenv("WIRO_API_KEY")
    monkeypatch.setenv("WIRO_API_BASE_URL", "http://127.0.0.1:9/v1")
    return workshop, call


def states(done):
    return {Path(one["path"]).stem: one["state"] for one in done.document["files"]}


def test_sound_pictures_are_ok_without_any_network(made):
    workshop, call = made
    before = snapshot(workshop.folder)
    done = call("verify", "--json")
    assert done.code == 0
    assert done.document["counts"] == {"ok": 3, "missing": 0, "changed": 0, "wrong": 0}
    assert snapshot(workshop.folder) == before


def test_missing_and_changed_files_are_named(made):
    workshop, call = made
    (workshop.folder / "outputs/hero/1.png").unlink()
    (workshop.folder / "outputs/hero/2.png").write_bytes(b"not what it was")
    done = call("verify", "--json")
    assert done.code == 1
    assert states(done) == {"1": "missing", "2": "changed", "3": "ok"}
    assert "outputs/hero/1.png" in call("verify").out


def test_a_link_and_the_picture_of_another_render_are_wrong(made):
    workshop, call = made
    outputs = workshop.folder / "outputs/hero"
    (outputs / "1.png").unlink()
    (outputs / "1.png").symlink_to("3.png")
    workshop.write(
        entry(seeds=(1, 3)), entry("hero2", seeds=(2,), prompt="Another"), output="outputs/hero/{{ seed }}.png"
    )
    done = call("verify", "--json")
    assert states(done) == {"1": "wrong", "2": "wrong", "3": "ok"}


def test_facts_that_do_not_fit_the_file_or_the_render_are_wrong(made):
    workshop, call = made

    def lie(one):
        changes = {"seed=1": {"width": 128}, "seed=2": {"bytes": 5}}
        change = next((change for seed, change in changes.items() if seed in one.cell), {})
        return replace(one, files={path: replace(fact, **change) for path, fact in one.files.items()})

    rewrite(workshop.lockfile, lie)
    done = call("verify", "--json")
    assert states(done) == {"1": "wrong", "2": "wrong", "3": "ok"}


def test_what_is_not_selected_is_left_out(made):
    workshop, call = made
    (workshop.folder / "outputs/hero/1.png").unlink()
    done = call("verify", "--select", "*seed=2*", "--json")
    assert (done.code, states(done)) == (0, {"2": "ok"})


def test_what_was_never_made_is_missing_and_a_damaged_lockfile_is_5(made):
    workshop, call = made
    workshop.write(entry(seeds=(1, 2, 3, 4)))
    done = call("verify", "--json")
    assert (done.code, states(done)["4"]) == (1, "missing")
    workshop.lockfile.write_bytes(workshop.lockfile.read_bytes().replace(b"finished", b"finishes"))
    assert call("verify").code == 5
