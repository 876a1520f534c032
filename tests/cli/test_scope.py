"""Which part of a manifest, where to, and in how many steps; and the documents that other programs read."""

from __future__ import annotations

import json

import pytest
from cli.workshop import entry

CELLS = [f"hero/seed={seed},size=64x64" for seed in range(1, 7)]


@pytest.fixture
def six(workshop):
    workshop.write(entry(seeds=range(1, 7)))
    return workshop


def test_select_and_limit_narrow_a_run(six):
    assert six.plan("--select", "*seed=4*", "--select", "*seed=6*") == [("submit", CELLS[3]), ("submit", CELLS[5])]
    assert six.plan("--limit", "2") == [("submit", CELLS[0]), ("submit", CELLS[1])]
    assert six.run("--select", "*seed=4*").code == 0
    assert six.pictures().keys() == {"hero/4.png"}
    assert six.plan(*["--select", "*=[34],*"]) == [("submit", CELLS[2]), ("keep", CELLS[3])]


def test_shards_are_disjoint_and_complete(six):
    shards = [{cell for _, cell in six.plan("--shard", f"{part}/2")} for part in (1, 2)]
    assert sorted(cell for shard in shards for cell in shard) == CELLS


def test_submitting_and_collecting_can_be_two_runs(six):
    submitted = six.run("--submit-only", "--json")
    assert (submitted.document["session"]["submitted"], six.made()) == (6, 6)
    assert not six.pictures()
    assert six.task_ids() == {row.task for row in six.wiro.ledger()}
    collected = six.run("--collect-only", "--json")
    assert (collected.code, collected.document["session"]["submitted"]) == (0, 0)
    assert len(six.pictures()) == 6
    assert six.made() == 6


def test_collecting_only_never_submits(six):
    done = six.run("--collect-only")
    assert done.code == 6
    assert six.made() == 0


def test_pictures_and_lockfile_go_where_they_are_told(six):
    lost = six.run("--output-dir", "elsewhere", "--lockfile", "state/my.lock")
    assert (lost.code, six.made()) == (2, 0)
    assert "there is no folder state" in lost.err
    (six.folder / "state").mkdir()
    assert six.run("--output-dir", "elsewhere", "--lockfile", "state/my.lock").code == 0
    assert six.made() == 6
    assert len(six.pictures("elsewhere/outputs")) == 6
    assert not six.lockfile.exists()
    assert (six.folder / "state/my.lock").exists()


def test_a_frozen_plan_is_carried_out_exactly_or_refused_with_exit_7(six):
    assert six.call("plan", "manifests/m.yaml", "-o", "plan.json").code == 0
    six.write(entry(seeds=range(1, 8)))
    refused = six.run("--plan", "plan.json")
    assert (refused.code, six.made()) == (7, 0)
    assert "plan.json" in refused.err
    six.write(entry(seeds=range(1, 7)))
    assert six.run("--plan", "plan.json").code == 0
    assert six.made() == 6
    assert six.run("--plan", "plan.json").code == 7
    assert six.run("--plan", "manifests/m.yaml").code == 2


def test_run_json_has_exactly_the_members_that_are_promised(six):
    document = six.run_json("--limit", "3")
    assert set(document) == {
        *("manifest", "lockfile", "counts", "session", "cost_usd", "seconds", "exit_code", "failures"),
    }
    assert document["counts"] == {"cells": 3, "renders": 3, "saved": 3, "failed": 0, "pending": 0, "doubtful": 0}
    assert document["session"] == {
        "submitted": 3,
        "resumed": 0,
        "adopted": 0,
        "kept": 0,
        "downloaded": 3,
        "derived": 0,
    }
    assert document["cost_usd"] == {"session": 0.09, "total": 0.09}
    assert (document["manifest"], document["lockfile"]) == ("manifests/m.yaml", "manifests/m.lock")
    assert (document["exit_code"], document["failures"]) == (0, [])


def test_the_failures_of_run_json_have_exactly_the_members_that_are_promised(open_workshop):
    workshop = open_workshop(faults=[{"on": "run", "what": "moderated", "nth": [1]}])
    (failure,) = workshop.run_json("--limit", "1")["failures"]
    assert set(failure) == {"cell", "key", "task", "reason"}
    assert failure["task"] == "2221"


def test_plan_json_has_exactly_the_members_that_are_promised(six):
    six.run("--limit", "1")
    document = six.call("plan", "manifests/m.yaml", "--json").document
    assert set(document) == {"steps", "counts", "estimate_usd", "derived"}
    assert document["counts"] == {"submit": 5, "follow": 0, "fetch": 0, "keep": 1, "copy": 0, "doubt": 0}
    assert document["estimate_usd"] == 0.15
    assert document["derived"] == {"files": 0, "to_make": 0, "saved_usd": 0.0}
    for step in document["steps"]:
        assert set(step) == {"key", "cell", "step", "reason", "estimate_usd", "paths"}
    assert document["steps"][1]["paths"] == ["outputs/hero/2.png"]


def test_expand_json_has_exactly_the_members_that_are_promised(six):
    document = six.call("expand", "manifests/m.yaml", "--json").document
    assert set(document) == {"cells"}
    first = document["cells"][0]
    assert set(first) == {"id", "entry", "key", "params", "path", "axes", "derived"}
    assert (first["id"], first["entry"], first["path"]) == (CELLS[0], "hero", "outputs/hero/1.png")
    assert first["axes"] == {"seed": 1, "size": "64x64"}
    assert first["derived"] == []
    assert first["params"] == {
        "prompt": "A red bottle",
        "width": 64,
        "height": 64,
        "safetyTolerance": 2,
        "seed": 1,
        "outputFormat": "png",
    }


def test_status_json_has_exactly_the_members_that_are_promised_and_asks_nobody(six):
    six.run("--limit", "1")
    done = six.call("status", "manifests/m.yaml", "--json", WIRO_API_BASE_URL="http://127.0.0.1:1/v1")
    assert done.code == 0
    assert set(done.document) == {"counts", "cost_usd", "renders"}
    saved, pending, *_ = done.document["renders"]
    assert set(saved) == {"key", "cell", "state", "task", "cost_usd"}
    assert (saved["state"], saved["task"], saved["cost_usd"]) == ("saved", "2221", 0.03)
    assert (pending["state"], pending["task"], pending["cost_usd"]) == ("pending", None, None)
    assert sum(done.document["counts"].values()) == 6


def test_with_json_stdout_holds_one_document_and_nothing_else(six):
    done = six.run("--json", "-vv")
    assert json.loads(done.out)["counts"]["saved"] == 6


def test_quiet_says_nothing_when_nothing_is_wrong(six):
    assert six.run("-q").said == ""
