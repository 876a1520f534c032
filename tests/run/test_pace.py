"""A rate, measured where it counts: at the server, in simulated time."""

from __future__ import annotations

import heapq
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.run.pace import Pace

TINY = 1e-9


class Server:
    """Lets a pace send as fast as it allows, over lines that take their time, and notes when requests arrive.

    `connect`, `travel` and `answer` draw the seconds until the first byte leaves, until it has arrived, and until its
    answer is back. `lost` draws whether a request never leaves (its answer is then that it was not sent). `late` draws
    by how much a timer wakes too late.
    """

    def __init__(self, rate, *, connect, travel, answer, lost=lambda: False, late=lambda: 0.0):
        self.pace = Pace(rate)
        self.connect, self.travel, self.answer, self.lost, self.late = connect, travel, answer, lost, late
        self.grants: list[float] = []
        self.arrivals: list[float] = []
        self._events: list[tuple[float, int, str, str]] = []
        self._number = 0

    def run(self, count, now=0.0):
        while len(self.grants) < count or self._events:
            at = self.pace.at(now) if len(self.grants) < count else None
            assert at is None or at >= now
            if at is not None and at <= now:
                self._grant(now)
                continue
            woken = None if at is None else at + self.late()
            if self._events and (woken is None or self._events[0][0] <= woken):
                now, _, what, name = heapq.heappop(self._events)
                getattr(self.pace, what)(name, now)
            else:
                assert woken is not None, "the pace waits for an event that never comes"
                now = woken
        return self

    def _grant(self, now):
        name = str(len(self.grants))
        self.grants.append(now)
        self.pace.grant(name, now)
        left = now + self.connect()
        if self.lost():
            self._expect(left, "answered", name)
            return
        arrived = left + self.travel()
        self.arrivals.append(arrived)
        self._expect(left, "sent", name)
        self._expect(arrived + self.answer(), "answered", name)

    def _expect(self, at, what, name):
        self._number += 1
        heapq.heappush(self._events, (at, self._number, what, name))

    def most_in_any(self, seconds):
        times = sorted(self.arrivals)
        first, most = 0, 0
        for last, time in enumerate(times):
            while time - times[first] >= seconds - TINY:
                first += 1
            most = max(most, last - first + 1)
        return most


def within(dice, longest):
    return lambda: dice.uniform(0, longest)


@given(
    rate=st.sampled_from([1, 2, 3, 5, 7, 10, 40]),
    seed=st.integers(0, 10**6),
    connect=st.sampled_from([0.0, 0.01, 0.2, 3.0]),
    travel=st.sampled_from([0.0, 0.02, 0.1]),
    answer=st.sampled_from([0.0, 0.05, 2.0]),
    late=st.sampled_from([0.0, 0.02, 0.5]),
)
def test_no_more_than_the_rate_arrives_in_any_second_however_uneven_the_line(rate, seed, connect, travel, answer, late):
    dice = random.Random(seed)
    server = Server(
        rate,
        connect=within(dice, connect),
        travel=within(dice, travel),
        answer=within(dice, answer),
        lost=lambda: dice.random() < 0.1,
        late=within(dice, late),
    ).run(rate * 6 + 3)
    assert server.most_in_any(1.0) <= rate


@pytest.mark.parametrize("rate", [0.5, 1.5, 2.5, 0.1])
def test_a_rate_that_is_no_whole_number_is_kept_over_the_time_in_which_it_is(rate):
    dice = random.Random(7)
    server = Server(rate, connect=within(dice, 0.5), travel=within(dice, 0.1), answer=within(dice, 1)).run(40)
    whole = -(-rate // 1)
    assert server.most_in_any(whole / rate) <= whole


@pytest.mark.parametrize("rate", [1, 5, 20, 100])
def test_with_quick_answers_hardly_any_time_is_lost(rate):
    dice = random.Random(rate)
    count = rate * 20 + 1
    server = Server(
        rate,
        connect=within(dice, 0.004),
        travel=within(dice, 0.004),
        answer=within(dice, 0.02),
        late=within(dice, 0.002),
    ).run(count)
    assert server.grants[-1] <= 1.05 * (count - 1) / rate
    assert server.most_in_any(1.0) <= rate


@pytest.mark.parametrize("rate", [2, 5, 50])
def test_there_is_no_burst_at_the_start(rate):
    server = Server(rate, connect=lambda: 0.0, travel=lambda: 0.0, answer=lambda: 0.0).run(rate)
    gaps = [later - earlier for earlier, later in pairwise(server.grants)]
    assert all(gap == pytest.approx(1 / rate) for gap in gaps)


@pytest.mark.parametrize("idle", [1, 60, 86400])
def test_there_is_no_burst_after_a_pause_however_long(idle):
    server = Server(5, connect=lambda: 0.0, travel=lambda: 0.0, answer=lambda: 0.0).run(7)
    begun = server.grants[-1] + idle
    server.run(14, now=begun)
    after = server.grants[7:]
    assert after[0] == begun
    assert after[-1] - after[0] >= 6 / 5 - 0.05 - TINY


def test_only_a_little_lateness_is_made_good():
    pace = Pace(10)
    pace.grant("a", 0.0)
    pace.answered("a", 0.0)
    assert pace.at(0.14) == 0.14
    pace.grant("b", 0.14)
    assert pace.at(0.14) == pytest.approx(0.2)
    pace.grant("c", 5.0)
    assert pace.at(5.0) == pytest.approx(5.05)


def test_a_request_that_has_not_left_holds_back_the_one_that_would_be_too_many():
    pace = Pace(2)
    for number, now in enumerate((0.0, 0.5)):
        assert pace.at(now) == now
        pace.grant(str(number), now)
    assert pace.at(60.0) is None
    pace.sent("0", 60.0)
    assert pace.at(60.0) == pytest.approx(61.3)
    pace.answered("0", 60.02)
    assert pace.at(60.02) == pytest.approx(61.02)


def test_an_answer_that_comes_late_does_not_count_as_a_late_arrival():
    pace = Pace(1)
    pace.grant("a", 0.0)
    pace.sent("a", 0.0)
    assert pace.at(0.5) == pytest.approx(1.3)
    pace.answered("a", 30.0)
    assert pace.at(30.0) == 30.0


def test_events_of_strangers_change_nothing():
    pace = Pace(1)
    pace.grant("a", 0.0)
    for name in ("b", ""):
        pace.sent(name, 0.0)
        pace.answered(name, 0.0)
    assert pace.at(9.0) is None
