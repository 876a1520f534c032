"""Rates, durations and amounts, as people write them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from flux_pipeline.errors import UsageError
from flux_pipeline.manifest.settings import parse_duration, parse_money, parse_rate, parse_timeout, read_settings


@pytest.mark.parametrize(
    ("text", "rate"),
    [("5/s", 5), ("300/m", 5), ("300/min", 5), ("0.5/s", 0.5), ("3600/h", 1), ("7", 7), (" 2 / s ", 2), (".5", 0.5)],
)
def test_a_rate_is_read_per_second(text, rate):
    assert parse_rate(text) == pytest.approx(rate)


@pytest.mark.parametrize(
    "text", ["", "fast", "0", "0/s", "-1/s", "5/d", "5/", "/s", "1e3/s", "inf", "nan", "5/s/s", "٥/s"]
)
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(UsageError):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120s", 120),
        ("30m", 1800),
        ("2h", 7200),
        ("500ms", 0.5),
        (90, 90),
        (1.5, 1.5),
        ("10", 10),
        ("2min", 120),
        (0, 0),
        (1e-5, 1e-5),
    ],
)
def test_a_duration_is_read_in_seconds(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-1s", -1, float("inf"), float("nan"), True, "1d", "1e3", "9" * 400])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UsageError):
        parse_duration(text)


def test_a_timeout_of_nothing_is_refused():
    with pytest.raises(UsageError):
        parse_timeout("0s")


@pytest.mark.parametrize(("text", "amount"), [("20.00", "20.00"), ("$5", "5"), (0.1, "0.1"), (0, "0")])
def test_an_amount_is_read_exactly(text, amount):
    assert parse_money(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "much", "-1", "nan", "inf", float("nan"), "1,5"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(UsageError):
        parse_money(text)


def test_what_is_sound_of_the_settings_is_kept_and_the_rest_explained():
    run, wrong = read_settings(
        {"rate": 5, "concurrency": 0, "max_cost": 20.0, "retries": 0, "grace": "2m", "timeout": 0}
    )
    assert (run.rate, run.concurrency, run.max_cost, run.retries, run.grace, run.timeout) == (
        5,
        None,
        Decimal("20.0"),
        0,
        120,
        None,
    )
    assert set(wrong) == {"concurrency", "timeout"}
