from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from ledger.samples import reviews, submission

from flux_pipeline.ledger.decisions import Decision, latest, moment
from flux_pipeline.ledger.facts import from_line, to_lines
from flux_pipeline.ledger.history import fold

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def decided(at, verdict="approved"):
    return Decision(verdict=verdict, by="Ada", at=at, sha256="a" * 64)


@given(several=st.lists(reviews, min_size=1, max_size=4))
def test_the_same_decision_holds_in_whatever_order_they_come(several):
    assert len({latest(order) for order in permutations(several)}) == 1
    assert latest([*several, *several, None]) == latest(several)


def test_the_later_decision_holds_and_taking_back_is_one_too():
    lines = [
        submission(review=decided("2026-11-23T12:00:00Z")),
        submission(review=decided("2026-11-23T12:00:00.000001Z", "rejected")),
        submission(review=decided("2026-11-23T12:00:01Z", "none")),
    ]
    for order in permutations(lines):
        assert fold(order).decision(lines[0].key).verdict == "none"
    assert fold(lines[:2]).decision(lines[0].key).verdict == "rejected"


def test_of_two_submissions_of_one_render_the_decision_made_last_counts():
    key = "c" * 64
    history = fold(
        [
            submission(1, key=key, review=decided("2026-11-23T12:00:01Z", "rejected")),
            submission(2, key=key, review=decided("2026-11-23T12:00:00Z")),
            submission(3, key=key),
        ]
    )
    assert history.decision(key).verdict == "rejected"
    assert history.decision("d" * 64) is None


@given(known=st.lists(reviews, max_size=3), hours=st.integers(-48, 48))
def test_a_decision_holds_against_those_that_its_author_saw_whatever_the_clocks_say(known, hours):
    fresh = decided(moment(NOON + timedelta(hours=hours), known), "none")
    assert latest([*known, fresh]) == fresh
    assert from_line(to_lines(submission(review=fresh))).review == fresh
