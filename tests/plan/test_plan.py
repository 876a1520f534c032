from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.errors import UsageError
from flux_pipeline.ledger.facts import FileFact, Refused, Settled, Submission
from flux_pipeline.ledger.history import fold
from flux_pipeline.ledger.keys import Render
from flux_pipeline.manifest.cell import Cell, Fields
from flux_pipeline.plan import Step, narrow, paths_to_survey, plan

MODEL = "black-forest-labs/flux-2-pro-t2i"
FINISHED = Settled(state="finished", pexit="0", cost=Decimal("0.03"), at="2026-11-23T01:00:09Z")


def cell(name="hero/seed=1", path=None, seed=1):
    render = Render.of(MODEL, {"prompt": "A teal bottle", "seed": seed})
    entry, _, axes = name.partition("/")
    return Cell(name, entry, Fields(("seed",), (axes,)), path or f"outputs/{name}.png", render)


def picture(letter="a"):
    return FileFact(sha256=letter * 64, bytes=9, width=64, height=64)


def known(cell, number=1, **facts):
    facts.setdefault("intended_at", f"2026-11-23T01:00:0{number}Z")
    return Submission(id=f"{number:x}" * 32, key=cell.key, **facts)


def saved(cell, path=None, letter="a", number=1):
    files = {path or cell.path: picture(letter)}
    return known(cell, number, tasks=("2221",), settled=FINISHED, files=files)


def priced(price):
    """Return what estimates a render from amounts by key."""
    return lambda render: dict(price).get(render.key)


def planned(cells, lines=(), present=(), price=()):
    """Plan; `present` names files by the letter of their sum, and nothing else is on disk."""
    on_disk = {path: letter * 64 if letter else "" for path, letter in dict(present).items()}
    return plan(cells, fold(lines), on_disk, priced(price)).renders


def step_of(cells, lines=(), present=()):
    (one,) = planned(cells, lines, present)
    return one.step, one.reason


# --- one render ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (None, "never submitted"),
        (
            {"tasks": ("7",), "settled": Settled(state="failed", reason="out of memory")},
            "task 7 failed: out of memory",
        ),
        ({"tasks": ("7",), "settled": Settled(state="failed")}, "task 7 failed"),
        ({"tasks": ("7",), "settled": Settled(state="cancelled")}, "task 7 was cancelled"),
        ({"refused": Refused(code="0", message="no such width")}, "was refused (0): no such width"),
        ({"unsent": "connection refused"}, "was not sent: connection refused"),
        ({"absent": "two sweeps"}, "the service has no task of it: two sweeps"),
    ],
)
def test_a_render_is_submitted_only_when_no_task_of_it_can_be_alive_or_paid(facts, reason):
    wanted = cell()
    lines = [] if facts is None else [known(wanted, **facts)]
    assert step_of([wanted], lines) == (Step.SUBMIT, reason)


def test_a_task_that_is_not_known_to_have_ended_is_followed():
    wanted = cell()
    assert step_of([wanted], [known(wanted, tasks=("2221",))]) == (
        Step.FOLLOW,
        "task 2221 was submitted and is not known to have ended",
    )


def test_an_intent_of_which_nothing_came_is_doubtful_and_not_submitted_again():
    wanted = cell()
    assert step_of([wanted], [known(wanted)]) == (
        Step.DOUBT,
        "nobody knows what came of the submission intended at 2026-11-23T01:00:01Z",
    )


def test_a_paid_picture_that_is_not_on_disk_is_fetched():
    wanted = cell()
    finished = known(wanted, tasks=("2221",), settled=FINISHED)
    assert step_of([wanted], [finished]) == (Step.FETCH, "paid for, not on disk; it is fetched from task 2221")
    assert step_of([wanted], [saved(wanted)]) == (Step.FETCH, "paid for, not on disk; it is fetched from task 2221")


@pytest.mark.parametrize("there", ["b", ""], ids=["another file", "no regular file"])
def test_a_picture_that_was_changed_on_disk_is_fetched_again(there):
    wanted = cell()
    step, reason = step_of([wanted], [saved(wanted)], {wanted.path: there})
    assert (step, reason) == (
        Step.FETCH,
        f"{wanted.path} is not the file that was saved; it is fetched again from task 2221",
    )


def test_a_foreign_file_where_a_picture_was_never_saved_is_no_picture():
    wanted = cell()
    finished = known(wanted, tasks=("2221",), settled=FINISHED)
    assert step_of([wanted], [finished], {wanted.path: "f"})[0] is Step.FETCH
    assert step_of([wanted], [], {wanted.path: "f"})[0] is Step.SUBMIT


def test_a_picture_on_disk_is_kept():
    wanted = cell()
    assert step_of([wanted], [saved(wanted)], {wanted.path: "a"}) == (Step.KEEP, "on disk")


def test_an_earlier_take_of_a_picture_counts_as_that_picture():
    wanted = cell()
    lines = [saved(wanted, "old.png", "a"), saved(wanted, wanted.path, "b", number=2)]
    assert step_of([wanted], lines, {wanted.path: "a"}) == (Step.KEEP, "on disk")


@pytest.mark.parametrize("first", [True, False])
def test_the_most_advanced_submission_of_a_render_decides(first):
    wanted = cell()
    lines = [known(wanted, 1, tasks=("1",), settled=Settled(state="failed")), known(wanted, 2, tasks=("2",))]
    assert step_of([wanted], lines if first else lines[::-1])[0] is Step.FOLLOW
    lines.append(saved(wanted, number=3))
    assert step_of([wanted], lines if first else lines[::-1], {wanted.path: "a"})[0] is Step.KEEP


# --- moves and shared renders ----------------------------------------------------------------------------------------


def test_a_picture_whose_path_has_changed_is_copied():
    before, after = cell(), cell(path="gallery/1.png")
    (one,) = planned([after], [saved(before)], {before.path: "a"})
    assert (one.step, one.reason) == (Step.COPY, f"the same picture is at {before.path}")
    assert (one.source, one.missing) == ((before.path, picture("a")), ("gallery/1.png",))


def test_a_picture_is_copied_only_from_a_file_that_is_still_what_was_saved():
    before, after = cell(), cell(path="gallery/1.png")
    for present in ({before.path: "z"}, {before.path: ""}, {}):
        assert step_of([after], [saved(before)], present)[0] is Step.FETCH


def test_renaming_an_entry_or_reordering_a_matrix_submits_nothing():
    before = [cell(f"hero/seed={seed}", seed=seed) for seed in range(1, 6)]
    lines = [saved(one, letter="abcdef"[number], number=number + 1) for number, one in enumerate(before)]
    present = {one.path: "abcdef"[number] for number, one in enumerate(before)}
    after = [cell(f"product/seed={seed}", seed=seed) for seed in (3, 5, 1, 4, 2)]
    assert [one.step for one in planned(after, lines, present)] == [Step.COPY] * 5
    assert [one.step for one in planned(before[::-1], lines, present)] == [Step.KEEP] * 5


def test_two_renders_that_swap_their_paths_are_both_copied_from_where_they_are():
    one, other = cell(seed=1, path="1.png"), cell(seed=2, path="2.png")
    lines = [saved(one, letter="a", number=1), saved(other, letter="b", number=2)]
    swapped = [cell(seed=1, path="2.png"), cell(seed=2, path="1.png")]
    found = planned(swapped, lines, {"1.png": "a", "2.png": "b"})
    assert [(each.step, each.source[0]) for each in found] == [(Step.COPY, "1.png"), (Step.COPY, "2.png")]


def test_cells_that_ask_for_the_same_share_one_render_and_each_gets_its_file():
    cells = [cell("a/seed=1"), cell("b/seed=1"), cell("b/seed=2", seed=2), cell("c/seed=1")]
    shared, other = planned(cells)
    assert (shared.cells, shared.step) == (("a/seed=1", "b/seed=1", "c/seed=1"), Step.SUBMIT)
    assert shared.paths == shared.missing == tuple(f"outputs/{name}/seed=1.png" for name in "abc")
    assert other.cells == ("b/seed=2",)
    (found,) = planned([cells[0], cells[1], cells[3]], [saved(cells[1])], {cells[1].path: "a"})
    assert (found.step, found.source[0]) == (Step.COPY, cells[1].path)
    assert found.missing == (cells[0].path, cells[3].path)


def test_cells_that_share_a_render_and_a_path_want_it_once():
    (found,) = planned([cell("a/1", path="x.png"), cell("b/1", path="x.png")])
    assert (found.cells, found.paths) == (("a/1", "b/1"), ("x.png",))


def test_a_survey_looks_where_pictures_are_wanted_and_where_they_once_were():
    wanted, stranger = cell(), cell(seed=99)
    lines = [saved(wanted, "old/1.png"), saved(stranger, "stranger.png", number=2)]
    assert paths_to_survey([wanted], fold(lines)) == {wanted.path, "old/1.png"}
    assert paths_to_survey([], fold(lines)) == frozenset()


# --- the whole plan --------------------------------------------------------------------------------------------------


def test_a_plan_counts_every_step_and_costs_only_its_submissions():
    cells = [cell(seed=seed) for seed in range(1, 5)]
    lines = [known(cells[1], 1, tasks=("1",)), known(cells[2], 2)]
    price = {one.key: Decimal("0.03") for one in cells[:3]} | {cells[3].key: None}
    made = plan(cells, fold(lines), {}, priced(price))
    assert made.counts() == {"submit": 2, "follow": 1, "fetch": 0, "keep": 0, "copy": 0, "doubt": 1}
    assert made.estimate() == Decimal("0.03")
    assert [one.estimate for one in made.renders] == [Decimal("0.03")] * 3 + [None]


def test_nothing_to_do_is_a_plan_too():
    made = plan([], fold([]), {}, priced({}))
    assert (made.renders, made.estimate(), set(made.counts().values())) == ((), Decimal(0), {0})


facts = st.sampled_from(
    [
        None,
        {},
        {"tasks": ("1",)},
        {"tasks": ("1",), "settled": FINISHED},
        {"tasks": ("1",), "settled": FINISHED, "files": {"a.png": picture("a")}},
        {"tasks": ("1",), "settled": Settled(state="failed")},
        {"refused": Refused(code="0", message="")},
        {"unsent": "x"},
        {"absent": "x"},
    ]
)


@given(
    stories=st.lists(facts, max_size=4),
    present=st.dictionaries(st.sampled_from(["a.png", "b.png"]), st.sampled_from("ab")),
)
def test_a_render_with_a_living_paid_or_unclear_submission_is_never_submitted(stories, present):
    wanted = cell(path="b.png")
    lines = [known(wanted, number + 1, **story) for number, story in enumerate(stories) if story is not None]
    step, reason = step_of([wanted], lines, present)
    assert reason
    if any(one.unclear or one.running or one.finished for one in lines):
        assert step is not Step.SUBMIT
    else:
        assert step is Step.SUBMIT
    if any(one.running for one in lines) and not any(one.finished for one in lines):
        assert step is Step.FOLLOW


@given(stories=st.lists(st.tuples(st.integers(1, 4), facts), max_size=8))
def test_the_same_manifest_lockfile_and_disk_make_the_same_plan_whatever_the_order_of_lines(stories):
    cells = [cell(seed=seed) for seed in range(1, 5)]
    lines = [
        known(cells[seed - 1], number + 1, **story) for number, (seed, story) in enumerate(stories) if story is not None
    ]
    assert planned(cells, lines) == planned(cells, lines[::-1])


# --- narrow ----------------------------------------------------------------------------------------------------------

MANY = [cell(f"{entry}/seed={seed}", seed=seed) for entry in ("hero", "team") for seed in range(1, 41)]


@pytest.mark.parametrize(
    ("globs", "count"),
    [
        ((), 80),
        (("*",), 80),
        (("hero/*",), 40),
        (("hero/*", "team/seed=1"), 41),
        (("*/seed=[12]",), 4),
        (("hero/seed=?",), 9),
    ],
)
def test_select_takes_the_cells_whose_id_matches_any_glob_in_manifest_order(globs, count):
    left = narrow(MANY, select=globs)
    assert len(left) == count
    assert list(left) == [one for one in MANY if one in left]


def test_a_glob_looks_at_capitals():
    with pytest.raises(UsageError, match=r"--select HERO/\*: no cell has such an id; the first one is hero/seed=1"):
        narrow(MANY, select=["HERO/*"])


def test_selecting_from_a_manifest_without_cells_is_no_error():
    assert narrow([], select=["hero/*"]) == ()


def test_a_limit_keeps_the_first_cells_of_what_is_left():
    assert narrow(MANY, limit=3) == tuple(MANY[:3])
    assert narrow(MANY, select=["team/*"], limit=2) == tuple(MANY[40:42])
    assert narrow(MANY, limit=0) == ()
    part = narrow(MANY, shard=(1, 2))
    assert narrow(MANY, shard=(1, 2), limit=5) == part[:5]


@given(parts=st.integers(1, 20))
def test_shards_share_no_cell_leave_none_out_and_keep_equal_renders_together(parts):
    shards = [narrow(MANY, shard=(part, parts)) for part in range(1, parts + 1)]
    assert Counter(one.id for shard in shards for one in shard) == Counter(one.id for one in MANY)
    owners = [(one.key, number) for number, shard in enumerate(shards) for one in shard]
    assert len(set(owners)) == 40


def test_a_shard_depends_on_the_render_and_not_on_what_else_the_manifest_says():
    assert narrow(MANY[::-1], shard=(2, 3)) == narrow(MANY, shard=(2, 3))[::-1]
    assert narrow(MANY[:10], shard=(2, 3)) == tuple(one for one in narrow(MANY, shard=(2, 3)) if one in MANY[:10])
