from __future__ import annotations

import math
from decimal import Decimal

import pytest

from flux_pipeline.errors import UsageError
from flux_pipeline.simulator.life import Latency
from flux_pipeline.simulator.server import Settings, Simulator


def error(response):
    (found,) = response.json()["errors"]
    return found["code"], found["message"]


def test_a_tenth_of_the_balance_is_the_limit_and_the_message_says_so(start):
    wiro = start(balance=Decimal(50))
    for seed in range(5):
        wiro.made(seed=seed)
    code, message = error(wiro.run())
    assert code == 96
    assert message.startswith(
        "You have reached your concurrent task limit. With your current balance of $50.00, you can run up to 5 tasks "
        "at the same time."
    )
    assert len(wiro.simulator.ledger()) == 5


def test_a_task_that_ends_makes_room_for_another(start):
    wiro = start(balance=Decimal(10))
    first = wiro.made()
    assert error(wiro.run())[0] == 96
    wiro.post("/Task/Cancel", {"taskid": first})
    wiro.made()
    wiro.clock.advance(10)
    wiro.made()


def test_a_small_balance_still_allows_one_task(start):
    wiro = start(balance=Decimal("0.50"))
    wiro.made()
    assert "run up to 1 tasks" in error(wiro.run())[1]


def test_above_250_dollars_there_is_no_limit(start):
    wiro = start(balance=Decimal("250.01"))
    assert len([wiro.made(seed=seed) for seed in range(40)]) == 40


def test_at_250_dollars_the_limit_is_25(start):
    wiro = start(balance=Decimal(250))
    for seed in range(25):
        wiro.made(seed=seed)
    assert error(wiro.run())[0] == 96


def test_the_balance_falls_when_a_task_succeeds_and_not_before(start):
    wiro = start(balance=Decimal(20))
    wiro.made()
    assert wiro.simulator.balance() == 20
    wiro.clock.advance(10)
    assert wiro.simulator.balance() == Decimal("19.97")
    assert wiro.paid() == Decimal("0.03")


def test_below_50_cents_nothing_starts(start):
    wiro = start(balance=Decimal("0.52"))
    wiro.finished()
    code, message = error(wiro.run())
    assert code == 97
    assert "$0.49" in message
    assert len(wiro.simulator.ledger()) == 1


def test_the_ledger_outlives_the_server_and_tasks_go_on_while_it_is_dead(start, tmp_path):
    db = tmp_path / "deep" / "ledger.db"
    before = start(db=db, balance=Decimal(20))
    task_id = before.made("keep me")
    before.clock.advance(100)
    after = start(db=db, balance=Decimal(20), clock=before.clock)
    task = after.task(task_id)
    assert (task["status"], task["parameters"]["prompt"]) == ("task_postprocess_end", "keep me")
    assert after.file(task).status_code == 200
    assert after.simulator.balance() == Decimal("19.97")
    assert after.made() == "2222"


def test_the_ledger_can_be_read_after_the_server_has_ended(tmp_path):
    simulator = Simulator(Settings(), tmp_path / "ledger.db")
    assert simulator.ledger() == ()
    simulator.close()


def test_a_ledger_that_is_none_is_refused_with_its_name(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_text("This is no database, but a text long enough to be taken for a header." * 20)
    with pytest.raises(UsageError, match=r"ledger\.db cannot be used"):
        Simulator(Settings(), path)


def test_latencies_depend_on_the_seed_and_the_task_alone():
    latency = Latency()
    assert latency.draw(1, 2221, 1) == latency.draw(1, 2221, 1)
    assert len({latency.draw(seed, task, 1) for seed in (1, 2) for task in range(50)}) == 100
    assert latency.draw(1, 2221, math.inf) == (0, 0)
    queue, run = latency.draw(1, 2221, 1)
    assert latency.draw(1, 2221, 4) == pytest.approx((queue / 4, run / 4))


def test_without_latency_a_task_is_finished_when_it_is_made(start):
    wiro = start(speed=math.inf, balance=Decimal(10))
    for _ in range(3):
        assert wiro.task(wiro.made())["status"] == "task_postprocess_end"


def test_a_speed_of_zero_is_refused():
    with pytest.raises(UsageError):
        Simulator(Settings(speed=0))
