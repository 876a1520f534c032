"""`prune`: what the manifest no longer names goes, and nothing that somebody may miss."""

from __future__ import annotations

import pytest
from cli import errands
from cli.errands import QUEUED, history, killed_before_the_answer, snapshot
from cli.workshop import entry

from flux_pipeline.ledger.hold import held


@pytest.fixture
def made(workshop, monkeypatch, capfd):
    call = errands.caller(workshop, monkeypatch, capfd)
    assert call("run", "--no-progress").code == 0
    return workshop, call


def test_a_dry_run_says_what_would_go_and_changes_no_byte(made):
    workshop, call = made
    workshop.write(entry(seeds=(1,)))
    before = snapshot(workshop.folder)
    dry = call("prune", "--dry-run", "--json")
    assert dry.code == 0
    assert snapshot(workshop.folder) == before
    assert dry.document["files"] == ["outputs/hero/2.png", "outputs/hero/3.png"]
    assert (dry.document["counts"], dry.document["cost_usd"]) == ({"records": 2, "files": 2, "kept": 0}, 0.06)
    wet = call("prune", "--json")
    assert {**wet.document, "dry_run": True} == dry.document
    assert [*workshop.pictures()] == ["hero/1.png"]
    assert [line["cell"] for line in workshop.lines()] == ["hero/seed=1,size=64x64"]
    assert call("run", "--no-progress").code == 0
    assert workshop.made() == 3


def test_a_file_that_somebody_changed_is_left_and_named(made):
    workshop, call = made
    mine = workshop.folder / "outputs/hero/2.png"
    mine.write_bytes(b"my own work")
    workshop.write(entry(seeds=(1,)))
    done = call("prune", "--json")
    assert mine.read_bytes() == b"my own work"
    assert [kept["what"] for kept in done.document["kept"]] == ["outputs/hero/2.png"]
    assert done.document["files"] == ["outputs/hero/3.png"]


def test_the_only_copy_of_a_picture_that_moved_is_kept_until_run_has_copied_it(made):
    workshop, call = made
    workshop.write(entry(), output="outputs/new/{{ seed }}.{{ ext }}")
    early = call("prune", "--json")
    assert (early.document["files"], early.document["counts"]["kept"]) == ([], 3)
    assert call("run", "--no-progress").code == 0
    assert call("prune").code == 0
    assert sorted(workshop.pictures()) == ["new/1.png", "new/2.png", "new/3.png"]
    assert call("verify").code == 0
    assert call("prune", "--json").document["counts"] == {"records": 0, "files": 0, "kept": 0}
    assert workshop.made() == 3


def test_a_picture_in_the_place_of_a_new_one_is_kept_until_run_replaces_it(made):
    workshop, call = made
    workshop.write(entry(prompt="A teal bottle"))
    assert call("prune", "--json").document["counts"] == {"records": 0, "files": 0, "kept": 3}
    assert call("run", "--no-progress").code == 0
    assert call("prune", "--json").document["counts"] == {"records": 3, "files": 0, "kept": 0}
    assert len(workshop.pictures()) == 3
    assert call("verify").code == 0


@pytest.mark.parametrize("unclear", [False, True])
def test_what_runs_or_may_run_is_never_forgotten(open_workshop, monkeypatch, capfd, unclear):
    workshop = open_workshop(**QUEUED)
    call = errands.caller(workshop, monkeypatch, capfd)
    call("run", "--submit-only", "--no-progress")
    if unclear:
        killed_before_the_answer(workshop.lockfile)
    workshop.write(entry("other", seeds=(9,)))
    before = workshop.lockfile.read_bytes()
    done = call("prune", "--json")
    assert (done.code, done.document["counts"]) == (0, {"records": 0, "files": 0, "kept": 3})
    assert workshop.lockfile.read_bytes() == before


def test_select_narrows_it_and_a_held_lockfile_stops_it(made):
    workshop, call = made
    workshop.write(entry(seeds=(1,)))
    with held(workshop.lockfile):
        assert call("prune").code == 5
        assert call("prune", "--dry-run").code == 0
    assert call("prune", "--select", "*seed=3*", "--json").document["files"] == ["outputs/hero/3.png"]
    assert len(history(workshop.lockfile).history.submissions) == 2
