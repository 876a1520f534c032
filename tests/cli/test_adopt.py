"""`adopt`: tasks that no lockfile knows are taken over, and nothing is paid for a second time."""

from __future__ import annotations

from decimal import Decimal

import pytest
from cli import errands
from cli.errands import QUEUED, history, killed_before_the_answer, post, statuses

from flux_pipeline.ledger.hold import held


@pytest.fixture
def call(workshop, monkeypatch, capfd):
    return errands.caller(workshop, monkeypatch, capfd)


def finished(workshop):
    return workshop.wait_for(lambda: set(statuses(workshop)) == {"task_postprocess_end"})


def test_after_a_lost_lockfile_run_pays_for_nothing(workshop, call):
    assert call("run", "--no-progress").code == 0
    tasks = workshop.task_ids()
    workshop.lockfile.unlink()
    done = call("adopt", "--json")
    assert done.code == 0
    assert done.document["counts"]["adopted"] == 3
    assert workshop.task_ids() == tasks == {task["task"] for task in done.document["tasks"]}
    assert call("run", "--no-progress").code == 0
    assert workshop.made() == 3
    assert workshop.charged() == Decimal("0.09")


def test_tasks_that_still_run_are_taken_over_and_adopting_twice_changes_nothing(open_workshop, monkeypatch, capfd):
    workshop = open_workshop(**QUEUED)
    call = errands.caller(workshop, monkeypatch, capfd)
    tasks = {post(workshop, seed) for seed in (1, 2)}
    assert call("adopt").code == 0
    assert workshop.task_ids() == tasks
    before = workshop.lockfile.read_bytes()
    again = call("adopt", "--json")
    assert (again.code, again.document["tasks"]) == (0, [])
    assert workshop.lockfile.read_bytes() == before
    assert workshop.made() == 2


def test_one_render_gets_one_task_and_the_others_are_named(workshop, call):
    tasks = [post(workshop) for _ in range(3)]
    finished(workshop)
    done = call("adopt", "--json")
    assert done.document["counts"]["adopted"] == 1
    assert done.document["counts"]["double"] == 2
    assert {task["task"] for task in done.document["tasks"]} == set(tasks)
    assert workshop.task_ids() == {tasks[-1]}


def test_a_render_that_has_a_task_is_left_alone(workshop, call):
    call("run", "--no-progress")
    before = workshop.lockfile.read_bytes()
    post(workshop)
    done = call("adopt", "--json")
    assert (done.code, done.document["counts"]["double"]) == (0, 1)
    assert workshop.lockfile.read_bytes() == before


def test_an_unclear_submission_gets_its_task(workshop, call):
    call("run", "--no-progress")
    tasks = workshop.task_ids()
    killed_before_the_answer(workshop.lockfile)
    done = call("adopt", "--json")
    assert (done.code, done.document["counts"]["resolved"]) == (0, 3)
    assert workshop.task_ids() == tasks
    assert len(history(workshop.lockfile).history.submissions) == 3


def test_failed_and_foreign_tasks_are_not_taken_over(open_workshop, monkeypatch, capfd):
    workshop = open_workshop(faults=[{"on": "run", "what": "task_fails", "match": {"seed": "1"}}])
    call = errands.caller(workshop, monkeypatch, capfd)
    post(workshop, 1)
    post(workshop, 1, prompt="Somebody else's")
    finished(workshop)
    done = call("adopt", "--json")
    assert (done.code, done.document["tasks"]) == (0, [])


def test_select_takes_over_only_what_it_names(workshop, call):
    wanted, _ = post(workshop, 1), post(workshop, 2)
    assert call("adopt", "--select", "*seed=1,*").code == 0
    assert workshop.task_ids() == {wanted}


def test_parameters_that_come_back_as_text_are_recognised(open_workshop, monkeypatch, capfd):
    workshop = open_workshop(faults=[{"on": "list", "what": "text_params"}])
    call = errands.caller(workshop, monkeypatch, capfd)
    task = post(workshop)
    assert call("adopt").code == 0
    assert workshop.task_ids() == {task}


def test_a_list_that_does_not_hold_still_ends_with_6_and_says_so(open_workshop, monkeypatch, capfd):
    workshop = open_workshop(faults=[{"on": "list", "what": "shuffle"}])
    call = errands.caller(workshop, monkeypatch, capfd)
    for seed in (1, 2, 3):
        post(workshop, seed)
    done = call("adopt", "--json")
    assert (done.code, done.document["complete"]) == (6, False)
    assert "run this again" in done.err


def test_a_held_lockfile_and_a_wrong_key_stop_it(workshop, call, monkeypatch):
    post(workshop)
    with held(workshop.lockfile):
        assert call("adopt").code == 5
    monkeypatch.setenv("WIRO_API_KEY", "wrong-key-0815")
    assert call("adopt").code == 3


def test_a_rehearsal_s_tasks_are_adopted_from_its_own_server(workshop, call, monkeypatch):
    monkeypatch.delenv("WIRO_API_KEY")
    call("run", "--simulate", "--submit-only", "--no-progress")
    lockfile = workshop.lockfile.with_name("m.simulated.lock")
    tasks = set(history(lockfile).history.claimed())
    lockfile.unlink()
    assert call("adopt", "--simulate").code == 0
    assert set(history(lockfile).history.claimed()) == tasks
    assert workshop.made() == 0
