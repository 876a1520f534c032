"""`cancel`: what runs stops, what has finished is kept, what is unclear is looked for; nothing is submitted."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from cli import errands
from cli.errands import QUEUED, WORKING, killed_before_the_answer, rewrite, statuses
from cli.workshop import entry

from flux_pipeline.ledger.hold import held
from flux_pipeline.simulator.life import Latency


@pytest.fixture
def begin(open_workshop, monkeypatch, capfd):
    """Submit three renders that stay where they are; return the workshop and how to call the program in it."""

    def beginning(**settings):
        workshop = open_workshop(**settings)
        call = errands.caller(workshop, monkeypatch, capfd)
        assert call("run", "--submit-only", "--no-progress").code in (0, 6)
        assert workshop.made() == 3
        return workshop, call

    return beginning


def test_queued_tasks_are_cancelled_and_the_lockfile_says_so(begin):
    workshop, call = begin(**QUEUED)
    done = call("cancel", "--json")
    assert done.code == 0
    assert done.document["counts"] == {"cancelled": 3, "finished": 0, "failed": 0, "left": 0, "unclear": 0}
    assert statuses(workshop) == ["task_cancel"] * 3
    assert [line["settled"]["state"] for line in workshop.lines()] == ["cancelled"] * 3
    assert workshop.charged() == 0


def test_running_tasks_are_killed(begin):
    workshop, call = begin(**WORKING)
    assert call("cancel").code == 0
    assert statuses(workshop) == ["task_cancel"] * 3
    assert call("cancel").out == ""
    assert workshop.made() == 3


def test_select_leaves_the_others_running(begin):
    workshop, call = begin(**QUEUED)
    done = call("cancel", "--select", "*seed=2*", "--json")
    assert done.code == 0
    assert [task["cell"] for task in done.document["tasks"]] == ["hero/seed=2,size=64x64"]
    assert statuses(workshop).count("task_queue") == 2
    nothing = call("cancel", "--select", "nobody*")
    assert (nothing.code, "no cell has such an id" in nothing.err) == (2, True)


def test_what_the_manifest_no_longer_names_is_cancelled_too(begin):
    workshop, call = begin(**QUEUED)
    workshop.write(entry("other", seeds=(9,)))
    assert call("cancel", "--select", "hero/seed=1*").code == 0
    assert statuses(workshop).count("task_cancel") == 1
    assert call("cancel").code == 0
    assert statuses(workshop) == ["task_cancel"] * 3


def test_a_task_that_has_finished_meanwhile_is_kept_and_fetched_by_run(begin):
    workshop, call = begin(speed=1000.0)
    workshop.wait_for(lambda: statuses(workshop) == ["task_postprocess_end"] * 3)
    done = call("cancel", "--json")
    assert done.code == 0
    assert done.document["counts"]["finished"] == 3
    assert {task["cost_usd"] for task in done.document["tasks"]} == {0.03}
    assert call("run", "--no-progress").code == 0
    assert len(workshop.pictures()) == workshop.made() == 3
    assert workshop.charged() == Decimal("0.09")


def test_an_unclear_submission_that_the_server_lists_is_adopted_and_cancelled(begin):
    workshop, call = begin(**QUEUED)
    killed_before_the_answer(workshop.lockfile)
    done = call("cancel", "--json")
    assert (done.code, done.document["counts"]["cancelled"]) == (0, 3)
    assert statuses(workshop) == ["task_cancel"] * 3
    assert {(line["adopted"], line["settled"]["state"]) for line in workshop.lines()} == {(True, "cancelled")}


def test_an_unclear_submission_that_never_arrived_stays_for_run_to_decide(begin):
    workshop, call = begin(**QUEUED)
    killed_before_the_answer(workshop.lockfile)
    rewrite(workshop.lockfile, lambda one: replace(one, watermark="9999999"))
    done = call("cancel", "--grace", "0.1s", "--json")
    assert (done.code, done.document["counts"]["unclear"]) == (0, 3)
    assert "not in the service's list" in done.err
    assert workshop.made() == 3


def test_an_unclear_submission_of_another_account_needs_a_decision(begin):
    workshop, call = begin(**QUEUED)
    killed_before_the_answer(workshop.lockfile)
    rewrite(workshop.lockfile, lambda one: replace(one, watermark="9999999", extra={"x-account": "somebody"}))
    done = call("cancel", "--json")
    assert done.code == 4
    assert "another API key" in done.document["tasks"][0]["reason"]


@pytest.mark.parametrize("what", ["lost_answer", "lost_before", "http_500_made", "http_500_not_made", "malformed"])
def test_a_strange_answer_to_cancel_is_not_believed_but_asked_about(begin, what):
    workshop, call = begin(faults=[{"on": "cancel", "what": what, "first": 1}], **QUEUED)
    assert call("cancel").code == 0
    assert statuses(workshop) == ["task_cancel"] * 3


def test_a_task_that_starts_while_it_is_being_cancelled_is_killed(begin):
    workshop, call = begin(
        faults=[{"on": "detail", "what": "unknown_status", "first": 3}], **QUEUED
    )  # so Kill is tried on a queued task first
    assert call("cancel").code == 0
    assert statuses(workshop) == ["task_cancel"] * 3


def test_what_cannot_be_cancelled_is_named_and_the_rest_is_cancelled(begin):
    workshop, call = begin(**QUEUED)
    rewrite(workshop.lockfile, lambda one: replace(one, tasks=("77777",)) if "seed=2" in one.cell else one)
    done = call("cancel", "--json")
    assert done.code == 1
    assert [(task["task"], task["state"]) for task in done.document["tasks"] if task["state"] != "cancelled"] == [
        ("77777", "left")
    ]
    assert statuses(workshop).count("task_cancel") == 2


def test_without_the_right_key_nothing_is_said_to_be_cancelled(begin, monkeypatch):
    workshop, call = begin(**QUEUED)
    monkeypatch.setenv("WIRO_API_KEY", "wrong-key-0815")
    done = call("cancel")
    assert done.code == 3
    assert "WIRO_API_KEY" in done.err
    assert "wrong-key-0815" not in done.said
    assert statuses(workshop) == ["task_queue"] * 3


def test_without_a_network_the_lockfile_stays_and_the_exit_code_is_6(begin, monkeypatch):
    workshop, call = begin(**QUEUED)
    before = workshop.lockfile.read_text().replace(workshop.environ["WIRO_API_BASE_URL"], "http://127.0.0.1:9/v1")
    workshop.lockfile.write_text(before)
    monkeypatch.setenv("WIRO_API_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setattr("flux_pipeline.cli.service._ATTEMPTS", 1)
    done = call("cancel")
    assert done.code == 6
    assert "check the network" in done.err
    assert workshop.lockfile.read_text() == before


def test_a_run_that_holds_the_lockfile_keeps_cancel_off(begin):
    workshop, call = begin(**QUEUED)
    with held(workshop.lockfile):
        assert call("cancel").code == 5
    assert statuses(workshop) == ["task_queue"] * 3


def test_without_a_lockfile_there_is_nothing_to_cancel_and_none_is_made(open_workshop, monkeypatch, capfd):
    workshop = open_workshop(latency=Latency(queue=3600))
    done = errands.caller(workshop, monkeypatch, capfd)("cancel")
    assert (done.code, "flux-pipeline adopt" in done.err) == (0, True)
    assert not workshop.lockfile.exists()


def test_a_rehearsal_can_be_cancelled_too(open_workshop, monkeypatch, capfd):
    workshop = open_workshop()
    call = errands.caller(workshop, monkeypatch, capfd)
    monkeypatch.delenv("WIRO_API_KEY")
    assert call("run", "--simulate", "--submit-only", "--no-progress").code in (0, 6)
    done = call("cancel", "--simulate", "--json")
    assert done.code == 0
    assert sum(done.document["counts"].values()) == 3
