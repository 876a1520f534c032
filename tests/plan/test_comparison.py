"""One lockfile against another: what became of each cell, and where the dollars went."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from ledger.samples import facts

from flux_pipeline.comparison import Change, Dollars, Side, compare
from flux_pipeline.ledger.facts import FileFact, Refused, Settled, Submission
from flux_pipeline.ledger.history import fold
from flux_pipeline.ledger.keys import Render
from flux_pipeline.manifest.cell import Cell, Fields

PRICE = Decimal("0.03")
histories = st.lists(facts(), max_size=8).map(fold)


def picture(sha256="a"):
    return FileFact(sha256=sha256 * 64, bytes=1, width=64, height=64)


def made(number, cell, key, *, path="outputs/a.png", cost=PRICE, **known):
    """Return a submission that ended with a picture."""
    return Submission(
        id=str(number) * 32,
        key=key,
        cell=cell,
        intended_at=f"2026-11-23T01:00:0{number}Z",
        estimate=PRICE,
        tasks=(str(number),),
        settled=Settled(state="finished", pexit="0", cost=cost),
        files={path: picture()},
    ).join(Submission(id=str(number) * 32, key=key, **known))


def cell(name="a", path="outputs/a.png", model="m/m", **params):
    render = Render.of(model, {"prompt": "A red mug", "seed": 1, **params})
    return Cell(name, "e", Fields((), ()), path, render)


def side(lines=(), cells=None, price=PRICE):
    wanted = None if cells is None else tuple(cells)
    requests = {one.key: one.render for one in wanted or ()}
    return Side(
        history=fold(lines), cells=wanted, requests=requests, estimates={one.key: price for one in wanted or ()}
    )


def changes(comparison):
    return {row.cell: row.change for row in comparison.rows}


@settings(max_examples=60)
@given(histories)
def test_a_lockfile_against_itself_is_the_same_throughout(history):
    found = compare(Side(history=history), Side(history=history))
    assert set(changes(found).values()) <= {Change.SAME}
    assert not found.differs
    assert found.differing == ()
    total = found.total()
    assert (total.difference, total.paid, total.due) == (Dollars(), Dollars(), Dollars())


@settings(max_examples=60)
@given(histories, histories)
def test_what_one_direction_calls_added_the_other_calls_removed(one, other):
    there, back = compare(Side(history=one), Side(history=other)), compare(Side(history=other), Side(history=one))
    mirror = {
        Change.ADDED: Change.REMOVED,
        Change.REMOVED: Change.ADDED,
        Change.SAME: Change.SAME,
        Change.CHANGED: Change.CHANGED,
    }
    assert changes(back) == {name: mirror[change] for name, change in changes(there).items()}
    assert there.total().difference.known == -back.total().difference.known


@settings(max_examples=60)
@given(histories, histories)
def test_no_dollar_of_either_lockfile_is_lost_or_counted_twice(one, other):
    total = compare(Side(history=one), Side(history=other)).total()
    for spent, history in ((total.spent_before, one), (total.spent_after, other)):
        unknown = history.unpriced(settled=True) + history.unpriced(settled=False)
        assert spent == Dollars(history.reserved(), unknown)
    if not (total.spent_before.unknown or total.spent_after.unknown):
        assert total.difference == Dollars(other.reserved() - one.reserved())


@settings(max_examples=60)
@given(histories, histories)
def test_what_was_paid_in_between_is_what_ended_in_between(one, other):
    ended = [
        each
        for name, each in other.submissions.items()
        if each.settled and not (name in one.submissions and one.submissions[name].settled)
    ]
    paid = compare(Side(history=one), Side(history=other)).total().paid
    assert paid == Dollars(sum((each.reserved for each in ended), Decimal(0)), sum(each.unpriced for each in ended))


@settings(max_examples=60)
@given(histories, histories, st.booleans())
def test_no_dollar_that_differs_is_without_a_row(one, other, planned):
    cells = [cell()] if planned else None
    found = compare(side(one.submissions.values(), cells), side(other.submissions.values(), cells))
    listed, total = found.differing, found.total()
    for name in ("difference", "paid", "due"):
        assert Dollars.sum(getattr(row, name) for row in listed) == getattr(total, name)
    assert found.differs == bool(listed)


def test_money_of_a_request_that_was_tried_and_taken_back_is_listed_with_its_cell():
    kept = made(1, "a", cell().key)
    found = compare(side([kept], [cell()]), side([kept, made(2, "a", "2" * 64)], [cell()]))
    assert [(row.change, row.paid) for row in found.differing] == [(Change.SAME, Dollars(PRICE))]
    assert found.differs


def test_money_of_no_cell_of_either_side_is_listed_without_one():
    kept = made(1, "a", cell().key)
    found = compare(side([kept], [cell()]), side([kept, made(2, "other", "2" * 64)], [cell()]))
    assert [(row.cell, row.change, row.paid) for row in found.differing] == [("", Change.SAME, Dollars(PRICE))]
    assert found.differs
    assert compare(side([kept], []), side([kept], [])).differing == ()


def test_a_new_prompt_is_a_change_that_names_what_changed_and_what_is_due():
    old, new = cell(), cell(prompt="A teal mug", guidance=3)
    lines = [made(1, "a", old.key)]
    (row,) = compare(side(lines, [old]), side(lines, [new])).rows
    assert row.change is Change.CHANGED
    assert (row.before.prompt, row.after.prompt) == ("A red mug", "A teal mug")
    assert row.parameters == {"guidance": (None, 3)}
    assert (row.spent_before, row.spent_after, row.difference) == (Dollars(PRICE), Dollars(PRICE), Dollars())
    assert (row.paid, row.due) == (Dollars(), Dollars(PRICE))
    (row,) = compare(side(lines, [old]), side([*lines, made(2, "a", new.key)], [new])).rows
    assert (row.spent_after, row.difference, row.paid, row.due) == (
        Dollars(PRICE * 2),
        Dollars(PRICE),
        Dollars(PRICE),
        Dollars(),
    )


def test_a_change_without_a_price_is_due_for_an_unknown_amount():
    (row,) = compare(side([], [cell()]), side([], [cell(seed=2)], price=None)).rows
    assert row.due == Dollars(unknown=1)


def test_what_was_pending_before_and_is_pending_now_is_no_cost_of_the_change():
    found = compare(side([], [cell()]), side([], [cell()]))
    assert (found.differs, found.total().due) == (False, Dollars())


def test_a_picture_whose_record_was_lost_is_due_again():
    found = compare(side([made(1, "a", cell().key)], [cell()]), side([], [cell()]))
    assert (found.rows[0].change, found.total().due) == (Change.SAME, Dollars(PRICE))


def test_cells_of_lockfiles_alone_stand_in_the_order_of_the_manifest_where_there_is_one():
    lines = [made(number, f"h{number}", str(number) * 64) for number in (1, 2, 3)]
    sides = [Side(history=fold(lines), order=("h3", "h1")) for _ in range(2)]
    assert [row.cell for row in compare(*sides).rows] == ["h3", "h1", "h2"]


def test_a_renamed_cell_costs_nothing_and_names_its_twin():
    lines = [made(1, "a", cell().key)]
    found = compare(side(lines, [cell("a")]), side(lines, [cell("b")]))
    assert changes(found) == {"b": Change.ADDED, "a": Change.REMOVED}
    assert {row.cell: row.twin for row in found.rows} == {"a": "b", "b": "a"}
    total = found.total()
    assert (total.difference, total.paid, total.due) == (Dollars(), Dollars(), Dollars())
    assert total.spent_after == Dollars(PRICE)


def test_cells_that_share_a_render_are_due_once():
    cells = [cell("a"), cell("b", path="outputs/b.png")]
    found = compare(side([], []), side([], cells))
    assert [row.due for row in found.rows] == [Dollars(PRICE), Dollars()]


def test_a_moved_picture_another_picture_and_another_state_are_noted_for_the_same_request():
    key = cell().key
    old = [made(1, "a", key)]
    moved = replace(old[0], files={"outputs/b.png": picture("b")})
    (row,) = compare(side(old), side([moved])).rows
    assert row.change is Change.SAME
    assert row.notes == ("another picture of the same request", "moved from outputs/a.png to outputs/b.png")
    running = replace(old[0], settled=None, files={})
    (row,) = compare(side([running]), side(old)).rows
    assert (row.notes, row.paid) == (("was running, is saved",), Dollars(PRICE))


def test_a_picture_that_was_moved_is_noted_though_its_lockfile_keeps_the_path_of_before():
    (old,) = [made(1, "a", cell().key)]
    both = replace(old, files={"outputs/0.png": picture(), **old.files, "outputs/z.png": picture()})
    (row,) = compare(side([old]), side([replace(old, files={**old.files, "outputs/z.png": picture()})])).rows
    assert row.notes == ("moved from outputs/a.png to outputs/z.png",)
    (row,) = compare(side([both]), side([replace(old, files={"outputs/z.png": picture()})])).rows
    assert row.notes == ("moved from outputs/0.png to outputs/z.png",)
    assert not compare(side([both]), side([both])).differs
    (row,) = compare(side([both], [cell()]), side([both], [cell(path="outputs/z.png")])).rows
    assert row.notes == ("moved from outputs/a.png to outputs/z.png",), "a manifest knows its paths"


def test_of_several_requests_of_a_cell_the_newest_counts_and_of_its_submissions_the_most_advanced():
    first, second = made(1, "a", "1" * 64), made(2, "a", "2" * 64)
    again = Submission(id="3" * 32, key="2" * 64, cell="a", intended_at="2026-11-23T01:00:09Z", estimate=PRICE)
    (row,) = compare(side([first]), side([first, second, again])).rows
    assert (row.change, row.after.key, row.after.state, row.after.task) == (Change.CHANGED, "2" * 64, "saved", "2")
    assert row.due == Dollars(PRICE), "the unclear submission may still cost"


def test_a_refused_request_is_failed_and_due_again():
    refused = Submission(
        id="2" * 32,
        key="2" * 64,
        cell="a",
        intended_at="2026-11-23T02:00:00Z",
        estimate=PRICE,
        refused=Refused(code="1", message="no"),
    )
    (row,) = compare(side([made(1, "a", "1" * 64)]), side([made(1, "a", "1" * 64), refused])).rows
    assert (row.after.state, row.due, row.paid) == ("failed", Dollars(PRICE), Dollars())


def test_records_of_no_cell_are_counted_elsewhere():
    stray = made(2, "gone", "2" * 64)
    found = compare(side([stray], []), side([stray, made(1, "a", cell().key)], [cell()]))
    assert (found.elsewhere.spent_before, found.elsewhere.spent_after) == (Dollars(PRICE), Dollars(PRICE))
    assert found.total().spent_after == Dollars(PRICE * 2)


def test_a_selection_speaks_of_its_cells_alone():
    lines = [made(1, "a", "1" * 64), made(2, "b", "2" * 64)]
    found = compare(side(), side(lines)).narrow(["b*"])
    assert (changes(found), found.total().paid) == ({"b": Change.ADDED}, Dollars(PRICE))
