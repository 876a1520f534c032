"""Tables fit: by the width of what is shown, with the ends of a name kept and no number ever cut."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.report.table import Table, as_csv, lines
from flux_pipeline.report.widths import clamp, padded, width, wrapped

words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)


def table(*rows, **rest):
    return Table(head=("entry", "cells", "failed", "cost"), rows=rows, total=("total", "9", "0", "$1"), **rest)


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("紅茶", 4), ("e\u0301", 1), ("👍", 2), ("", 0)])
def test_characters_count_as_wide_as_they_are_drawn(text, columns):
    assert width(text) == columns


def test_a_long_id_loses_its_middle():
    assert clamp("hero/color=moss green,seed=11,size=768x768", 20) == "hero/color…e=768x768"


@given(words, st.integers(0, 40))
def test_a_clamped_text_is_never_wider_than_it_may_be(text, most):
    assert width(clamp(text, most)) <= most or width(text) <= most


@given(words, st.integers(2, 20))
def test_wrapping_loses_nothing_but_spaces(text, columns):
    found = [*wrapped(text, columns)]
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(width(line) <= columns for line in found)


@given(st.lists(words, min_size=1, max_size=4), st.integers(40, 120))
def test_a_table_is_no_wider_than_the_terminal_and_its_columns_stay_aligned(names, columns):
    shown = [*lines(table(*((name, "12345", "7", "$123.45") for name in names)), columns)]
    assert all(width(line) <= columns for line in shown)
    assert {width(line) for line in shown} == {width(shown[0])}


def test_what_is_no_terminal_gets_everything():
    name = "x" * 500
    assert [*lines(table((name, "1", "0", "$1")))][1].startswith(name)


def test_wide_names_are_aligned():
    shown = [*lines(table(("紅茶", "1", "0", "$1"), ("tea", "10", "0", "$1")))]
    assert [width(line) for line in shown] == [width(shown[0])] * 4
    assert shown[1].startswith("紅茶   ")


def test_one_row_needs_no_total():
    assert len([*lines(table(("a", "1", "0", "$1")))]) == 2


def test_a_narrow_terminal_gives_up_numbers_that_are_nothing():
    shown = [*lines(table(("a-long-name", "1", "0", "$1"), ("b", "2", "0", "$2")), 22)]
    assert "failed" not in shown[0]
    assert all(width(line) <= 22 for line in shown)


@given(st.integers(16, 60), st.lists(st.sampled_from(["0", "4", "123"]), min_size=6, max_size=6))
def test_a_table_without_room_for_its_columns_tells_every_number_that_is_something(columns, numbers):
    heads = ("entry", "cells", "saved", "paid", "failed", "doubtful", "unknown", "cost")
    shown = [*lines(Table(head=heads, rows=(("an-entry", *numbers, "$0.12"),)), columns)]
    assert all(width(line) <= columns for line in shown)
    words = " ".join(shown).replace(",", "").split()
    something = [number for number in numbers if number != "0"]
    assert [word for word in words if word.isdecimal() and word != "0"] == something
    assert "$0.12" in words


def test_only_what_counts_is_painted():
    painted = [
        *lines(table(("a", "1", "3", "$1"), roles=frozenset({"failed"})), None, lambda role, text: f"<{role}>{text}")
    ]
    assert "<failed>     3" in painted[1]
    assert "<dim>     0" in "".join(lines(table(("a", "1", "0", "$1")), None, lambda role, text: f"<{role}>{text}"))


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=9), min_size=2, max_size=4))
def test_a_spreadsheet_gets_every_cell_and_takes_none_for_a_formula(row):
    head, found = csv.reader(io.StringIO(as_csv([str(n) for n in range(len(row))], [row]), newline=""))
    assert len(found) == len(head) == len(row)
    assert not any(cell.strip().startswith(("=", "+", "-", "@")) for cell in found)


def test_padding_stands_on_either_side():
    assert (padded("茶", 4), padded("茶", 4, right=True)) == ("茶  ", "  茶")
