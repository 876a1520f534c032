"""Reports for other machines: XML that every parser reads, Markdown that shows text and does nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report.runs import PAID, cell, end, outcome, paid, told

from flux_pipeline.report import junit, standing, summary

HOSTILE = [
    "<script>alert(1)</script>",
    "]]>&bogus;\x00\x1b[31m\x08\ufffe",
    "a|b\n| c | d |",
    "![x](https://example.org/x.png)",
    "[x](javascript:alert(1))",
    "`code` **bold** <details>",
    "</td></tr></table>",
    "\\| \\",
    "www.example.org $x$ @somebody #1",
    "- [ ] list\r\n# head\u2028x",
]
texts = st.sampled_from(HOSTILE) | st.text(max_size=30)


def suites(found, **rest):
    return ET.fromstring(junit.xml(found, **{"seconds": 1.0, "exit_code": 0, "stopped": "", **rest}))


def four():
    cells = [cell(1), cell(2), cell(3, "tile"), cell(4, "tile")]
    ended = outcome(
        end(cells[0]),
        end(cells[1], "failed", "Moderated."),
        end(cells[2], "doubtful", "nobody knows", None),
        end(cells[3], "pending", "", None),
        exit_code=4,
    )
    return cells, ended


def test_every_entry_is_a_suite_and_every_cell_a_case():
    cells, ended = four()
    found, _ = told(ended, *cells, history=paid(cells[0]))
    root = suites(found, exit_code=4)
    assert {word: root.get(word) for word in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "1",
    }  # fmt: skip
    assert [suite.get("name") for suite in root] == ["hero", "tile"]
    first, second, third, fourth = root.iter("testcase")
    assert (first.get("name"), first.get("classname"), first.get("file"), first.get("time")) == (
        "hero/seed=1", "manifests/m.yaml", "manifests/m.yaml", "4.500",
    )  # fmt: skip
    known = {one.get("name"): one.get("value") for one in first.iter("property")}
    assert known == {"path": "outputs/hero/1.png", "state": "saved", "task": "7", "cost_usd": "0.03"}
    assert (second.find("failure").get("message"), third.find("error").text) == ("Moderated.", "nobody knows")
    assert fourth.find("skipped") is not None


def test_a_run_that_stopped_is_an_error_even_when_no_cell_failed():
    one = cell(1)
    found, _ = told(outcome(end(one, "pending", "", None)), one)
    root = suites(found, exit_code=3, stopped="the balance is used up")
    assert (root.get("errors"), next(root.iter("error")).text) == ("1", "the balance is used up")


def test_a_task_that_was_left_to_itself_runs_and_a_price_that_nobody_knows_is_unknown():
    one, other = cell(1), cell(2)
    ended = outcome(end(one, "pending"), end(other))
    history = paid(other, settled=replace(PAID, cost=None))
    found, table = told(ended, one, other, history=history)
    assert [case.state for case in found] == ["running", "saved"]
    assert "unknown" in [each.get("value") for each in suites(found).iter("property")]
    assert table.rows[0][-1] == "unknown"


def test_a_picture_of_which_something_could_not_be_derived_is_a_failure():
    one = cell(1)
    found, _ = told(outcome(end(one), underived=(end(one, "failed", "a.webp cannot be derived"),), exit_code=1), one)
    assert [(case.state, case.reason) for case in found] == [("failed", "a.webp cannot be derived")]


def test_what_two_cells_share_is_paid_for_once_in_the_report_too():
    one = cell(1)
    twin = replace(one, id="tile/seed=1", entry="tile", path="outputs/tile/1.png")
    found, table = told(outcome(end(one)), one, twin, history=paid(one))
    assert [case.cost for case in found] == [PAID.cost, None]
    assert [row[-1] for row in (*table.rows, table.total)] == ["$0.03", "$0.00", "$0.03"]


def test_a_long_table_begins_with_what_is_not_done():
    cells = [cell(number, f"e{number}") for number in range(9)]
    ended = outcome(*(end(one) for one in cells[:8]), end(cells[8], "failed", "x"))
    _, table = told(ended, *cells)
    short, more = standing.brief(table, 3)
    assert ([row[0] for row in short.rows], more, short.total) == (["e8", "e0", "e1"], 6, table.total)


@given(texts, texts, texts)
def test_xml_is_well_formed_whatever_the_texts_are(name, entry, reason):
    one = replace(cell(1, entry), id=name)
    found, _ = told(outcome(end(one, "failed", reason, name)), one, manifest=name)
    root = suites(found, stopped=reason)
    *_, case = root.iter("testcase")
    kept = re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", name)
    kept = re.sub("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", "", kept)
    assert case.get("name") == kept == case.get("file")


def of_one_failure(name, entry, reason):
    one = cell(1, entry, name)
    ended = outcome(end(one, "failed", reason), exit_code=1, stopped=reason)
    found, table = told(ended, one)
    return summary.markdown(ended, table, found, title=name)


@given(texts, texts, texts)
def test_markdown_shows_hostile_texts_and_obeys_none(name, entry, reason):
    text = of_one_failure(name, entry, reason)
    plain = of_one_failure("a", "b", "c" if reason else "")
    assert text.count("|") == plain.count("|")
    assert text.count("\n") == plain.count("\n")
    text = text.replace("&#64;<span></span>", "")  # it keeps addresses and mentions apart, and is empty
    assert not re.search(r"[<>`\[\]\\$@~]|://|javascript:|www\.|(?<!&)#(?!#* )", text)


def test_a_table_of_the_summary_has_its_numbers():
    cells, ended = four()
    found, table = told(ended, *cells, history=paid(cells[0]))
    text = summary.markdown(ended, table, found, title="m")
    assert "| hero | 2 | 1 | 1 | 0 | 0 | 0 | &#36;0.03 |" in text
    assert text.startswith("## ❌ m: 1 of 4 pictures on disk\n")
    assert "| hero&#47;seed&#61;2 | failed | 7 | Moderated. |" in text


def test_a_very_long_id_keeps_its_ends_in_the_summary():
    one = cell(1, name=f"hero/first{'x' * 3000}last")
    found, table = told(outcome(end(one, "failed", "Moderated."), exit_code=1), one)
    line = summary.markdown(outcome(end(one, "failed")), table, found, title="m").splitlines()[-2]
    assert len(line) < 1200
    assert "first" in line
    assert "last" in line


@pytest.mark.parametrize("most", [900_000, 5_000, 300, 100, 0, -5])
def test_a_summary_never_outgrows_its_room(most):
    cells = [cell(number) for number in range(2_000)]
    ended = outcome(*(end(one, "failed", "<" * 900) for one in cells), exit_code=1)
    found, table = told(ended, *cells)
    text = summary.markdown(ended, table, found, title="m" * 99, most=most)
    assert len(text.encode()) <= max(most, 0)
    if most >= 5_000:
        assert "more lines" in text
