from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.price import estimate

MEGAPIXEL = 1024 * 1024


def priced(method, price=0.03, params=None, **more):
    return estimate(
        [{"inputs": {}, "price": price, "priceMethod": method, **more}], params or {"width": 1024, "height": 1024}
    )


@pytest.mark.parametrize("method", ["cpr", "cpo"])
@pytest.mark.parametrize("price", [0.03, "0.03", Decimal("0.03")])
def test_a_price_per_run_or_per_output_is_the_price_to_the_cent(method, price):
    assert priced(method, price) == Decimal("0.03")


@pytest.mark.parametrize(
    ("width", "height", "tiers"),
    [(1024, 1024, 1), (64, 64, 1), (1024, 1040, 2), (2048, 1024, 2), (2048, 2048, 4), (2048, 2032, 4), (1344, 768, 1)],
)
def test_a_price_by_pixels_counts_every_started_megapixel(width, height, tiers):
    params = {"width": width, "height": height}
    assert priced("cp-pixel", "0.03", params, priceExtra="0.015") == Decimal("0.03") + (tiers - 1) * Decimal("0.015")
    assert priced("cp-pixel", "0.03", params) == tiers * Decimal("0.03")


@given(width=st.integers(1, 4096), height=st.integers(1, 4096))
def test_more_pixels_never_cost_less(width, height):
    def cost(pixels):
        return priced("cp-pixel", 1, {"width": pixels, "height": height})

    assert cost(width) <= cost(width + 16)
    assert (cost(width) - 1) * MEGAPIXEL < width * height <= cost(width) * MEGAPIXEL


@pytest.mark.parametrize(
    ("method", "price", "params"),
    [
        ("cps", 0.001, {}),
        ("cp-moon", 0.03, {}),
        (None, 0.03, {}),
        ("cpr", None, {}),
        ("cpr", "free", {}),
        ("cpr", "NaN", {}),
        ("cpr", "Infinity", {}),
        ("cpr", -1, {}),
        ("cp-pixel", 0.03, {"width": 1024}),
        ("cp-pixel", 0.03, {"width": "1024", "height": 1024}),
    ],
)
def test_what_nobody_can_know_beforehand_is_none_and_not_a_guess(method, price, params):
    assert priced(method, price, params or {"width": 1024, "height": 1024} if method != "cp-pixel" else params) is None


def test_a_further_tier_without_a_sound_price_is_none():
    assert priced("cp-pixel", 0.03, priceExtra="much") is None


@pytest.mark.parametrize("price", [None, [], ["0.03"], [{}], [{"inputs": [], "price": 1, "priceMethod": "cpr"}]])
def test_a_price_list_that_says_nothing_gives_no_estimate(price):
    assert estimate(price, {}) is None


def test_the_first_entry_whose_inputs_all_match_applies():
    listed = [
        {"inputs": {"quality": "high", "size": "large"}, "price": "0.09", "priceMethod": "cpr"},
        {"inputs": {"quality": "high"}, "price": "0.06", "priceMethod": "cpr"},
        {"inputs": {"steps": "50"}, "price": "0.05", "priceMethod": "cpr"},
        {"inputs": {}, "price": "0.03", "priceMethod": "cpr"},
        {"inputs": {}, "price": "0.01", "priceMethod": "cpr"},
    ]
    assert estimate(listed, {"quality": "high", "size": "large"}) == Decimal("0.09")
    assert estimate(listed, {"quality": "high", "size": "small"}) == Decimal("0.06")
    assert estimate(listed, {"quality": "low", "steps": 50}) == Decimal("0.05")
    assert estimate(listed, {}) == Decimal("0.03")
    assert estimate(listed[:3], {}) is None


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        (50, "50", True),
        (50, 50.0, True),
        ("50", 50, True),
        (4.5, "4.50", True),
        (4.5, "4.6", False),
        ("png", "png", True),
        ("png", "PNG", False),
        (True, "true", True),
        (False, "true", False),
        (True, 1, False),
        (None, "", True),
        (None, None, True),
        (None, "png", False),
        (None, 0, False),
        ("", None, True),
    ],
)
def test_inputs_are_compared_by_what_they_mean_and_not_by_how_they_are_written(ours, theirs, same):
    params = {} if ours is None else {"x": ours}
    found = estimate([{"inputs": {"x": theirs}, "price": "0.03", "priceMethod": "cpr"}], params)
    assert found == (Decimal("0.03") if same else None)


@pytest.mark.parametrize("price", ["1e-13", "1e-999999", "1e10", "1e999999", True, [], {}, ""])
def test_an_amount_beyond_reason_is_unknown_and_never_nothing(price):
    assert priced("cpr", price) is None


def test_a_picture_may_be_free():
    assert priced("cpr", "0.00") == 0


@given(
    price=st.decimals("0.000001", "1000", places=6), width=st.integers(16, 4096), extra=st.decimals("0", "10", places=6)
)
def test_no_estimate_is_rounded(price, width, extra):
    tiers = -(-width * 1024 // MEGAPIXEL)
    listed = [{"inputs": {}, "price": str(price), "priceMethod": "cp-pixel", "priceExtra": str(extra)}]
    assert estimate(listed, {"width": width, "height": 1024}) == price + (tiers - 1) * extra


def test_an_entry_with_a_price_that_nobody_knows_is_not_passed_over_for_a_cheaper_one():
    listed = [
        {"inputs": {}, "price": "0.001", "priceMethod": "cps"},
        {"inputs": {}, "price": "0.01", "priceMethod": "cpr"},
    ]
    assert estimate(listed, {}) is None
