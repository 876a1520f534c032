"""The engine in worlds where everything happens in any order: lives that end anywhere, answers that get lost.

`world` checks the protocol at every effect, and its server refuses to sell a picture twice. What is drawn is the
world; what is promised is always the same.
"""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from run.world import PRICE, Dice, World

from flux_pipeline.run.events import Interrupted

GRACE = 60.0
PATIENT = {"grace": GRACE, "retries": 3}

_POSTS = {
    "kind": ["accepted"],
    "rude": ["accepted"] * 6 + ["lost", "unknown", "unsent", "429", "429 without", "full", "invalid"],
    "deaf": ["accepted", "lost", "lost", "unknown"],
}
_FATES = {"good": ["finished"], "mixed": ["finished"] * 5 + ["failed", "moderated", "cancelled", "charged"]}
_READS = {"kind": ["told"], "rude": ["told"] * 6 + ["no answer", "429", "no task"]}
_FETCHES = {"kind": ["saved"], "rude": ["saved"] * 5 + ["unfit", "undelivered", "gone"]}


class Chance(Dice):
    """Draws everything from one source, so that Hypothesis can repeat and shrink it.

    The server is honest in what the protocol needs: a request arrives, and a task shows in the list, well within the
    grace period.
    """

    def __init__(self, random, *, posts="rude", fates="mixed", reads="rude", fetches="rude"):
        self.random, self.posts, self.fates, self.reads, self.fetches = random, posts, fates, reads, fetches

    def delay(self, what):
        longest = {"write": 0.05, "send": 0.3, "travel": 0.1, "post": 8.0, "read": 1.0, "fetch": 3.0}[what]
        return self.random.uniform(0.0, longest)

    def post(self, number, render):
        return self.random.choice(_POSTS[self.posts])

    def fate(self, task):
        return self.random.choice(_FATES[self.fates])

    def lasts(self, task):
        return self.random.uniform(0.0, 30.0)

    def lag(self, task):
        return self.random.choice([0.0, 0.0, self.random.uniform(0.0, GRACE / 3)])

    def read(self, what):
        return self.random.choice([one for one in _READS[self.reads] if what == "detail" or one != "no task"])

    def fetch(self, number):
        return self.random.choice(_FETCHES[self.fetches])

    def survives(self, facts):
        return self.random.randint(0, facts)

    def arrives(self):
        return self.random.choice([None, self.random.uniform(0.0, GRACE / 3)])


dice = st.randoms(use_true_random=False)
renders, concurrency = st.integers(1, 7), st.integers(1, 5)


def worth(world):
    """Return how many tasks cost money, per render."""
    return {
        key: sum(made.worth for made in world.server.tasks.values() if made.render.key == key) for key in keys(world)
    }


def keys(world):
    return [one.render.key for one in world.cells]


def fair(world, outcome):
    """Check what a run says of itself against what the server and the disk know."""
    assert all(count <= 1 for count in worth(world).values()), "paid twice"
    history = world.disk.history()
    claimed = [task for one in history.submissions.values() for task in one.tasks]
    assert len(claimed) == len(set(claimed)), "one task, two submissions"
    for end in outcome.ends:
        if end.state == "saved":
            assert history.best(end.key).files
            assert world.server.tasks[end.task].render.key == end.key
    saved = outcome.count("saved") == len(outcome.ends)
    assert (outcome.exit_code == 0) <= saved
    assert outcome.exit_code != 4 or outcome.count("doubtful")


@settings(max_examples=300)
@given(dice, renders, concurrency)
def test_whatever_answers_come_the_run_ends_and_nothing_is_paid_twice(random, renders, concurrency):
    world = World(renders, dice=Chance(random))
    outcome = world.run(concurrency=concurrency, **PATIENT)
    fair(world, outcome)
    assert outcome.exit_code in {0, 1, 4, 6}
    assert outcome.count("pending") == 0 or outcome.exit_code in {4, 6}


@settings(max_examples=300)
@given(dice, renders, concurrency, st.lists(st.integers(1, 120), max_size=5))
def test_lives_that_end_anywhere_leave_nothing_behind_that_is_paid_twice(random, renders, concurrency, lives):
    chance = Chance(random, fates="good", fetches="kind")
    world = World(renders, dice=chance)
    for steps in lives:
        session = world.session(concurrency=concurrency, **PATIENT)
        for _ in range(steps):
            if not session.step():
                break
        else:
            session.die()
            continue
        fair(world, session.engine.outcome(0.0))
    chance.posts = chance.reads = "kind"
    outcome = world.run(concurrency=concurrency, **PATIENT)
    fair(world, outcome)
    made = {task for task, one in world.server.tasks.items() if one.worth}
    assert made <= world.disk.history().claimed().keys(), "a task that was paid for is lost"
    assert outcome.count("failed") + outcome.count("saved") == renders
    assert outcome.exit_code in {0, 1}


@settings(max_examples=150)
@given(dice, st.integers(1, 6), concurrency)
def test_a_server_that_loses_every_other_answer_is_paid_once_a_picture_all_the_same(random, renders, concurrency):
    world = World(renders, dice=Chance(random, posts="deaf", fates="good", reads="kind", fetches="kind"))
    for _ in range(4):
        outcome = world.run(concurrency=concurrency, **PATIENT)
        fair(world, outcome)
        if outcome.exit_code == 0:
            break
    assert outcome.exit_code in {0, 4}
    assert {task for task, made in world.server.tasks.items() if made.worth} <= world.disk.history().claimed().keys()


@settings(max_examples=200)
@given(dice, renders, concurrency, st.integers(0, 7))
def test_max_cost_is_never_passed_whatever_happens(random, renders, concurrency, affordable):
    world = World(renders, dice=Chance(random))
    limit = PRICE * affordable + Decimal("0.001")
    for _ in range(2):
        outcome = world.run(concurrency=concurrency, max_cost=limit, **PATIENT)
        fair(world, outcome)
        assert sum(worth(world).values()) * PRICE <= limit


@settings(max_examples=200)
@given(dice, renders, concurrency, st.floats(0.0, 40.0), st.sampled_from([130, 143]))
def test_a_signal_at_any_moment_ends_the_run_within_seven_seconds_and_the_next_run_finishes_it(
    random, renders, concurrency, after, code
):
    world = World(renders, dice=Chance(random, fates="good", reads="kind", fetches="kind"))
    session = world.session(concurrency=concurrency, **PATIENT)
    session.tell(after, Interrupted(code))
    began = world.now
    outcome = session.run()
    fair(world, outcome)
    told = [at for at, event in session.events if isinstance(event, Interrupted)]
    if told:
        assert outcome.exit_code == code
        assert world.now - told[0] <= 7.0
        assert told[0] == began + after
    session.die()
    world.dice.posts = "kind"
    fair(world, world.run(concurrency=concurrency, **PATIENT))


@settings(max_examples=200)
@given(dice, renders, concurrency, st.integers(1, 25))
def test_a_disk_that_breaks_at_any_write_ends_submissions_and_the_next_run_pays_for_nothing_twice(
    random, renders, concurrency, failing
):
    chance = Chance(random, fates="good", reads="kind", fetches="kind")
    chance.write = lambda number: number != failing
    world = World(renders, dice=chance)
    session = world.session(concurrency=concurrency, **PATIENT)
    outcome = session.run()
    fair(world, outcome)
    assert outcome.exit_code == 6 or world.writes < failing
    session.die()
    fair(world, world.run(concurrency=concurrency, **PATIENT))
