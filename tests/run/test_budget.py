from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.run.budget import Budget

CENT = Decimal("0.01")
amounts = st.decimals(0, 2, places=2)


def room(budget, limit):
    """Return the largest amount of whole cents that still fits."""
    return max((cents * CENT for cents in range(int(limit * 100) + 1) if budget.fits(cents * CENT)), default=None)


def test_a_submission_fits_as_long_as_the_limit_is_not_passed():
    budget = Budget(Decimal("0.10"), Decimal("0.04"))
    assert budget.fits(Decimal("0.06"))
    assert not budget.fits(Decimal("0.07"))
    budget.reserve("a", Decimal("0.03"))
    assert room(budget, 1) == Decimal("0.03")


def test_ten_cents_are_exactly_ten_cents():
    budget = Budget(Decimal("0.3"), Decimal(0))
    for number in range(3):
        assert budget.fits(Decimal("0.1"))
        budget.reserve(str(number), Decimal("0.1"))
    assert not budget.fits(Decimal("0.000001"))
    assert budget.fits(Decimal(0))


def test_without_a_limit_everything_fits():
    budget = Budget(None, Decimal(10**6))
    budget.reserve("a", Decimal(10**6))
    assert budget.fits(Decimal(10**9))


def test_a_price_that_nobody_knows_fits_only_where_there_is_no_limit():
    assert not Budget(Decimal(100), Decimal(0)).fits(None)
    budget = Budget(None, Decimal(1))
    assert budget.fits(None)
    budget.reserve("a", None)
    budget.settle("a", Decimal(0), Decimal("0.05"))
    assert budget.charged == Decimal("0.05")


def test_what_was_paid_or_reserved_before_counts_against_the_limit():
    assert not Budget(Decimal(1), Decimal("1.01")).fits(Decimal(0))
    assert Budget(Decimal(1), Decimal(1)).fits(Decimal(0))


def test_what_made_no_task_is_given_back():
    budget = Budget(Decimal(1), Decimal(0))
    budget.reserve("a", Decimal(1))
    assert not budget.fits(CENT)
    budget.release("a", Decimal(0))
    assert budget.fits(Decimal(1))
    assert budget.charged == 0


@pytest.mark.parametrize("cost", ["0", "0.02", "0.03"])
def test_a_charge_takes_the_place_of_its_reservation(cost):
    budget = Budget(Decimal(1), Decimal(0))
    budget.reserve("a", Decimal("0.03"))
    budget.settle("a", Decimal("0.99"), Decimal(cost))
    assert room(budget, 1) == 1 - Decimal(cost)
    assert budget.charged == Decimal(cost)


def test_a_reservation_of_an_earlier_run_is_replaced_or_given_back_too():
    budget = Budget(Decimal(1), Decimal("0.06"))
    budget.settle("earlier", Decimal("0.03"), Decimal("0.02"))
    assert room(budget, 1) == Decimal("0.95")
    budget.release("another", Decimal("0.03"))
    assert room(budget, 1) == Decimal("0.98")


@given(
    before=amounts,
    ends=st.lists(st.tuples(amounts, st.sampled_from(["settle", "release", "open"]), amounts), max_size=12),
)
def test_what_fits_is_always_the_limit_less_what_is_gone_or_may_go(before, ends):
    limit = Decimal(40)
    budget = Budget(limit, before)
    ends = [(estimate, end, min(cost, estimate)) for estimate, end, cost in ends]  # no charge above its estimate
    for number, (estimate, _, _) in enumerate(ends):
        budget.reserve(str(number), estimate)
    total = before
    for number, (estimate, end, cost) in enumerate(ends):
        if end == "settle":
            budget.settle(str(number), Decimal(0), cost)
        elif end == "release":
            budget.release(str(number), Decimal(0))
        total += {"settle": cost, "release": 0, "open": estimate}[end]
    assert budget.fits(limit - total)
    assert not budget.fits(limit - total + CENT)
    assert budget.charged == sum(cost for _, end, cost in ends if end == "settle")


def test_a_charge_above_its_estimate_makes_every_further_estimate_dearer():
    budget = Budget(Decimal("0.22"), Decimal(0))
    for name in ("a", "b"):
        budget.reserve(name, Decimal("0.03"))
    budget.settle("a", Decimal("0.03"), Decimal("0.07"))
    assert budget.fits(Decimal("0.03"))  # 0.07 + 0.07 still open + 0.07
    budget.reserve("c", Decimal("0.03"))
    assert not budget.fits(Decimal("0.03"))
