"""One schedule for all tasks, driven in simulated time by a service that answers when the test says so."""

from __future__ import annotations

import copy
import heapq
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.run.pace import Pace
from flux_pipeline.run.polling import Polls


class Service:
    """Plays the part of the engine and of the service: asks what is to be asked, and answers after a while.

    `ends` tells when each task ends; a read fails as often as `fails` draws it. `hidden` tasks are in no page.
    """

    def __init__(self, ends, *, rate=20.0, answer=lambda: 0.05, fails=lambda: False, hidden=()):
        self.polls = Polls(Pace(rate))
        self.ends, self.answer, self.fails, self.hidden = ends, answer, fails, set(hidden)
        self.now = 0.0
        self.details: list[tuple[float, str]] = []
        self.pages: list[tuple[float, int]] = []
        self.seen: dict[str, float] = {}
        self._asked: set[str] = set()
        self._events: list[tuple[float, int, str, object]] = []
        self._number = 0

    def follow(self, task, *, after=None):
        self.polls.follow(task, self.now, after=after)

    def run(self, until=3600.0):
        """Go on until nothing is followed any more."""
        while len(self.polls):
            assert self.now <= until, f"{len(self.polls)} tasks were never seen to end"
            self._ask()
            wakeup = self.polls.wakeup(self.now)
            answer = self._events[0][0] if self._events else None
            assert wakeup is not None or answer is not None, "nothing will ever happen again"
            if answer is not None and (wakeup is None or answer <= wakeup):
                self.now, _, what, about = heapq.heappop(self._events)
                getattr(self, what)(about)
            else:
                assert wakeup > self.now or self._may_ask(), "it spins"
                self.now = max(self.now, wakeup)
        return self

    def _may_ask(self):
        details, sweeps = len(self.details), len(self.pages)
        self._ask()
        return (len(self.details), len(self.pages)) != (details, sweeps)

    def _ask(self):
        tasks, sweep = self.polls.next_reads(self.now)
        for task in tasks:
            assert task not in self._asked, "a task is asked twice at once"
            self._asked.add(task)
            self.details.append((self.now, task))
            self._expect("_detail", task)
        if sweep:
            self._page(0)
        assert len(self._events) <= 16

    def _page(self, start):
        self.pages.append((self.now, start))
        self._expect("_listed", start)

    def _expect(self, what, about):
        self._number += 1
        heapq.heappush(self._events, (self.now + self.answer(), self._number, what, about))

    def _detail(self, task):
        self._asked.discard(task)
        self.polls.answered(task)
        if self.fails() or self.ends[task] > self.now:
            self.polls.running(task, self.now)
        else:
            self.polls.ended(task, self.now)
            self.seen[task] = self.now

    def _listed(self, start):
        self.polls.answered(None)
        failed = self.fails()
        listed = sorted(self.ends.keys() - self.hidden, key=int, reverse=True)[start : start + 100]
        page = [] if failed else listed
        for task in page:
            if self.ends[task] > self.now:
                self.polls.running(task, self.now)
            else:
                self.polls.ask_now(task)
        following = self.polls.page(set(page), full=len(page) >= 100, failed=failed, now=self.now)
        if following is not None:
            self._page(following)


def numbered(count):
    return [str(number) for number in range(1, count + 1)]


@given(
    count=st.integers(1, 40),
    seed=st.integers(0, 10**6),
    longest=st.sampled_from([0.1, 3.0, 60.0]),
    failures=st.sampled_from([0.0, 0.3]),
    resumed=st.booleans(),
)
def test_every_task_is_seen_to_end_and_none_is_asked_twice_at_once(count, seed, longest, failures, resumed):
    dice = random.Random(seed)
    ends = {task: dice.uniform(0, longest) for task in numbered(count)}
    hidden = [task for task in ends if dice.random() < 0.2]
    service = Service(ends, answer=lambda: dice.uniform(0, 0.5), fails=lambda: dice.random() < failures, hidden=hidden)
    for task in ends:
        service.follow(task, after=dice.uniform(0, 1) if resumed else None)
    service.run()
    assert service.seen.keys() == ends.keys()
    assert all(service.seen[task] >= end for task, end in ends.items())


def test_hundreds_of_tasks_are_all_seen_to_end_at_a_modest_rate():
    ends = {task: float(task) / 20 for task in numbered(500)}
    service = Service(ends, rate=5.0)
    for task in ends:
        service.follow(task)
    service.run()
    assert service.seen.keys() == ends.keys()
    assert len(service.details) < 3 * len(ends)


def test_many_tasks_that_are_due_at_once_are_looked_at_in_one_page():
    ends = dict.fromkeys(numbered(50), 1000.0)
    service = Service(ends)
    for task in ends:
        service.follow(task, after=1.0)
    assert service.polls.next_reads(0.9) == ((), False)
    assert service.polls.next_reads(1.0) == ((), True)
    assert service.polls.next_reads(1.5) == ((), False)
    assert service.polls.wakeup(1.5) is None


def test_a_few_tasks_are_asked_one_by_one():
    polls = Polls(Pace(1000))
    for task in numbered(5):
        polls.follow(task, 0.0, after=1.0)
    asked = []
    now = polls.wakeup(0.0)
    while now is not None and now < 1.1:
        tasks, sweep = polls.next_reads(now)
        assert not sweep
        asked += tasks
        now = polls.wakeup(now)
    assert asked == numbered(5)


def test_a_page_of_which_nothing_has_ended_costs_no_detail():
    ends = dict.fromkeys(numbered(50), 2.0)
    service = Service(ends)
    for task in ends:
        service.follow(task, after=0.5)
    service.run()
    assert len(service.details) == 50
    assert {at >= 2.0 for at, _ in service.details} == {True}


def test_tasks_on_further_pages_are_found_and_those_on_none_are_asked_in_detail():
    ends = dict.fromkeys(numbered(250), 0.0)
    service = Service(ends, hidden=["7"], rate=1000.0)
    for task in ends:
        service.follow(task, after=1.0)
    service.run()
    assert [start for _, start in service.pages] == [0, 100, 200]
    assert len(service.details) == 250


def test_a_page_that_fails_is_no_reason_to_ask_for_every_task():
    ends = dict.fromkeys(numbered(50), 1000.0)
    service = Service(ends, fails=lambda: True)
    for task in ends:
        service.follow(task, after=1.0)
    service.polls.next_reads(1.0)
    service.polls.answered(None)
    assert service.polls.page(set(), full=False, failed=True, now=1.1) is None
    assert service.polls.next_reads(1.1) == ((), False)
    assert service.polls.wakeup(1.1) > 1.1


def first_look(polls, now):
    """Return after how many seconds a task that is submitted now would be looked at for the first time."""
    polls = copy.deepcopy(polls)
    polls.follow("new", now)
    return polls.wakeup(now) - now


@pytest.mark.parametrize("needs", [2.0, 5.0, 20.0])
def test_the_first_look_comes_near_the_time_at_which_tasks_have_been_ending(needs):
    service = Service({})
    before = first_look(service.polls, 0.0)
    for task in numbered(30):
        service.ends[task] = service.now + needs
        service.follow(task)
        service.run()
    learned = first_look(service.polls, service.now)
    assert before < 1.0
    assert 0.5 * needs <= learned <= 1.5 * needs


def test_when_tasks_become_quick_the_first_look_comes_early_again():
    service = Service({})
    for number, needs in enumerate([20.0] * 15 + [0.5] * 30):
        service.ends[str(number)] = service.now + needs
        service.follow(str(number))
        service.run()
    assert first_look(service.polls, service.now) < 1.0


def test_a_task_of_an_earlier_run_teaches_nothing_about_how_long_tasks_take():
    service = Service({"1": 100.0})
    before = first_look(service.polls, 0.0)
    service.follow("1", after=0.0)
    service.run()
    assert first_look(service.polls, service.now) == pytest.approx(before)


def test_the_pauses_between_two_looks_grow_and_stay_bounded():
    service = Service({"1": 600.0})
    service.follow("1")
    service.run()
    times = [at for at, _ in service.details]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert all(later >= earlier - 1e-6 for earlier, later in pairwise(pauses))
    assert 0.1 <= pauses[0] < 1.0
    assert pauses[-1] < 11.0
    assert len(times) < 100


def test_a_wait_that_the_service_asked_for_is_kept():
    polls = Polls(Pace(10))
    polls.follow("1", 0.0, after=0.0)
    assert polls.next_reads(0.0) == (("1",), False)
    polls.answered("1")
    polls.running("1", 0.1, 30.0)
    assert polls.wakeup(0.1) == pytest.approx(30.1)


def test_a_task_can_be_asked_for_at_once_but_not_while_it_is_being_asked():
    polls = Polls(Pace(1000))
    polls.follow("1", 0.0, after=60.0)
    polls.ask_now("1")
    polls.ask_now("1")
    assert polls.next_reads(0.0) == (("1",), False)
    polls.ask_now("1")
    assert polls.next_reads(1.0) == ((), False)
    polls.answered("1")
    polls.ask_now("1")
    assert polls.next_reads(2.0) == (("1",), False)


def test_reads_keep_to_their_pace_and_to_a_number_at_once():
    ends = dict.fromkeys(numbered(40), 1000.0)
    service = Service(ends, rate=5.0)
    for task in ends:
        service.polls.follow(task, 0.0, after=100.0)
        service.polls.ask_now(task)
    now, asked = 0.0, []
    while now is not None:
        asked += [(now, task) for task in service.polls.next_reads(now)[0]]
        now = service.polls.wakeup(now)
    assert len(asked) == 16
    assert asked[-1][0] >= 15 / 5 - 0.06


def test_a_task_that_has_ended_or_was_never_followed_is_not_asked_for():
    polls = Polls(Pace(10))
    polls.follow("1", 0.0, after=0.0)
    polls.ended("1", 0.0)
    for act in (polls.ask_now, lambda task: polls.running(task, 0.0), lambda task: polls.ended(task, 0.0)):
        for task in ("1", "2"):
            act(task)
    assert (len(polls), polls.next_reads(9.0), polls.wakeup(9.0)) == (0, ((), False), None)
