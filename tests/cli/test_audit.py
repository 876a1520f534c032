"""`audit`: what was paid for twice, or is paid for and not here, with amounts; nothing is written."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from cli import errands
from cli.errands import QUEUED, killed_before_the_answer, post, rewrite, snapshot, statuses

from flux_pipeline.ledger.facts import to_lines
from flux_pipeline.ledger.hold import held


@pytest.fixture
def call(workshop, monkeypatch, capfd):
    return errands.caller(workshop, monkeypatch, capfd)


def kinds(done):
    return [(one["kind"], one["task"], one["cost_usd"]) for one in done.document["findings"]]


def finished(workshop):
    return workshop.wait_for(lambda: set(statuses(workshop)) == {"task_postprocess_end"})


def test_after_a_clean_run_there_is_nothing_to_find(workshop, call):
    call("run", "--no-progress")
    done = call("audit", "--json")
    assert done.code == 0
    assert done.document["findings"] == []
    assert done.document["cost_usd"] == 0
    assert done.document["complete"] is True
    assert set(done.document["counts"].values()) == {0}
    assert "agree" in call("audit").out


def test_a_task_that_nothing_claims_is_an_orphan_with_its_cost(workshop, call):
    task = post(workshop)
    finished(workshop)
    done = call("audit", "--json")
    assert done.code == 1
    assert kinds(done) == [("orphan", task, 0.03)]
    assert done.document["findings"][0]["cell"] == "hero/seed=1,size=64x64"
    assert not workshop.lockfile.exists()


def test_a_second_task_of_a_render_is_a_double(workshop, call):
    call("run", "--no-progress")
    task = post(workshop)
    finished(workshop)
    assert kinds(call("audit", "--json")) == [("double", task, 0.03)]


def test_two_submissions_of_one_render_are_a_double(workshop, call):
    call("run", "--no-progress")
    task = post(workshop)
    finished(workshop)
    one = next(one for one in errands.history(workshop.lockfile).history.submissions.values() if "seed=1" in one.cell)
    with workshop.lockfile.open("ab") as file:
        file.write(to_lines(replace(one, id="ab" * 16, tasks=(task,), files={})))
    done = call("audit", "--json")
    assert kinds(done) == [("double", task, 0.03)]
    assert one.task in done.document["findings"][0]["reason"]


def test_what_is_paid_for_and_not_on_disk_is_found_also_when_the_lockfile_does_not_know_the_end(workshop, call):
    call("run", "--submit-only", "--no-progress")
    finished(workshop)
    done = call("audit", "--json")
    assert (done.code, done.document["counts"]["not-on-disk"], done.document["cost_usd"]) == (1, 3, 0.09)
    call("run", "--no-progress")
    (workshop.folder / "outputs/hero/2.png").unlink()
    (found,) = call("audit", "--json").document["findings"]
    assert (found["kind"], "outputs/hero/2.png" in found["reason"]) == ("not-on-disk", True)


def test_a_charge_without_a_picture_is_found(open_workshop, monkeypatch, capfd):
    workshop = open_workshop(faults=[{"on": "run", "what": "no_outputs_charged", "match": {"seed": "2"}}])
    call = errands.caller(workshop, monkeypatch, capfd)
    call("run", "--retries", 0, "--no-progress")
    done = call("audit", "--json")
    assert [kind for kind, _, _ in kinds(done)] == ["charged-failure"]
    assert done.document["cost_usd"] == 0.03


def test_another_price_than_the_expected_one_is_found(workshop, call):
    call("run", "--no-progress")
    rewrite(workshop.lockfile, lambda one: replace(one, estimate=Decimal("0.02")) if "seed=3" in one.cell else one)
    (found,) = call("audit", "--json").document["findings"]
    assert (found["kind"], found["cost_usd"]) == ("price", 0.03)
    assert "$0.02 was expected" in found["reason"]


def test_unclear_submissions_and_tasks_that_the_server_does_not_know_are_found(workshop, call):
    call("run", "--no-progress")
    killed_before_the_answer(workshop.lockfile, lambda one: "seed=1" in one.cell)
    rewrite(workshop.lockfile, lambda one: replace(one, tasks=("77777",)) if "seed=2" in one.cell else one)
    done = call("audit", "--json")
    counts = done.document["counts"]
    assert (counts["unclear"], counts["unknown-task"]) == (1, 1)
    assert ("unknown-task", "77777", 0.03) in kinds(done)
    (unclear,) = (one for one in done.document["findings"] if one["kind"] == "unclear")
    assert unclear["task"] in {str(row.task) for row in workshop.wiro.ledger()}


def test_a_running_task_is_no_finding(open_workshop, monkeypatch, capfd):
    workshop = open_workshop(**QUEUED)
    call = errands.caller(workshop, monkeypatch, capfd)
    call("run", "--submit-only", "--no-progress")
    assert call("audit").code == 0


def test_it_writes_nothing_and_runs_beside_a_run(workshop, call):
    call("run", "--no-progress")
    post(workshop)
    with held(workshop.lockfile):
        before = snapshot(workshop.folder)
        assert call("audit").code == 1
        assert snapshot(workshop.folder) == before
    assert workshop.made() == 4


def test_an_unreliable_list_is_said_to_be_incomplete(open_workshop, monkeypatch, capfd):
    workshop = open_workshop(faults=[{"on": "list", "what": "shuffle"}])
    call = errands.caller(workshop, monkeypatch, capfd)
    for seed in (1, 2, 3):
        post(workshop, seed)
    done = call("audit", "--json")
    assert (done.code, done.document["complete"]) == (6, False)


def test_a_wrong_key_a_wrong_server_and_a_damaged_lockfile_have_their_exit_codes(workshop, call, monkeypatch):
    call("run", "--no-progress")
    monkeypatch.setenv("WIRO_API_KEY", "wrong-key-0815")
    assert call("audit").code == 3
    monkeypatch.setenv("WIRO_API_BASE_URL", "http://127.0.0.1:9/v1")
    foreign = call("audit")
    assert (foreign.code, "belongs to" in foreign.err) == (5, True)
    workshop.lockfile.write_bytes(workshop.lockfile.read_bytes().replace(b"finished", b"finishes"))
    assert call("audit").code == 5
