"""The engine under a virtual clock: what a run does, one promise at a time.

`world` checks the protocol's promises at every effect of every test here.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from run.world import PRICE, Dice, Disk, World, cell

from flux_pipeline.ledger.decisions import Decision
from flux_pipeline.ledger.facts import Submission
from flux_pipeline.run.events import Answered, AskDetail, AskList, Broke, Fetch, Interrupted, Post, Write, Written


def posts(session):
    return [at for at, effect in session.effects if isinstance(effect, Post)]


class Posts(Dice):
    """What becomes of each POST in turn; afterwards all are accepted."""

    def __init__(self, *outcomes):
        self.outcomes = dict(enumerate(outcomes, start=1))

    def post(self, number, render):
        return self.outcomes.get(number, "accepted")


class Fates(Dice):
    """How each task ends in turn; afterwards all are finished."""

    def __init__(self, *fates):
        self.fates = {str(2221 + number): fate for number, fate in enumerate(fates)}

    def fate(self, task):
        return self.fates.get(task, "finished")


class Reads(Dice):
    """What becomes of each read in turn; afterwards all are answered."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)

    def read(self, what):
        return self.outcomes.pop(0) if self.outcomes else "told"


class Fetches(Dice):
    def __init__(self, *outcomes):
        self.outcomes = dict(enumerate(outcomes, start=1))

    def fetch(self, number):
        return self.outcomes.get(number, "saved")


# --- a run ------------------------------------------------------------------------------------------------------------


def test_a_run_brings_every_picture_to_disk_and_pays_for_each_once():
    world = World(25)
    outcome = world.run()
    assert outcome.exit_code == 0
    assert set(world.disk.files) == {one.path for one in world.cells}
    assert set(world.made_per_key().values()) == {1}
    assert outcome.charged == outcome.spent == 25 * PRICE


def test_a_second_run_asks_the_server_nothing_at_all():
    world = World(5)
    world.run()
    session = world.session()
    outcome = session.run()
    assert session.effects == []
    assert (outcome.exit_code, outcome.session.kept, outcome.session.submitted) == (0, 5, 0)


def test_a_run_of_nothing_is_over_at_once():
    session = World(0).session()
    assert session.run().exit_code == 0
    assert session.steps == 1


def test_a_picture_that_is_wanted_elsewhere_too_is_copied_and_not_paid():
    world = World(2)
    world.run()
    world.cells = [cell(0, path="outputs/b.png"), cell(1, path="outputs/hero/0.png")]
    outcome = world.run()
    assert (outcome.exit_code, len(world.server.tasks)) == (0, 2)
    assert world.disk.files["outputs/hero/0.png"] == f"sum of {world.cells[1].key}"


def test_a_picture_that_vanishes_before_it_is_copied_is_fetched_again():
    world = World(1)
    world.run()
    world.cells = [cell(0, path="outputs/new.png")]
    session = world.session()
    world.disk.files.clear()
    assert session.run().exit_code == 0
    assert any(isinstance(effect, Fetch) for _, effect in session.effects)
    assert len(world.server.tasks) == 1


def test_a_task_that_an_earlier_run_submitted_is_followed_and_not_submitted_again():
    world = World(6)
    assert world.run(follow=False).session.submitted == 6
    outcome = world.run(submit=False)
    assert (outcome.exit_code, outcome.session.resumed, outcome.session.submitted) == (0, 6, 0)


def test_collecting_only_leaves_what_was_never_submitted_pending_with_exit_6():
    world = World(3)
    outcome = world.run(submit=False)
    assert (outcome.exit_code, outcome.count("pending"), len(world.server.asked)) == (6, 3, 0)


def test_submitting_only_ends_when_every_task_id_is_durable():
    world = World(3)
    world.run(follow=False, concurrency=3)
    assert world.disk.history().claimed().keys() == world.server.tasks.keys()
    assert not world.disk.files


# --- pace -------------------------------------------------------------------------------------------------------------


def test_submissions_keep_their_distance_from_the_first_one_on():
    world = World(30)
    session = world.session(rate=10.0, concurrency=30)
    session.run()
    assert min(later - sooner for sooner, later in pairwise(posts(session))) > 0.049
    assert posts(session)[-1] - posts(session)[0] < 1.1 * 29 / 10


@pytest.mark.parametrize("rate", [3.0, 10.0, 40.0])
def test_no_second_sees_more_arrivals_than_the_rate_however_uneven_the_way_is(rate):
    class Uneven(Dice):
        turn = 0

        def delay(self, what):
            self.turn += 1
            return {"send": 0.4, "travel": 0.049, "post": 0.3}.get(what, 0.01) * (self.turn % 3)

    world = World(80, dice=Uneven())
    world.run(rate=rate, concurrency=80)
    arrivals = sorted(at for at, _ in world.server.asked)
    for first, last in zip(arrivals, arrivals[int(rate) :], strict=False):
        assert last - first >= 1.0 - 1e-9


def test_many_tasks_are_watched_by_few_reads():
    class Long(Dice):
        def lasts(self, task):
            return 60.0

    world = World(100, dice=Long())
    session = world.session(concurrency=100)
    session.run()
    reads = [effect for _, effect in session.effects if isinstance(effect, AskDetail | AskList)]
    assert len(reads) < 4 * 100


def test_a_429_with_retry_after_holds_everything_back_and_uses_no_attempt():
    world = World(3, dice=Posts("429"))
    session = world.session(retries=0, concurrency=1)
    assert session.run().exit_code == 0
    answered = next(at for at, event in session.events if isinstance(event, Answered))
    assert posts(session)[1] - answered >= 7.0
    calls = [at for at, effect in session.effects if isinstance(effect, Post | AskDetail | AskList)]
    assert not [at for at in calls if answered < at < answered + 7.0]


def test_a_429_to_a_read_holds_submissions_back_too():
    world = World(2, dice=Reads("told", "429"))
    session = world.session(rate=0.5)
    assert session.run().exit_code == 0
    assert posts(session)[1] - posts(session)[0] > 3.0


def test_troubles_without_advice_are_met_with_growing_pauses():
    world = World(1, dice=Posts(*["429 without"] * 5))
    session = world.session()
    assert session.run().exit_code == 0
    pauses = [later - sooner for sooner, later in pairwise(posts(session))]
    assert pauses == sorted(pauses)
    assert pauses[-1] > 8 * pauses[0]


# --- concurrency ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 2, 7])
def test_never_are_more_tasks_active_than_the_concurrency(concurrency):
    world = World(20)
    world.run(concurrency=concurrency)
    assert world.server.most_active == concurrency


class Poor(Dice):
    """An account that allows few tasks; a refusal that could have been known counts."""

    refusals = 0

    def __init__(self, allowed):
        self.allowed = allowed

    def post(self, number, render):
        full = self.world.server.active(self.world.now) >= self.allowed
        self.refusals += full
        return "full" if full else "accepted"


def test_code_96_lowers_the_concurrency_and_everything_is_made_all_the_same():
    dice = Poor(3)
    world = dice.world = World(40, dice=dice)
    outcome = world.run(concurrency=20)
    assert (outcome.exit_code, outcome.count("saved")) == (0, 40)
    assert world.server.most_active == 3
    assert dice.refusals < 40


def test_when_the_account_allows_more_again_the_concurrency_grows_back():
    dice = Poor(2)
    world = dice.world = World(80, dice=dice)
    session = world.session(concurrency=10)
    while len(world.server.tasks) < 10:
        session.step()
    dice.allowed = 100
    assert session.run().exit_code == 0
    assert world.server.most_active > 4


# --- failures ---------------------------------------------------------------------------------------------------------


def test_a_failed_task_is_tried_once_more_and_then_reported_with_its_reason():
    world = World(2, dice=Fates("failed", "finished", "failed"))
    outcome = world.run(concurrency=1)
    assert (outcome.exit_code, outcome.count("failed"), outcome.count("saved")) == (1, 1, 1)
    assert sorted(world.made_per_key().values()) == [1, 2]
    assert "out of memory" in next(end.reason for end in outcome.ends if end.state == "failed")
    assert outcome.charged == PRICE


def test_without_retries_a_failed_task_is_left_alone_until_the_next_run():
    world = World(1, dice=Fates("failed"))
    assert world.run(retries=0).exit_code == 1
    assert len(world.server.tasks) == 1
    assert world.run(retries=0).exit_code == 0
    assert len(world.server.tasks) == 2


@pytest.mark.parametrize("fate", ["moderated", "cancelled", "charged"])
def test_what_trying_again_cannot_help_is_not_tried_again(fate):
    world = World(1, dice=Fates(fate))
    assert world.run(retries=5).exit_code == 1
    assert len(world.server.tasks) == 1


def test_a_task_that_was_charged_and_has_no_picture_is_never_bought_again():
    world = World(1, dice=Fates("charged"))
    world.run()
    outcome = world.run()
    assert (outcome.exit_code, len(world.server.tasks)) == (1, 1)
    assert outcome.spent == PRICE


def test_a_refused_render_fails_with_the_services_words_and_the_others_go_on():
    world = World(3, dice=Posts("invalid"))
    outcome = world.run(concurrency=1)
    assert (outcome.exit_code, outcome.count("failed"), outcome.count("saved")) == (1, 1, 2)
    assert "Request parameter [width]" in outcome.ends[0].reason


def test_a_model_that_does_not_exist_is_asked_for_once():
    world = World(10, dice=Posts("no model"))
    outcome = world.run(concurrency=1)
    assert (outcome.exit_code, outcome.count("failed"), len(world.server.asked)) == (1, 10, 1)


def test_after_the_first_failure_fail_fast_submits_nothing_more_and_collects_what_runs():
    world = World(20, dice=Fates("failed"))
    outcome = world.run(concurrency=4, fail_fast=True, rate=2.0)
    assert outcome.exit_code == 1
    assert len(world.server.tasks) < 20
    assert outcome.count("saved") == len(world.server.tasks) - 1


@pytest.mark.parametrize(("answer", "tasks", "asked"), [("lost", 3, 3), ("unknown", 3, 4), ("same id", 3, 4)])
def test_a_post_without_a_clear_answer_is_looked_for_on_the_server_and_paid_once(answer, tasks, asked):
    world = World(3, dice=Posts("accepted", answer))
    outcome = world.run(concurrency=3)
    assert (outcome.exit_code, outcome.count("saved")) == (0, 3)
    assert (len(world.server.tasks), len(world.server.asked)) == (tasks, asked)


class Blind(Dice):
    """Every answer is lost, and the list tells nothing."""

    def post(self, number, render):
        return "lost"

    def read(self, what):
        return "no answer" if what == "list" else "told"


def test_what_stays_unclear_is_doubtful_with_exit_4_and_the_next_run_does_not_pay_again():
    world = World(2, dice=Blind())
    for _ in range(3):
        outcome = world.run(concurrency=10, grace=5.0)
        assert (outcome.exit_code, outcome.count("doubtful")) == (4, 2)
    assert len(world.server.asked) == 2


def test_what_stays_unclear_is_submitted_again_when_the_user_decides_so():
    world = World(2, dice=Posts("unknown", "unknown"))
    world.dice.read = lambda what: "no answer" if what == "list" else "told"
    assert world.run(grace=5.0).exit_code == 4
    assert world.run(grace=5.0, resubmit_doubtful=True).exit_code == 0
    assert len(world.server.tasks) == 2


def test_unclear_submissions_never_exceed_the_concurrency_even_when_every_answer_is_lost():
    world = World(30, dice=Blind())
    outcome = world.run(concurrency=4, grace=5.0)
    assert outcome.exit_code == 4
    assert outcome.count("doubtful") == len(world.server.tasks) <= 4
    again = world.run(concurrency=4, grace=5.0)
    assert again.exit_code == 4
    assert len(world.server.tasks) <= 4


def test_a_task_that_was_charged_without_a_picture_and_lost_its_answer_is_not_bought_again():
    class Charged(Posts):
        def fate(self, task):
            return "charged" if task == "2221" else "finished"

    world = World(3, dice=Charged("lost"))
    outcome = world.run(concurrency=3)
    assert (outcome.exit_code, outcome.count("failed"), outcome.count("saved")) == (1, 1, 2)
    assert len(world.server.asked) == 3


def test_an_unclear_submission_that_takes_the_only_slot_becomes_the_canary():
    world = World(2, dice=Posts("unknown"))
    outcome = world.run(concurrency=1)
    assert (outcome.exit_code, len(world.server.tasks), len(world.server.asked)) == (0, 2, 3)


def test_every_time_the_answers_get_lost_anew_there_is_a_canary_anew():
    world = World(6, dice=Posts("unknown", "accepted", "unknown", "accepted", "accepted", "unknown"))
    outcome = world.run(concurrency=1)
    assert (outcome.exit_code, len(world.server.tasks), len(world.server.asked)) == (0, 6, 9)


def test_a_canary_whose_answer_is_lost_and_whose_task_fails_still_shows_what_the_list_shows():
    class Failing(Posts):
        def fate(self, task):
            return "failed" if task == "2221" else "finished"

        def lasts(self, task):
            return 0.0 if task == "2221" else 2.0

    world = World(1, dice=Failing("unknown", "lost"))
    assert world.run().exit_code == 0
    assert [made.fate for made in world.server.tasks.values()] == ["failed", "finished"]


def test_tasks_that_no_lockfile_knows_are_taken_over_and_not_paid_again():
    world = World(8)
    world.run(follow=False)
    world.disk.facts.clear()
    outcome = world.run()
    assert (outcome.exit_code, outcome.session.adopted, outcome.session.submitted) == (0, 8, 0)
    assert len(world.server.tasks) == 8


@pytest.mark.parametrize("wrong", ["wrong id", "a stranger's id"])
def test_an_answer_with_an_id_that_is_not_ours_is_set_right_from_the_list(wrong):
    world = World(3, dice=Posts("accepted", wrong))
    outcome = world.run(concurrency=1)
    assert (outcome.exit_code, outcome.session.adopted, len(world.server.asked)) == (0, 1, 3)
    assert not {"900", "999999"} & world.disk.history().claimed().keys()


def test_a_task_that_the_service_does_not_know_and_the_list_does_not_show_stays_doubtful():
    class Nowhere(Posts):
        def lag(self, task):
            return 10_000.0 if task == "2222" else 0.0

    world = World(2, dice=Nowhere("accepted", "wrong id"))
    outcome = world.run(concurrency=1)
    assert (outcome.exit_code, outcome.count("doubtful"), len(world.server.asked)) == (4, 1, 2)
    (end,) = (end for end in outcome.ends if end.state == "doubtful")
    assert "does not know task 999999" in end.reason


class Garbled(Posts):
    """The service shows some tasks with a prompt that is not quite the one that was sent."""

    def __init__(self, garbled, *outcomes):
        super().__init__(*outcomes)
        self.garbled = garbled

    def echo(self, task):
        return (lambda prompt: prompt.replace(" ", "?? ")) if task in self.garbled else str


def test_a_task_that_looks_like_the_one_that_is_looked_for_keeps_it_from_being_sent_again():
    world = World(2, dice=Garbled({"2222"}, "accepted", "lost"))
    outcome = world.run(concurrency=1)
    assert (outcome.exit_code, outcome.count("doubtful"), len(world.server.asked)) == (4, 1, 2)
    (end,) = (end for end in outcome.ends if end.state == "doubtful")
    assert "task 2222 looks like it" in end.reason


def test_a_list_that_shows_a_task_of_ours_with_other_words_proves_no_absence():
    world = World(3, dice=Garbled({"2222"}, "accepted", "accepted", "unknown"))
    outcome = world.run(concurrency=1)
    assert (outcome.exit_code, outcome.count("saved"), len(world.server.asked)) == (4, 2, 3)


def test_a_task_that_no_lockfile_knows_is_taken_over_even_when_no_money_is_left_to_submit_it():
    world = World(2)
    world.run()
    lost = world.disk.facts[0].key
    world.disk = Disk([fact for fact in world.disk.facts if fact.key != lost], world.disk.files)
    outcome = world.run(max_cost=PRICE)
    assert (outcome.exit_code, outcome.session.adopted, len(world.server.tasks)) == (0, 1, 2)


def test_a_redirect_stops_submissions_with_exit_6():
    world = World(5, dice=Posts("redirect"))
    outcome = world.run(concurrency=1)
    assert outcome.exit_code == 6
    assert len(world.server.asked) == 1


def test_a_picture_that_cannot_be_downloaded_is_fetched_some_times_and_never_bought_again():
    class Never(Dice):
        def fetch(self, number):
            return "undelivered"

    world = World(1, dice=Never())
    outcome = world.run()
    assert outcome.exit_code == 1
    assert "run again to fetch it" in outcome.ends[0].reason
    world.dice.fetch = lambda number: "saved"
    assert world.run().exit_code == 0
    assert len(world.server.tasks) == 1


@pytest.mark.parametrize("trouble", ["undelivered", "unfit", "gone"])
def test_one_bad_download_is_made_good_within_the_run(trouble):
    world = World(1, dice=Fetches(trouble))
    assert world.run().exit_code == 0
    assert len(world.server.tasks) == 1


class Expired(Dice):
    gone = True

    def fetch(self, number):
        return "gone" if self.gone else "saved"


def test_an_expired_picture_is_reported_and_paid_again_only_when_asked_for():
    dice = Expired()
    world = World(1, dice=dice)
    outcome = world.run()
    assert outcome.exit_code == 1
    assert "--rerender-expired" in outcome.ends[0].reason
    assert len(world.server.tasks) == 1


def test_a_service_that_forgets_a_task_makes_it_doubtful_and_not_paid_again():
    class Forgetful(Dice):
        def read(self, what):
            return "no task"

    world = World(1, dice=Forgetful())
    outcome = world.run()
    assert (outcome.exit_code, outcome.count("doubtful"), len(world.server.asked)) == (4, 1, 1)


def test_polling_outlives_any_number_of_bad_answers():
    world = World(1, dice=Reads(*["no answer"] * 60))
    assert world.run().exit_code == 0


# --- stops ------------------------------------------------------------------------------------------------------------


def test_no_money_stops_submissions_and_still_collects_what_runs():
    world = World(10, dice=Posts(*["accepted"] * 4, "no money"))
    outcome = world.run(rate=10.0)
    assert (outcome.exit_code, outcome.count("saved"), outcome.count("failed")) == (3, 4, 1)
    assert len(world.server.asked) <= 7
    assert "Insufficient balance" in outcome.stopped
    world.dice.outcomes = {}
    assert world.run().exit_code == 0


def test_an_account_that_may_not_read_ends_the_run_with_exit_3():
    world = World(3, dice=Reads(*["401"] * 99))
    assert world.run().exit_code == 3


@pytest.mark.parametrize(("limit", "affordable"), [("0.09", 3), ("0.10", 3), ("0", 0), ("0.02", 0)])
def test_max_cost_is_never_passed_and_ends_the_run_with_exit_3(limit, affordable):
    world = World(10)
    outcome = world.run(max_cost=Decimal(limit))
    assert (outcome.exit_code, outcome.count("saved")) == (3, affordable)
    assert len(world.server.asked) == affordable


def test_what_failed_is_not_charged_and_leaves_its_money_to_others():
    world = World(4, dice=Fates("failed"))
    assert world.run(max_cost=Decimal("0.12"), concurrency=1).exit_code == 0


def test_money_that_earlier_runs_spent_counts_against_max_cost():
    world = World(5)
    world.run(max_cost=Decimal("0.06"))
    assert world.run(max_cost=Decimal("0.09")).exit_code == 3
    assert len(world.server.tasks) == 3


def test_a_price_that_nobody_knows_stops_nothing_unless_there_is_a_limit_to_keep():
    assert World(5, price=None).run().exit_code == 0
    world = World(5, price=None)
    assert (world.run(max_cost=Decimal(1)).exit_code, world.server.asked) == (3, [])


def test_a_timeout_ends_the_run_with_exit_6_and_the_next_one_resumes():
    class Long(Dice):
        def lasts(self, task):
            return 100.0

    world = World(5, dice=Long())
    began = world.now
    outcome = world.run(timeout=10.0)
    assert outcome.exit_code == 6
    assert world.now - began == pytest.approx(10.0, abs=0.1)
    assert world.run().exit_code == 0
    assert len(world.server.tasks) == 5


def test_a_timeout_waits_at_most_five_seconds_for_answers_and_sleeps_meanwhile():
    class Slow(Dice):
        def delay(self, what):
            return 60.0 if what == "post" else super().delay(what)

    world = World(1, dice=Slow())
    session = world.session(timeout=10.0)
    began = world.now
    outcome = session.run()
    assert (outcome.exit_code, outcome.count("doubtful")) == (6, 1)
    assert world.now - began == pytest.approx(15.0, abs=0.1)
    assert session.steps < 30


def test_a_server_that_is_down_ends_the_run_with_exit_6_within_two_minutes_and_nothing_is_doubtful():
    class Down(Dice):
        def post(self, number, render):
            return "unsent"

    world = World(5, dice=Down())
    began = world.now
    outcome = world.run(concurrency=5)
    assert (outcome.exit_code, outcome.count("pending")) == (6, 5)
    assert 55 < world.now - began < 120
    assert "cannot be reached" in outcome.stopped


def test_a_server_that_comes_back_in_time_gets_everything():
    world = World(5, dice=Posts(*["unsent"] * 4))
    assert world.run().exit_code == 0


def test_a_certificate_that_does_not_fit_ends_the_run_with_exit_6_at_once():
    world = World(5, dice=Posts("certificate"))
    assert world.run(concurrency=1).exit_code == 6
    assert len(world.server.asked) == 1


@pytest.mark.parametrize("code", [130, 143])
def test_a_signal_stops_submissions_waits_for_answers_and_makes_their_ids_durable(code):
    class Slow(Dice):
        def delay(self, what):
            return 3.0 if what == "post" else super().delay(what)

    world = World(10, dice=Slow())
    session = world.session(rate=2.0)
    session.tell(2.6, Interrupted(code))
    began = world.now
    outcome = session.run()
    assert outcome.exit_code == code
    assert not [at for at in posts(session) if at > began + 2.6]
    assert world.server.tasks.keys() == world.disk.history().claimed().keys()
    assert len(world.server.tasks) == len(posts(session)) > 3
    assert world.now - began < 2.6 + 5.1
    assert world.run().exit_code == 0
    assert len(world.server.tasks) == 10


def test_a_signal_waits_no_longer_than_five_seconds():
    class Deaf(Dice):
        def delay(self, what):
            return 500.0 if what == "post" else super().delay(what)

    world = World(3, dice=Deaf())
    session = world.session()
    session.tell(1.0, Interrupted(130))
    began = world.now
    assert session.run().exit_code == 130
    assert world.now - began == pytest.approx(6.0, abs=0.1)


def test_a_signal_after_the_timeout_does_not_wait_longer_and_tells_of_the_signal():
    class Deaf(Dice):
        def delay(self, what):
            return 500.0 if what == "post" else super().delay(what)

    world = World(1, dice=Deaf())
    session = world.session(timeout=2.0)
    session.tell(3.0, Interrupted(143))
    began = world.now
    assert session.run().exit_code == 143
    assert world.now - began == pytest.approx(7.0, abs=0.1)


@pytest.mark.parametrize("failing", range(1, 12))
def test_after_any_failed_write_nothing_more_is_posted_and_the_next_run_pays_for_nothing_twice(failing):
    class Full(Dice):
        def write(self, number):
            return number != failing

    world = World(4, dice=Full())
    assert world.run(concurrency=2).exit_code in {0, 6}
    last = world.run()
    assert last.exit_code in {0, 4}
    assert set(world.made_per_key().values()) == {1}


def test_when_pictures_cannot_be_saved_the_ids_that_came_meanwhile_are_still_made_durable():
    class NoRoom(Dice):
        def delay(self, what):
            return 0.5 if what == "write" else super().delay(what)

        def fetch(self, number):
            return "disk"

    world = World(20, dice=NoRoom())
    outcome = world.run(rate=3.0, concurrency=10)
    assert outcome.exit_code == 6
    assert world.server.tasks.keys() == world.disk.history().claimed().keys()


def test_nothing_that_moves_for_half_an_hour_ends_the_run_with_exit_6():
    class Never(Dice):
        def lasts(self, task):
            return 10**9

    world = World(1, dice=Never())
    began = world.now
    assert world.run().exit_code == 6
    assert world.now - began == pytest.approx(1800, abs=10)


# --- durability -------------------------------------------------------------------------------------------------------


def test_an_intent_is_durable_before_its_post_and_a_task_id_before_it_is_polled():
    world = World(1)
    session = world.session()
    session.run()
    trail = []
    for _, thing in session.trail:
        match thing:
            case Written(fact=fact):
                trail.append("intent" if fact.intended_at else "task" if fact.tasks else "end")
            case Post():
                trail.append("post")
            case AskDetail() | AskList():
                trail.append("poll")
    assert trail[:5] == ["poll", "intent", "post", "task", "poll"]  # the first look is for tasks nobody knows of


def test_a_run_ends_only_after_its_last_fact_is_durable():
    class Slow(Dice):
        def delay(self, what):
            return 2.0 if what == "write" else super().delay(what)

    world = World(3, dice=Slow())
    session = world.session()
    session.run()
    asked = [effect.fact for _, effect in session.effects if isinstance(effect, Write)]
    assert world.disk.facts == asked


def test_a_broken_disk_is_told_as_such_even_when_a_signal_comes_first():
    class Slow(Dice):
        def delay(self, what):
            return 3.0 if what == "post" else super().delay(what)

    world = World(3, dice=Slow())
    session = world.session()
    session.tell(1.0, Interrupted(130))
    session.tell(1.1, Broke("the disk is full", 6))
    outcome = session.run()
    assert (outcome.exit_code, outcome.stopped) == (6, "the disk is full")


def test_an_expired_picture_that_was_rejected_is_never_paid_again():
    world = World(1, dice=Expired())
    world.run()
    (line,) = world.disk.history().submissions.values()
    rejected = Decision(verdict="rejected", by="Ada", at="2026-11-23T12:00:00Z", sha256="a" * 64)
    world.disk.facts.append(Submission(id=line.id, key=line.key, review=rejected))
    outcome = world.run(rerender_expired=True)
    assert "it was rejected, so it is not rendered again" in outcome.ends[0].reason
    assert len(world.server.tasks) == 1
