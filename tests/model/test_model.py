"""All interleavings of a few renders and crashes: what the protocol promises, and what others would break."""

from __future__ import annotations

import pytest
from model.protocol import Render, Rules, explore, moves, wakes

from flux_pipeline.run.stages import MOVES, Cause, Stage


@pytest.mark.parametrize("rules", [Rules(), Rules(losing=True)], ids=["usual", "the lockfile may be lost"])
def test_three_renders_and_three_crashes_never_pay_twice_or_lose_or_get_stuck(rules):
    verdict = explore(3, 3, rules)
    assert verdict.states > 15_000
    assert (verdict.paid_twice, verdict.lost, verdict.stuck) == (0, 0, 0)


def test_fewer_slots_than_renders_never_get_stuck():
    verdict = explore(3, 2, Rules(), slots=1)
    assert (verdict.paid_twice, verdict.lost, verdict.stuck) == (0, 0, 0)


@pytest.mark.parametrize(
    "rules",
    [Rules(intent=False), Rules(look=False), Rules(grace=False), Rules(losing=True, adopt=False)],
    ids=["no intent", "an intent, then post again", "a list without grace", "no look before the first submission"],
)
def test_without_one_of_its_rules_the_protocol_pays_twice_and_loses(rules):
    verdict = explore(2, 1, rules)
    assert verdict.paid_twice
    assert verdict.lost


def test_a_list_that_shows_nothing_puts_one_picture_a_run_at_risk():
    assert explore(2, 2, Rules(hiding=True)).most_at_risk == 1


def test_without_the_canary_a_list_that_shows_nothing_puts_all_pictures_at_risk():
    assert explore(2, 2, Rules(hiding=True, canary=False)).most_at_risk == 2


def test_the_model_makes_every_move_of_the_engines_table_and_no_other():
    rules = Rules(losing=True)
    known, front, made = {Render()}, [Render()], set()
    while front:
        one = front.pop()
        told = [move.to for move in moves(one, rules)]
        made |= {(one.stage, to.stage) for to in told if to.stage is not one.stage}
        new = {*told, *wakes(one, rules)} - known
        known |= new
        front += new
    # The model's server names every task right; what a wrong name does is tested with the real thing, in tests/cli. A task
    # that it does not know any more makes two moves at once.
    right = {(stage, to) for (stage, cause), to in MOVES.items() if cause is not Cause.MISNAMED}
    right.add((Stage.FOLLOWING, MOVES[MOVES[Stage.FOLLOWING, Cause.MISNAMED], Cause.DOUBT]))
    assert made == right
