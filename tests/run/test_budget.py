from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.ledger.facts import MODEL, Settled, Submission
from flux_pipeline.ledger.history import fold
from flux_pipeline.run.budget import Budget

CENT = Decimal("0.01")
PRO, FLEX = "lab/pro", "lab/flex"
amounts = st.decimals(0, 2, places=2)


def started(limit, *earlier):
    return Budget(None if limit is None else Decimal(limit), fold(earlier))


def paid(name, estimate, cost, model=PRO):
    settled = Settled(state="finished", cost=Decimal(cost))
    return Submission(id=name, key="k", estimate=Decimal(estimate), tasks=("1",), settled=settled, extra={MODEL: model})


def running(name, estimate, model=PRO):
    return Submission(id=name, key="k", estimate=Decimal(estimate), tasks=("1",), extra={MODEL: model})


def fits(budget, dollars, *, model=PRO, alone=True):
    """Say whether one more fits; `alone` looks at the limit as it is, without the caution towards a dearer price."""
    return budget.fits(model, Decimal(dollars), alone=alone)


def room(budget, limit):
    """Return the largest amount of whole cents that still fits."""
    return max((cents * CENT for cents in range(int(limit * 100) + 1) if fits(budget, cents * CENT)), default=None)


def test_a_submission_fits_as_long_as_the_limit_is_not_passed():
    budget = started("0.10", running("before", "0.04"))
    assert fits(budget, "0.06")
    assert not fits(budget, "0.07")
    budget.reserve("a", PRO, Decimal("0.03"))
    assert room(budget, 1) == Decimal("0.03")


def test_ten_cents_are_exactly_ten_cents():
    budget = started("0.3")
    for number in range(3):
        assert fits(budget, "0.1")
        budget.reserve(str(number), PRO, Decimal("0.1"))
    assert not fits(budget, "0.000001")
    assert fits(budget, 0)


def test_without_a_limit_everything_fits():
    budget = started(None)
    budget.reserve("a", PRO, Decimal(10**6))
    assert fits(budget, 10**9)


def test_a_price_that_nobody_knows_fits_only_where_there_is_no_limit():
    assert not started(100).fits(PRO, None, alone=True)
    budget = started(None)
    assert budget.fits(PRO, None, alone=False)
    budget.reserve("a", PRO, None)
    budget.settle("a", Decimal("0.05"))
    assert budget.charged == Decimal("0.05")


def test_a_charge_of_unknown_amount_is_counted_and_not_taken_for_nothing():
    budget = started(None)
    for name, estimate, cost in (
        ("a", None, None),
        ("b", Decimal(0), None),
        ("c", None, Decimal(0)),
        ("d", CENT, None),
    ):
        budget.reserve(name, PRO, estimate)
        budget.settle(name, cost)
    assert (budget.charged, budget.uncharged) == (CENT, 1)


def test_what_was_paid_or_reserved_before_counts_against_the_limit():
    assert not fits(started(1, paid("before", "1.01", "1.01")), 0)
    assert fits(started(1, paid("before", "1", "1")), 0)
    assert not fits(started(1, running("before", "1.01")), 0)


def test_what_made_no_task_is_given_back():
    budget = started(1)
    budget.reserve("a", PRO, Decimal(1))
    assert not fits(budget, CENT)
    budget.release("a")
    assert fits(budget, 1)
    assert budget.charged == 0


@pytest.mark.parametrize("cost", ["0", "0.02", "0.03"])
def test_a_charge_takes_the_place_of_its_reservation(cost):
    budget = started(1)
    budget.reserve("a", PRO, Decimal("0.03"))
    budget.settle("a", Decimal(cost))
    assert room(budget, 1) == 1 - Decimal(cost)
    assert budget.charged == Decimal(cost)


def test_a_charge_that_nobody_told_is_taken_to_be_the_estimate():
    budget = started(1)
    budget.reserve("a", PRO, Decimal("0.03"))
    budget.settle("a", None)
    assert room(budget, 1) == Decimal("0.97")


def test_a_reservation_of_an_earlier_run_is_replaced_or_given_back_too():
    budget = started(1, running("earlier", "0.03"), running("another", "0.03"))
    budget.settle("earlier", Decimal("0.02"))
    assert room(budget, 1) == Decimal("0.95")
    budget.release("another")
    assert room(budget, 1) == Decimal("0.98")


@given(
    before=amounts,
    ends=st.lists(st.tuples(amounts, st.sampled_from(["settle", "release", "open"]), amounts), max_size=12),
)
def test_what_fits_is_always_the_limit_less_what_is_gone_or_may_go(before, ends):
    limit = Decimal(40)
    budget = started(limit, running("before", before))
    ends = [(estimate, end, min(cost, estimate)) for estimate, end, cost in ends]  # no charge above its estimate
    for number, (estimate, _, _) in enumerate(ends):
        budget.reserve(str(number), PRO, estimate)
    total = before
    for number, (estimate, end, cost) in enumerate(ends):
        if end == "settle":
            budget.settle(str(number), cost)
        elif end == "release":
            budget.release(str(number))
        total += {"settle": cost, "release": 0, "open": estimate}[end]
    assert fits(budget, limit - total)
    assert not fits(budget, limit - total + CENT)
    assert budget.charged == sum(cost for _, end, cost in ends if end == "settle")


def test_a_charge_above_its_estimate_makes_what_is_under_way_and_what_follows_dearer():
    budget = started("0.22")
    for name in ("a", "b"):
        budget.reserve(name, PRO, Decimal("0.03"))
    budget.settle("a", Decimal("0.07"))
    assert fits(budget, "0.03")  # 0.07 + 0.07 still open + 0.07
    budget.reserve("c", PRO, Decimal("0.03"))
    assert not fits(budget, "0.03")


def test_a_charge_of_an_earlier_run_teaches_as_well():
    budget = started("0.20", paid("earlier", "0.03", "0.06"))
    assert fits(budget, "0.03")
    budget.reserve("a", PRO, Decimal("0.03"))
    assert fits(budget, "0.03")
    budget.reserve("b", PRO, Decimal("0.03"))
    assert not fits(budget, "0.03")


def test_until_a_model_has_charged_once_in_a_run_only_a_tenth_of_the_limit_is_under_way():
    budget = started("1.00")
    for name in ("a", "b", "c"):
        assert fits(budget, "0.03", alone=False)
        budget.reserve(name, PRO, Decimal("0.03"))
    assert not fits(budget, "0.03", alone=False)
    budget.settle("a", Decimal("0.03"))
    assert fits(budget, "0.03", alone=False)


def test_a_charge_of_an_earlier_run_does_not_end_the_caution():
    budget = started("1.00", paid("earlier", "0.03", "0.03"))
    assert fits(budget, "0.09", alone=False)
    assert not fits(budget, "0.10", alone=False)


def test_after_the_first_charge_half_of_what_is_left_is_under_way_at_most():
    budget = started("0.63")
    budget.reserve("a", PRO, Decimal("0.03"))
    budget.settle("a", Decimal("0.03"))
    assert fits(budget, "0.30", alone=False)
    assert not fits(budget, "0.31", alone=False)


def test_the_charges_of_one_model_say_nothing_about_another():
    budget = started("1.00", paid("earlier", "0.03", "0.30"))
    assert fits(budget, "0.07", model=FLEX, alone=False)
    assert not fits(budget, "0.08", model=FLEX, alone=False)


def test_one_alone_may_always_be_submitted_where_the_limit_has_room_for_its_estimate():
    budget = started("0.03")
    assert not fits(budget, "0.03", alone=False)
    assert fits(budget, "0.03")
    assert not fits(budget, "0.04")


def test_a_limit_that_was_passed_all_the_same_is_known_to_be():
    budget = started("0.10")
    budget.reserve("a", PRO, Decimal("0.03"))
    assert not budget.passed
    budget.settle("a", Decimal("0.25"))
    assert budget.passed


@given(count=st.integers(1, 40), factor=st.integers(1, 10), wave=st.integers(1, 20))
def test_a_price_up_to_ten_times_the_estimate_never_passes_the_limit_beyond_the_first_alone(count, factor, wave):
    estimate, limit = Decimal("0.03"), Decimal("0.90")
    budget = started(limit)
    spent, waiting, under_way = Decimal(0), count, []
    while waiting or under_way:
        while waiting and len(under_way) < wave and fits(budget, estimate, alone=not under_way):
            under_way.append(str(waiting))
            budget.reserve(under_way[-1], PRO, estimate)
            waiting -= 1
        if not under_way:
            break
        budget.settle(under_way.pop(0), factor * estimate)
        spent += factor * estimate
    assert spent <= limit


@given(count=st.integers(1, 40), wave=st.integers(1, 20), raised=st.integers(0, 30))
def test_a_price_that_doubles_in_the_midst_of_a_run_never_passes_the_limit(count, wave, raised):
    estimate, limit = Decimal("0.03"), Decimal("0.90")
    budget = started(limit)
    spent, settled, waiting, under_way = Decimal(0), 0, count, []
    while waiting or under_way:
        while waiting and len(under_way) < wave and fits(budget, estimate, alone=not under_way):
            under_way.append(str(waiting))
            budget.reserve(under_way[-1], PRO, estimate)
            waiting -= 1
        if not under_way:
            break
        cost = estimate * (2 if settled >= raised else 1)
        budget.settle(under_way.pop(0), cost)
        spent, settled = spent + cost, settled + 1
    assert spent <= limit + estimate  # one alone may find out
