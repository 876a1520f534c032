"""Several manifests in one command: a lockfile each, one pace and one budget for all of them."""

from __future__ import annotations

import html
import json
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from cli.workshop import FAST, entry

BOTH = ("manifests/m.yaml", "manifests/n.yaml")


@pytest.fixture
def pair(workshop):
    """A workshop with two manifests of three pictures each; one picture is wanted by both."""
    workshop.write(entry("hero", seeds=(1, 2, 3)))
    second(workshop, entry("tile", seeds=(3, 4, 5)))
    return workshop


def second(workshop, *entries, run=FAST):
    document = {"version": 1, "output": "outputs/{{ entry }}/{{ seed }}.{{ ext }}", "run": run}
    (workshop.folder / "manifests" / "n.yaml").write_text(json.dumps(document | {"entries": list(entries)}))


def lock(workshop, name):
    return workshop.folder / "manifests" / f"{name}.lock"


def test_a_picture_that_two_manifests_want_is_paid_for_once_and_known_to_both_lockfiles(pair):
    done = pair.call("run", *BOTH, "--json")
    assert (done.code, pair.made()) == (0, 5)
    assert done.document["counts"] | {"pending": 0} == {
        "cells": 6, "renders": 5, "saved": 5, "failed": 0, "pending": 0, "doubtful": 0,
    }  # fmt: skip
    assert done.document["manifest"] == list(BOTH)
    assert len(pair.pictures()) == 6
    keys = [{line["key"] for line in pair.lines(lock(pair, name))} for name in "mn"]
    assert [len(one) for one in keys] == [3, 3]
    assert len(keys[0] & keys[1]) == 1


@pytest.mark.parametrize("name", ["m", "n"])
def test_each_manifest_stands_alone_after_a_common_run(pair, name):
    pair.call("run", *BOTH)
    lock(pair, {"m": "n", "n": "m"}[name]).unlink()
    pair.environ["WIRO_API_BASE_URL"] = "http://127.0.0.1:9/v1"  # nobody is there
    plan = pair.call("plan", f"manifests/{name}.yaml", "--json").document
    assert [step["step"] for step in plan["steps"]] == ["keep"] * 3


def test_what_one_manifest_has_paid_for_is_written_into_the_lockfile_of_the_other_that_wants_it(pair):
    pair.call("run", BOTH[0])
    assert pair.call("run", *BOTH).code == 0
    assert pair.made() == 5
    assert len(pair.lines(lock(pair, "n"))) == 3


def test_one_budget_counts_for_all_of_them(pair):
    done = pair.call("run", *BOTH, "--max-cost", "0.10")
    assert (done.code, pair.charged()) == (3, Decimal("0.09"))


def test_the_strictest_of_their_own_limits_counts(pair):
    second(pair, entry("tile", seeds=(3, 4, 5)), run=FAST | {"max_cost": 0.06})
    assert pair.call("run", *BOTH).code == 3
    assert pair.charged() == Decimal("0.06")


def test_a_killed_run_over_two_manifests_resumes_and_pays_nothing_twice(pair):
    process = pair.start("run", *BOTH)
    pair.wait_for(lambda: pair.made() >= 2)
    process.kill()
    process.communicate()
    assert pair.call("run", *BOTH, "--grace", "1s").code == 0
    assert set(pair.renders_made().values()) == {1}
    assert pair.made() == 5


def test_problems_of_all_manifests_are_told_at_once(pair):
    for name in "mn":
        (pair.folder / "manifests" / f"{name}.yaml").write_text("version: 1\nentries: [{id: a, promt: x}]\n")
    done = pair.call("run", *BOTH)
    assert done.code == 2
    assert all(f"{name}:2:" in done.err for name in BOTH)


def test_two_manifests_with_one_path_for_different_pictures_are_refused_before_anything_is_paid(pair):
    second(pair, entry("hero", seeds=(3, 4), prompt="A blue bottle"))
    done = pair.call("run", *BOTH)
    assert (done.code, pair.made()) == (2, 0)
    assert "outputs/hero/3.png" in done.err
    judged = pair.call("validate", *BOTH)
    assert judged.code == 2
    assert "outputs/hero/3.png" in judged.out


def test_one_lockfile_for_several_manifests_is_refused(pair):
    done = pair.call("plan", *BOTH, "--lockfile", "manifests/all.lock")
    assert done.code == 2
    assert "--lockfile" in done.err


@pytest.fixture
def namesakes(open_workshop):
    """A workshop with two manifests that both have an entry `mug`; one picture of the second one is refused."""
    workshop = open_workshop(faults=[{"on": "run", "what": "moderated", "match": {"seed": "3"}}])
    workshop.write(entry("mug", seeds=(1, 2)))
    second(workshop, entry("mug", seeds=(3, 4, 5)))
    return workshop


def entries_of(text):
    return [line.split("  ")[0] for line in text.splitlines() if "  $" in line]


def test_two_entries_of_one_id_are_told_apart_by_their_manifests_wherever_they_are_told(namesakes):
    both = [f"{name}: mug" for name in BOTH]
    page = namesakes.folder / "page.md"
    done = namesakes.call("run", *BOTH, "--junit", "junit.xml", GITHUB_STEP_SUMMARY=str(page))
    assert entries_of(done.err) == [*both, "total"]
    assert "failed: manifests/n.yaml: mug/seed=3,size=64x64: " in done.err
    suites = ET.parse(namesakes.folder / "junit.xml").getroot().iter("testsuite")
    assert [suite.get("name") for suite in suites] == both
    assert html.unescape(page.read_text()).count("n.yaml: mug") == 2
    status = namesakes.call("status", *BOTH).out
    assert entries_of(status) == [*both, "total"]
    assert "failed    manifests/n.yaml: mug/seed=3,size=64x64  " in status
    table = namesakes.call("status", *BOTH, "--format", "csv").out
    assert [line.partition(",")[0] for line in table.splitlines()[1:]] == both
    assert entries_of(namesakes.call("status", *BOTH, "--by", "entry").out) == [*both, "total"]
    assert "manifests" not in namesakes.call("status", BOTH[1]).out


def test_status_verify_prune_cancel_and_audit_look_at_all_of_them(pair):
    pair.call("run", *BOTH)
    assert pair.call("status", *BOTH, "--json").document["counts"]["saved"] == 5
    assert pair.call("verify", *BOTH).code == 0
    assert pair.call("audit", *BOTH).code == 0
    assert pair.call("cancel", *BOTH).code == 0
    assert pair.call("adopt", *BOTH).code == 0
    second(pair, entry("tile", seeds=(4, 5)))
    assert pair.call("prune", *BOTH).code == 0
    assert "outputs/tile/3.png" not in {f"outputs/{path}" for path in pair.pictures()}
    assert pair.call("verify", *BOTH).code == 0
