"""A thousand hostile manifests, and that the search would notice what it looks for; fuzz.py itself makes more of them."""

from __future__ import annotations

import time

from manifest import fuzz

from flux_pipeline.manifest.schema import Schemas

SCHEMAS = Schemas()


def test_a_thousand_hostile_manifests_are_read_or_refused_in_time():
    outcomes, findings, longest = fuzz.explore(seed=7, first=0, inputs=1000)
    assert findings == []
    assert sum(outcomes.values()) == 1000
    assert outcomes["sound"] > 50
    assert longest < fuzz.SECONDS


def test_an_input_is_made_again_from_its_seed_and_number():
    assert fuzz.made(3, 141) == fuzz.made(3, 141)
    assert len({fuzz.made(3, number) for number in range(100)}) > 90


def test_an_exception_that_is_no_flux_error_is_found(monkeypatch):
    def broken(*_, **__):
        raise KeyError("x")

    monkeypatch.setattr(fuzz, "expand", broken)
    outcome, wrong = fuzz.judged(b"", SCHEMAS)
    assert (outcome, "KeyError" in str(wrong)) == ("raised", True)


def test_a_hang_is_found_even_where_exceptions_are_caught(monkeypatch):
    def hanging(*_, **__):
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                sum(range(1000))
            except Exception:  # noqa: BLE001 - as code that hides what interrupts it
                continue

    monkeypatch.setattr(fuzz, "expand", hanging)
    monkeypatch.setattr(fuzz, "SECONDS", 0.05)
    assert fuzz.judged(b"", SCHEMAS)[0] == "hang"
