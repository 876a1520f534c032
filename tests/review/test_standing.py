from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger.samples import reviews

from flux_pipeline.ledger.decisions import Decision
from flux_pipeline.ledger.facts import FileFact, Submission
from flux_pipeline.ledger.history import fold
from flux_pipeline.ledger.keys import Render
from flux_pipeline.manifest.cell import Cell, Fields
from flux_pipeline.plan import Step, plan
from flux_pipeline.review.standing import document, groups, paths_to_survey, standings, told

MODEL = "black-forest-labs/flux-2-pro-t2i"
SUM = "a" * 64


def cell(seed=1, *, prompt="A teal bottle", entry="hero", name=None, **axes):
    axes = {"seed": seed, **axes}
    render = Render.of(MODEL, {"prompt": prompt, "seed": seed})
    name = name or f"{entry}/{','.join(f'{axis}={value}' for axis, value in axes.items())}"
    return Cell(name, entry, Fields(tuple(axes), tuple(axes.values())), f"outputs/{name}.png", render)


def decided(one, verdict="approved", at="2026-11-23T12:00:00Z", number=1, **known):
    picture = FileFact(sha256=SUM, bytes=9, width=64, height=64)
    review = Decision(**{"verdict": verdict, "by": "Ada", "at": at, "sha256": SUM, "cells": (one.id,), **known})
    return Submission(id=f"{number:x}" * 32, key=one.key, cell=one.id, files={one.path: picture}, review=review)


def stand(cells, lines, present=None):
    present = {each.path: SUM for each in cells} if present is None else present
    return [(one.state, one.reason) for one in standings(cells, fold(lines), present)]


@pytest.mark.parametrize(("verdict", "state"), [("approved", "approved"), ("rejected", "rejected"), ("none", "none")])
def test_a_decision_on_the_picture_of_a_cell_is_the_cell_s(verdict, state):
    assert stand([cell(1), cell(2)], [decided(cell(1), verdict)]) == [(state, ""), ("none", "")]


def test_an_approval_is_void_when_the_key_changes_and_says_so():
    now = cell(1, prompt="A red bottle")
    ((state, reason),) = stand([now], [decided(cell(1))])
    assert (state, reason) == ("void", "approved as an earlier picture by Ada on 2026-11-23; look again")
    again = decided(now, "none", number=2)
    assert stand([now], [decided(cell(1)), again]) == [("none", "")]


@pytest.mark.parametrize("verdict", ["rejected", "none"])
def test_nothing_is_left_of_a_rejection_when_the_key_changes(verdict):
    assert stand([cell(1, prompt="A red bottle")], [decided(cell(1), verdict)]) == [("none", "")]


def test_the_decision_made_last_on_an_earlier_picture_is_the_one_that_is_void():
    now, before, long_before = cell(1, prompt="c"), cell(1, prompt="b"), cell(1, prompt="a")
    lines = [decided(long_before), decided(before, "rejected", at="2026-11-23T13:00:00Z", number=2)]
    assert stand([now], lines) == [("none", "")]


@pytest.mark.parametrize("verdict", ["approved", "rejected"])
def test_a_decision_is_void_when_the_file_is_another_one(verdict):
    ((state, reason),) = stand([cell()], [decided(cell(), verdict)], {cell().path: "b" * 64})
    assert state == "void"
    assert "is another file now; look again" in reason
    assert stand([cell()], [decided(cell(), verdict)], {})[0][0] == verdict, "a file that is gone can come back"


def test_a_cell_that_is_renamed_keeps_its_decision():
    assert stand([cell(1, entry="banner")], [decided(cell(1))]) == [("approved", "")]


def test_cells_that_share_a_render_share_its_decision_and_lose_it_each_by_itself():
    one, other = cell(1, entry="a"), cell(1, entry="b")
    line = decided(one, cells=(one.id, other.id))
    assert [state for state, _ in stand([one, other], [line])] == ["approved", "approved"]
    changed = cell(1, entry="b", prompt="A red bottle")
    assert [state for state, _ in stand([one, changed], [line])] == ["approved", "void"]


def test_an_approval_in_one_manifest_is_not_void_because_another_has_a_cell_of_that_name():
    mine, theirs = cell(1), cell(1, prompt="A red bottle")
    assert stand([mine, theirs], [decided(mine)]) == [("approved", ""), ("none", "")]


def test_only_files_on_which_somebody_decided_are_looked_at():
    assert paths_to_survey([cell(1), cell(2)], fold([decided(cell(1))])) == {cell(1).path}


def test_what_is_void_is_told_and_nothing_is_where_nobody_decided():
    cells = [cell(1, prompt="A red bottle"), cell(2), cell(3)]
    found = standings(cells, fold([decided(cell(1)), decided(cell(2), number=2)]), {})
    assert [*told(found)] == [
        "review: 1 approved, 1 to look at again, 1 undecided",
        "void      hero/seed=1  approved as an earlier picture by Ada on 2026-11-23; look again",
    ]
    assert document(found)["review"]["counts"] == {"approved": 1, "rejected": 0, "void": 1, "none": 1}
    undecided = standings(cells, fold([]), {})
    assert ([*told(undecided)], document(undecided)) == ([], {})


def test_cells_compete_when_they_differ_in_nothing_but_their_seed():
    cells = [
        *(
            cell(1, color="red"),
            cell(2, color="red"),
            cell(1, color="teal", prompt="x"),
            cell(2, color="teal", prompt="x"),
        ),
        cell(3, color="red", entry="other"),
    ]
    found = groups(cells)
    assert [found[number] for number in range(5)] == [(0, 1), (0, 1), (2, 3), (2, 3), (4,)]


def test_cells_of_one_prompt_that_another_axis_tells_apart_do_not_compete():
    assert groups([cell(1, market="de"), cell(1, market="us")]) == {0: (0,), 1: (1,)}
    rows = [replace(cell(1), row=Fields(("sku",), (sku,))) for sku in ("a", "b")]
    assert groups(rows) == {0: (0,), 1: (1,)}


@given(lines=st.lists(st.tuples(st.integers(1, 3), st.sampled_from("abc"), reviews), max_size=5), data=st.data())
def test_what_stands_does_not_depend_on_the_order_of_the_lines(lines, data):
    told = [decided(cell(seed, prompt=prompt), number=seed * 4 + ord(prompt) % 4) for seed, prompt, _ in lines]
    told = [
        Submission(id=one.id, key=one.key, cell=one.cell, review=r) for one, (_, _, r) in zip(told, lines, strict=True)
    ]
    cells = [cell(seed, prompt=data.draw(st.sampled_from("abc"))) for seed in (1, 2, 3)]
    shuffled = data.draw(st.permutations(told))
    assert stand(cells, told) == stand(cells, [*shuffled, *shuffled])


def test_a_rejected_picture_stays_as_it_is_until_it_has_another_key():
    def step(now, present):
        (one,) = plan([now], fold([decided(cell(1), "rejected")]), present, lambda _: None).renders
        return one.step, one.reason

    on_disk = {cell(1).path: SUM}
    assert step(cell(1), on_disk) == (Step.KEEP, "rejected by Ada on 2026-11-23: change its seed or prompt")
    assert step(cell(1), {})[0] is Step.FETCH, "it is paid for, so it may come back"
    assert step(cell(1, prompt="A red bottle"), on_disk) == (Step.SUBMIT, "never submitted")
