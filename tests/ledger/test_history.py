from __future__ import annotations

from decimal import Decimal
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from ledger.samples import facts, history, submission

from flux_pipeline.ledger.facts import FileFact, Refused, Settled, from_line, to_lines
from flux_pipeline.ledger.history import fold

KEY = "9" * 64
PICTURE = {"a.png": FileFact(sha256="a" * 64, bytes=1, width=1, height=1)}


def same(one, other):
    """The same submissions with the same keys; only the order in which they are listed may differ."""
    by_key = [{key: sorted(group, key=lambda it: it.id) for key, group in it.by_key.items()} for it in (one, other)]
    return dict(one.submissions) == dict(other.submissions) and by_key[0] == by_key[1]


@given(lines=st.lists(facts(), max_size=8), data=st.data())
def test_lines_in_any_order_and_any_number_of_times_fold_to_the_same(lines, data):
    again = data.draw(st.lists(st.sampled_from(lines), max_size=4)) if lines else []
    shuffled = data.draw(st.permutations(lines + again))
    folded = fold(lines)
    assert same(fold(shuffled), folded)
    for key in folded.by_key:
        assert fold(shuffled).best(key) == folded.best(key)


@given(lines=st.lists(facts(), max_size=8))
def test_a_history_written_out_and_read_again_is_the_same(lines):
    folded = fold(lines)
    text = b"".join(map(to_lines, folded.submissions.values()))
    assert same(fold(map(from_line, text.splitlines(keepends=True))), folded)


@given(lines=st.lists(facts(), max_size=6), more=st.lists(facts(), max_size=6))
def test_folding_the_union_of_two_branches_is_joining_their_folds(lines, more):
    assert same(fold([*fold(lines).submissions.values(), *fold(more).submissions.values()]), fold([*lines, *more]))


def test_the_best_submission_is_the_most_advanced_whatever_comes_first():
    task, finished = ("1",), Settled(state="finished")
    ranked = [
        {"tasks": task, "settled": finished, "files": PICTURE},
        {"tasks": task, "settled": finished},
        {"tasks": task},
        {},
        {"tasks": task, "settled": Settled(state="failed")},
        {"refused": Refused(code="1", message="no such model")},
        {"unsent": "connection refused"},
    ]
    worst_first = [submission(9 - rank, key=KEY, **known) for rank, known in enumerate(ranked)]
    for size in range(1, len(worst_first) + 1):
        group = worst_first[-size:]
        for order in (group, group[::-1], group[size // 2 :] + group[: size // 2]):
            assert fold(order).best(KEY) == group[0]


def test_among_equals_the_one_that_was_intended_first_is_best():
    group = [
        submission(number, key=KEY, intended_at=at, tasks=(str(number),))
        for number, at in ((1, "2026-11-23T03"), (2, "2026-11-23T01"), (3, "2026-11-23T02"), (4, "2026-11-23T01"))
    ]
    for order in permutations(group):
        assert fold(order).best(KEY) == group[1]


def test_of_several_failures_the_last_one_tells_why():
    said = [("2026-11-23T01", "5", "busy"), ("2026-11-23T02", "10", "moderated"), ("2026-11-23T02", "9", "lost")]
    group = [
        submission(number, key=KEY, intended_at=at, tasks=(task,), settled=Settled(state="failed", reason=why))
        for number, (at, task, why) in enumerate(said)
    ]
    refused = submission(7, key=KEY, intended_at="2026-11-23T03", refused=Refused(code="0", message="too wide"))
    for order in permutations(group):
        assert fold(order).best(KEY).settled.reason == "moderated"
        assert fold([*order, refused]).best(KEY) == refused


def test_a_render_that_nobody_submitted_has_no_best_and_no_submissions():
    assert (fold(()).best(KEY), fold(()).of(KEY), fold(()).watermark()) == (None, (), 0)


def test_two_tasks_of_one_submission_stay_claimed_and_survive_being_written():
    intent = submission(1, key=KEY, intended_at="2026-11-23T01:00:00Z")
    folded = fold([intent, submission(1, key=KEY, tasks=("10",)), submission(1, key=KEY, tasks=("9",))])
    assert folded.best(KEY).tasks == ("9", "10")
    again = fold(map(from_line, to_lines(folded.best(KEY)).splitlines(keepends=True)))
    assert again.best(KEY) == folded.best(KEY)
    assert set(again.claimed()) == {"9", "10"}


def test_two_submissions_of_one_key_both_stay_and_both_hold_money():
    one, other = (
        submission(number, key=KEY, tasks=(f"222{number}",), estimate=Decimal("0.03"), intended_at=f"{number}")
        for number in (1, 2)
    )
    folded = fold([other, one])
    assert {each.id for each in folded.of(KEY)} == {one.id, other.id}
    assert set(folded.claimed()) == {"2221", "2222"}
    assert folded.reserved() == Decimal("0.06")


def test_money_is_spent_when_a_task_has_ended_and_reserved_before():
    folded = fold(history())
    assert folded.spent() == Decimal("0.06")
    assert folded.reserved() == Decimal("0.09")


def test_the_watermark_is_the_highest_number_seen_in_a_task_or_a_watermark():
    assert fold(history()).watermark() == 2223
    assert fold([submission(1, watermark="30"), submission(2, tasks=("9", "200"))]).watermark() == 200
    assert fold([submission(1, watermark="300"), submission(2, tasks=("9",))]).watermark() == 300
    assert fold([submission(1, watermark="²", tasks=("text",))]).watermark() == 0


@given(lines=st.lists(facts(), max_size=8))
def test_what_nobody_knows_the_price_of_is_counted_and_never_summed(lines):
    folded = fold(lines)
    unpriced = [one for one in folded.submissions.values() if one.unpriced]
    assert sum(one.reserved for one in unpriced) == 0
    assert folded.unpriced(settled=True) + folded.unpriced(settled=False) == len(unpriced)


def test_only_what_may_cost_something_can_be_of_unknown_price():
    ended = {
        state: submission(tasks=("1",), settled=Settled(state=state)) for state in ("finished", "failed", "cancelled")
    }
    assert [state for state, one in ended.items() if one.unpriced] == ["finished"]
    assert submission().unpriced
    assert submission(tasks=("1",), absent="not listed").unpriced
    for one in (
        submission(unsent="no network"),
        submission(absent="not listed"),
        submission(refused=Refused(code="0", message="no")),
        submission(estimate=Decimal(0)),
        submission(tasks=("1",), settled=Settled(state="finished", cost=Decimal(0))),
    ):
        assert not one.unpriced
