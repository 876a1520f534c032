"""The cost report: exact, complete, and honest about what nobody knows."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger.samples import facts, history, submission

from flux_pipeline.ledger.facts import MODEL, Settled
from flux_pipeline.ledger.history import fold
from flux_pipeline.report import costs
from flux_pipeline.report.table import lines

BYS = ("entry", "day", "model")
PAID = Settled(state="finished", cost=Decimal("0.030"), at="2026-11-23T23:30:00-02:00")


@given(st.lists(facts(), max_size=30), st.sets(st.sampled_from("abc")), st.sampled_from(BYS))
def test_the_lines_add_up_to_what_the_lockfile_says_to_the_last_digit(lines_of_file, named, by):
    told = fold(lines_of_file)
    found = costs.costs(told, by, {letter * 64: "o/m" for letter in named})
    assert sum((one.spent for one in found), Decimal(0)) == told.spent() == costs.total(told).spent
    assert sum((one.reserved for one in found), Decimal(0)) == told.reserved() - told.spent()
    assert sum(one.gone for one in found) == told.unpriced(settled=True)
    assert sum(one.open for one in found) == told.unpriced(settled=False)
    rows = [*csv.DictReader(io.StringIO(costs.text_csv(found, by)))]
    assert sum((Decimal(row["spent_usd"] or 0) for row in rows), Decimal(0)) == told.spent()
    document = costs.document(found, costs.total(told), by)
    assert sum((Decimal(row["spent_usd"] or 0) for row in document["costs"]), Decimal(0)) == told.spent()


def one(number=1, **known):
    return submission(number, cell="hero/seed=1", intended_at="2026-11-22T01:00:00Z", tasks=(str(number),), **known)


def test_a_day_is_that_of_the_end_in_utc_and_without_one_that_of_the_intent():
    told = fold([one(1, settled=PAID), one(2), replace(one(3), intended_at="yesterday")])
    assert [(cost.name, cost.renders) for cost in costs.costs(told, "day", {})] == [
        ("2026-11-22", 1),
        ("2026-11-24", 1),
        ("unknown", 1),
    ]


def test_a_model_is_what_was_asked_else_what_the_manifest_says_else_unknown():
    told = fold([one(1, extra={MODEL: "a/b"}), one(2), one(3)])
    assert [cost.name for cost in costs.costs(told, "model", {"2" * 64: "c/d"})] == ["c/d", "a/b", "unknown"]


def test_what_the_manifest_no_longer_names_has_a_line_of_its_own():
    told = fold([one(1, settled=PAID), one(2, settled=PAID)])
    found = costs.costs(told, "entry", {"1" * 64: "o/m"})
    assert [(cost.name, cost.named, cost.spent) for cost in found] == [
        ("hero", True, Decimal("0.03")),
        ("hero", False, Decimal("0.03")),
    ]
    assert "hero (not in the manifest)" in "\n".join(lines(costs.table(found, costs.total(told), "entry")))


def test_a_renamed_entry_is_told_by_its_name_of_now_and_only_what_is_gone_by_the_old_one():
    told = fold([one(1, settled=PAID), one(2, settled=PAID)])
    found = costs.costs(told, "entry", {"1" * 64: "o/m"}, {"1" * 64: "cup"})
    assert [(cost.name, cost.named) for cost in found] == [("cup", True), ("hero", False)]


def test_an_unknown_price_is_shown_as_unknown_in_every_format():
    told = fold([one(1, settled=replace(PAID, cost=None))])
    found, whole = costs.costs(told, "entry", {}), costs.total(told)
    assert "unknown" in [*lines(costs.table(found, whole, "entry"))][1]
    assert costs.document(found, whole, "entry")["total"] | {"renders": 1} == {
        "renders": 1,
        "pictures": 1,
        "failed": 0,
        "spent_usd": None,
        "reserved_usd": "0",
        "unknown_prices": 1,
    }
    assert costs.text_csv(found, "entry").splitlines()[1] == "hero,false,1,1,0,,0,1"


@pytest.mark.parametrize("by", BYS)
def test_refused_and_running_submissions_are_counted_for_what_they_are(by):
    whole = costs.total(fold(history()))
    assert (whole.renders, whole.pictures, whole.failed) == (4, 2, 1)
    assert (whole.spent, whole.reserved) == (Decimal("0.06"), Decimal("0.03"))
    assert sum(cost.failed for cost in costs.costs(fold(history()), by, {})) == 1
