"""What has to be derived, and why: decided from facts alone."""

from __future__ import annotations

from decimal import Decimal

import pytest

from flux_pipeline.derivation import derivations, ours, paths_to_survey, saving
from flux_pipeline.ledger.facts import DerivedFact, FileFact, Submission
from flux_pipeline.ledger.history import fold
from flux_pipeline.ledger.keys import Render
from flux_pipeline.manifest.cell import Cell, Fields
from flux_pipeline.manifest.derive import Derived, Recipe

HALF = Recipe(format="png", width=32)
MASTER, MADE = "outputs/a.png", "outputs/a@half.png"


def cell(name="a", seed=1, recipes=(HALF,)):
    render = Render.of("m/m", {"seed": seed, "width": 64, "height": 64})
    derived = tuple(Derived(f"outputs/{name}@{number}.png", one) for number, one in enumerate(recipes))
    return Cell(name, "e", Fields((), ()), f"outputs/{name}.png", render, derived)


CELL = Cell("a", "e", Fields((), ()), MASTER, cell().render, (Derived(MADE, HALF),))


def picture(sha256="p"):
    return FileFact(sha256=sha256, bytes=1, width=64, height=64)


def fact(sha256="h", master="p", recipe=HALF, take=1):
    return DerivedFact(master=master, recipe=recipe.digest(), sha256=sha256, bytes=1, width=32, height=32, take=take)


def line(number=1, **known):
    return Submission(id=str(number) * 32, key=CELL.key, tasks=(str(number),), **known)


def stands(lines, present, cells=(CELL,)):
    (found,) = derivations(cells, fold(lines), present)
    return found


DONE = [line(files={MASTER: picture()}), line(derived={MADE: fact()})]


@pytest.mark.parametrize(
    ("lines", "present", "state", "words"),
    [
        ([], {}, "missing", "never derived"),
        (DONE[:1], {MASTER: "p"}, "missing", "never derived"),
        (DONE, {MASTER: "p"}, "missing", "not there any more"),
        (DONE, {MASTER: "p", MADE: "h"}, "made", ""),
        (DONE, {MASTER: "p", MADE: "x"}, "changed", "its sha256 differs"),
        (DONE, {MASTER: "p", MADE: ""}, "changed", "its sha256 differs"),
        (DONE[:1], {MASTER: "p", MADE: "x"}, "changed", "knows nothing of this file"),
        (DONE, {MADE: "h"}, "made", ""),
        (DONE, {MASTER: "x", MADE: "h"}, "made", ""),
        ([*DONE, line(derived={MADE: fact("n", take=2)})], {MASTER: "p", MADE: "h"}, "changed", "sha256"),
        ([DONE[0], line(derived={MADE: fact(master="q")})], {MASTER: "p", MADE: "h"}, "outdated", "another picture"),
        ([DONE[0], line(derived={MADE: fact(recipe=Recipe(format="png"))})], {MASTER: "p", MADE: "h"}, "outdated", ""),
        ([*DONE, line(2, derived={MADE: fact("x", master="q")})], {MASTER: "p", MADE: "h"}, "made", ""),
    ],
)
def test_how_a_file_stands_follows_from_the_lockfile_and_from_what_is_there(lines, present, state, words):
    found = stands(lines, present)
    assert found.state == state
    assert words in found.reason
    assert (found.reason == "") is (state == "made")


def test_a_file_is_made_of_the_picture_that_is_there_and_recorded_with_the_submission_that_made_it():
    lines = [line(1, files={MASTER: picture("q")}), line(2, files={MASTER: picture("p")})]
    found = stands(lines, {MASTER: "p"})
    assert (found.picture, found.submission.id, found.task) == (picture("p"), "2" * 32, "2")


@pytest.mark.parametrize("there", [{}, {MASTER: "x"}, {MASTER: ""}])
def test_without_its_picture_as_it_was_saved_nothing_can_be_made(there):
    found = stands(DONE, there)
    assert (found.picture, found.submission, found.task) == (None, None, None)


def test_a_file_that_several_cells_want_is_made_once():
    assert len(derivations([CELL, CELL], fold(DONE), {})) == 1


def test_only_cells_that_want_something_derived_are_looked_at():
    bare = Cell("b", "e", Fields((), ()), "outputs/b.png", cell("b", 2).render)
    assert paths_to_survey([CELL, bare]) == {MASTER, MADE}
    assert derivations([bare], fold([]), {}) == ()


def test_every_file_that_was_ever_ours_at_a_path_may_be_replaced():
    lines = [*DONE, line(2, files={MADE: picture("z")}), line(3, derived={MADE: fact("y"), "other.png": fact("no")})]
    assert ours(fold(lines), [MADE, "nothing.png"]) == {MADE: {"h", "y", "z"}, "nothing.png": frozenset()}


def test_what_is_saved_is_a_render_for_each_picture_and_recipe():
    cells = [cell("a"), cell("b"), cell("c", seed=2, recipes=(HALF, Recipe(format="webp")))]
    found = derivations(cells, fold([]), {})
    summed = saving(found, lambda one: Decimal("0.03"))
    assert (summed.files, summed.to_make, summed.renders, summed.dollars) == (4, 4, 3, Decimal("0.09"))


def test_what_nobody_knows_the_price_of_saves_nobody_knows_how_much():
    found = derivations([cell("a"), cell("b", seed=2)], fold([]), {})
    prices = iter([Decimal("0.03"), None])
    assert saving(found, lambda one: next(prices)).dollars is None
    assert saving([], lambda one: None).dollars == 0
