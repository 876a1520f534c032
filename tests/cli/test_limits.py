"""What stops a run, what slows it down, and what it does about failures; told by the server's ledger."""

from __future__ import annotations

import threading
import time
from decimal import Decimal

from cli.workshop import entry

from flux_pipeline.simulator.server import Settings, Simulator, SimulatorThread

TWENTY = range(1, 21)


def test_without_money_submissions_stop_with_exit_3_and_what_runs_is_collected(open_workshop):
    workshop = open_workshop(faults=[{"on": "run", "what": "code_97", "nth": list(range(5, 99))}], speed=5.0)
    workshop.write(entry(seeds=TWENTY))
    done = workshop.run("--rate", "20/s")
    assert done.code == 3
    assert "Insufficient balance" in done.err
    assert "run the same command again" in done.err
    assert workshop.made() == len(workshop.pictures()) == 4


def test_code_96_lowers_the_concurrency_and_all_pictures_are_made_in_the_end(open_workshop):
    workshop = open_workshop(balance=Decimal(50))
    workshop.write(entry(seeds=TWENTY))
    most, over = 0, threading.Event()

    def watch():
        nonlocal most
        while not over.is_set():
            active = [
                row for row in workshop.wiro.ledger() if row.status not in ("task_postprocess_end", "task_cancel")
            ]
            most = max(most, len(active))
            time.sleep(0.005)

    watching = threading.Thread(target=watch)
    watching.start()
    done = workshop.run("--concurrency", "20")
    over.set()
    watching.join()
    assert done.code == 0, done.err
    assert most <= 5
    assert set(workshop.renders_made().values()) == {1}
    assert len(workshop.pictures()) == 20


def test_a_429_is_waited_out_as_long_as_it_says_and_nothing_is_lost(open_workshop):
    workshop = open_workshop(faults=[{"on": "run", "what": "http_429", "nth": [1], "retry_after": 2}])
    done = workshop.run("--json", "--concurrency", "1")
    assert done.code == 0
    assert done.document["seconds"] > 2.0
    assert set(workshop.renders_made().values()) == {1}


def test_a_failing_task_is_tried_once_more_and_then_reported_with_its_reason(open_workshop):
    workshop = open_workshop(faults=[{"on": "run", "what": "task_fails", "match": {"seed": 2}}])
    done = workshop.run("--json")
    assert done.code == 1
    assert {seed: count for (_, seed), count in workshop.renders_made().items()} == {"1": 1, "2": 2, "3": 1}
    (failure,) = done.document["failures"]
    assert failure["cell"] == "hero/seed=2,size=64x64"
    assert failure["reason"] in done.err
    assert done.document["cost_usd"]["session"] == 0.06


def test_a_task_that_fails_once_is_made_good_in_the_same_run(open_workshop):
    workshop = open_workshop(faults=[{"on": "run", "what": "task_fails", "nth": [2]}])
    assert workshop.run().code == 0
    assert (workshop.made(), workshop.charged()) == (4, Decimal("0.09"))


def test_a_moderated_prompt_is_not_tried_again_within_the_run(open_workshop):
    workshop = open_workshop(faults=[{"on": "run", "what": "moderated", "match": {"seed": 2}}])
    assert workshop.run().code == 1
    assert set(workshop.renders_made().values()) == {1}


def test_max_cost_is_never_passed_by_a_single_submission(workshop):
    workshop.write(entry(seeds=TWENTY))
    done = workshop.run("--max-cost", "0.10")
    assert done.code == 3
    assert "max_cost" in done.err
    assert (workshop.made(), workshop.charged()) == (3, Decimal("0.09"))
    workshop.run("--max-cost", "0.17")
    assert workshop.made() == 5


def test_the_manifest_can_set_max_cost_and_a_flag_and_its_variable_win_over_it(workshop):
    workshop.write(entry(seeds=TWENTY), run={"rate": "100/s", "max_cost": 0.03})
    assert (workshop.run().code, workshop.made()) == (3, 1)
    assert (workshop.run(FLUX_PIPELINE_MAX_COST="0.06").code, workshop.made()) == (3, 2)
    assert (workshop.run("--max-cost", "0.09", FLUX_PIPELINE_MAX_COST="1").code, workshop.made()) == (3, 3)


def test_a_timeout_ends_the_run_with_exit_6_and_the_next_one_resumes(open_workshop):
    workshop = open_workshop(speed=1.0)
    done = workshop.run("--timeout", "1s", "--json")
    assert done.code == 6
    assert done.document["seconds"] < 2
    assert workshop.run().code == 0
    assert set(workshop.renders_made().values()) == {1}


def test_a_server_that_is_away_for_a_moment_is_waited_for(tmp_path, open_workshop):
    workshop = open_workshop()
    simulator = Simulator(Settings(balance=Decimal(1000), speed=25.0))
    with SimulatorThread(simulator) as thread:
        url, port = thread.base_url, int(thread.base_url.split(":")[2].removesuffix("/v1"))
    process = workshop.start("run", "manifests/m.yaml", WIRO_API_BASE_URL=url)
    time.sleep(1.5)
    with SimulatorThread(simulator, port=port):
        assert process.wait(30) == 0
    process.communicate()
    assert len(simulator.ledger()) == 3
    simulator.close()


def test_the_rate_can_come_from_the_environment(workshop):
    workshop.write(entry(seeds=range(1, 7)), run={})
    assert workshop.run_json(FLUX_PIPELINE_RATE="2/s")["seconds"] > 2.0
    created = sorted(row.created for row in workshop.wiro.ledger())
    assert created[2] - created[0] > 0.9


def test_fail_fast_submits_nothing_more_after_the_first_failure(open_workshop):
    workshop = open_workshop(faults=[{"on": "run", "what": "task_fails", "nth": [1]}])
    workshop.write(entry(seeds=TWENTY))
    assert workshop.run("--fail-fast", "--rate", "5/s").code == 1
    assert workshop.made() < 10
    assert len(workshop.pictures()) == workshop.made() - 1


def test_an_answer_that_names_another_renders_task_buys_nothing_twice_and_mixes_no_pictures_up(open_workshop):
    faults = [{"on": "run", "what": "lost_answer", "nth": [1]}, {"on": "run", "what": "duplicate_id", "nth": [2]}]
    workshop = open_workshop(faults=faults)
    workshop.write(entry(seeds=(1, 2)))
    done = workshop.run("--rate", "100/s", "--concurrency", "2", "--grace", "3s")
    assert done.code == 0, done.err
    assert set(workshop.renders_made().values()) == {1}
    first, second = workshop.pictures().values()
    assert first != second
    assert len(set(workshop.task_ids())) == 2
