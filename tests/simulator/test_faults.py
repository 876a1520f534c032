"""What faults.yaml may say, and when a fault strikes."""

from __future__ import annotations

import pytest

from flux_pipeline.errors import UsageError
from flux_pipeline.simulator.faults import FAULTS, Dice, Faults
from flux_pipeline.simulator.mischief import _ACTIONS


def struck(rule, calls, *, seed=0, parameters=None):
    dice = Dice(Faults.from_data({"seed": seed, "faults": [rule]}))
    return [bool(dice.roll("run", parameters or {})) for _ in range(calls)]


def test_every_fault_that_can_be_asked_for_is_carried_out():
    assert FAULTS.keys() == _ACTIONS.keys()


def test_a_fault_without_a_number_strikes_always():
    assert struck({"on": "run", "what": "lost_answer"}, 3) == [True] * 3


def test_first_every_and_nth_count_calls_from_one():
    rule = {"on": "run", "what": "lost_answer"}
    assert struck({**rule, "first": 2}, 4) == [True, True, False, False]
    assert struck({**rule, "every": 2}, 4) == [False, True, False, True]
    assert struck({**rule, "nth": [1, 4]}, 4) == [True, False, False, True]


def test_a_rate_is_kept_roughly_and_the_same_seed_strikes_the_same_calls():
    rule = {"on": "run", "what": "lost_answer", "rate": 0.3}
    assert 240 < sum(struck(rule, 1000)) < 360
    assert struck(rule, 1000, seed=5) == struck(rule, 1000, seed=5) != struck(rule, 1000, seed=6)
    assert not any(struck({**rule, "rate": 0}, 100))
    assert all(struck({**rule, "rate": 1}, 100))


def test_a_match_narrows_a_fault_to_part_of_the_prompt_and_to_values():
    rule = {"on": "run", "what": "lost_answer", "match": {"prompt": "teal", "seed": 7}}
    assert all(struck(rule, 1, parameters={"prompt": "a teal kettle", "seed": "7"}))
    assert not any(struck(rule, 1, parameters={"prompt": "a teal kettle", "seed": 8}))
    assert not any(struck(rule, 1, parameters={"prompt": "a red kettle", "seed": 7}))


def test_rules_may_be_given_as_a_bare_list():
    assert Faults.from_data([{"on": "cdn", "what": "gone"}]).rules[0].what == "gone"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("lost_answer", "expected a list of rules"),
        ({"faults": [], "sed": 1}, "unknown key `sed`"),
        ({"faults": [], "seed": "x"}, "`seed` must be an integer"),
        (["lost_answer"], "expected a mapping such as"),
        ([{"on": "run", "what": "lost_anser"}], "unknown fault `lost_anser`; known are balance, code_0"),
        ([{"on": "run"}], "unknown fault `None`"),
        ([{"on": "rum", "what": "hang"}], "`hang` cannot strike `rum`; it strikes cancel, cdn, delete"),
        ([{"on": "run", "what": "truncated"}], "`truncated` cannot strike `run`; it strikes cdn"),
        ([{"on": "run", "what": "hang", "retry_after": 3}], "`hang` has no setting `retry_after`"),
        ([{"on": "run", "what": "hang", "rate": 1, "first": 1}], "only one of rate, every, first and nth"),
        ([{"on": "run", "what": "hang", "rate": 2}], "`rate` must be a number from 0 to 1"),
        ([{"on": "run", "what": "hang", "every": 0}], "`every` must be an integer of at least 1"),
        ([{"on": "run", "what": "hang", "nth": 3}], "`nth` must be a list"),
        ([{"on": "run", "what": "slow", "delay": "long"}], "`delay` must be a number"),
        ([{"on": "list", "what": "lag", "match": {"prompt": "x"}}], "`match` has no meaning for `list`"),
        ([{"on": "run", "what": "hang", "match": "x"}], "`match` must be a mapping"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_what_would(data, message):
    with pytest.raises(UsageError) as caught:
        Faults.from_data(data)
    assert message in str(caught.value)


def test_all_problems_are_named_at_once():
    with pytest.raises(UsageError) as caught:
        Faults.from_data([{"on": "run", "what": "x"}, {"on": "run", "what": "hang"}, {"on": "cdn", "what": "lag"}])
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["faults[0]", "faults[2]"]
