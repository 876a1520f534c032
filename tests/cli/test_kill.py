"""kill -9 at any moment: the server's ledger says what it has cost."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest
from cli.workshop import entry

SEEDS = range(1, 31)


def known_tasks(workshop):
    """Return the task ids of whole lines; a torn last line is none."""
    if not workshop.lockfile.exists():
        return set()
    text = workshop.lockfile.read_text()
    return set(workshop.task_ids()) if text.endswith("\n") else set()


@pytest.mark.parametrize("luck", [1, 2])
def test_kills_at_random_moments_cost_nothing_and_every_known_task_is_followed(open_workshop, luck):
    workshop = open_workshop(speed=8.0)
    workshop.write(entry(seeds=SEEDS), run={"rate": "40/s", "concurrency": 10})
    dice = random.Random(luck)
    known = set()
    for _ in range(5):
        process = workshop.start("run", "manifests/m.yaml", "--grace", "1s")
        time.sleep(dice.uniform(0.45, 1.4))
        process.kill()
        process.communicate()
        known |= known_tasks(workshop)
    last = workshop.run("--grace", "1s")
    assert last.code == 0, last.err
    assert known <= workshop.task_ids() == {row.task for row in workshop.wiro.ledger()}
    assert workshop.renders_made() == {("A red bottle", str(seed)): 1 for seed in SEEDS}
    assert len(workshop.pictures()) == len(SEEDS)
    assert "nothing submitted" in workshop.run().err


def test_what_cannot_be_found_out_is_doubtful_with_exit_4_and_not_paid_by_the_next_run(open_workshop):
    workshop = open_workshop(faults=[{"on": "run", "what": "hang", "nth": [1]}])
    process = workshop.start("run", "manifests/m.yaml", "--limit", "1")
    workshop.wait_for(lambda: workshop.lockfile.exists() and workshop.lines())
    process.kill()
    process.communicate()
    assert workshop.plan("--limit", "1") == [("doubt", "hero/seed=1,size=64x64")]
    for _ in range(2):
        done = workshop.run("--limit", "1", "--collect-only", "--grace", "0.5s", "--json")
        assert done.code == 4
        assert done.document["counts"]["doubtful"] == 1
        assert "--resubmit-doubtful" in done.document["failures"][0]["reason"]
    assert workshop.made() == 0


@pytest.mark.parametrize(
    "lost", ["lost_answer", "http_500_made", "malformed", "no_id", "html_502", "code_0_unknown_made"]
)
def test_an_answer_that_gets_lost_is_looked_for_and_paid_once(open_workshop, lost):
    fault = {"on": "run", "what": lost, "nth": [1]} | ({"made": True} if lost == "html_502" else {})
    workshop = open_workshop(faults=[fault])
    done = workshop.run()
    assert done.code == 0, done.err
    assert Counter(workshop.renders_made().values()) == {1: 3}
    assert len(workshop.pictures()) == 3


def test_a_request_that_never_made_a_task_is_submitted_again_once_that_is_certain(open_workshop):
    workshop = open_workshop(faults=[{"on": "run", "what": "lost_before", "nth": [2]}])
    done = workshop.run("--grace", "1s")
    assert done.code == 0, done.err
    assert Counter(workshop.renders_made().values()) == {1: 3}
    assert any("absent" in line for line in workshop.lines())
