from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger.samples import history, submission, submissions

from flux_pipeline.ledger.facts import (
    DerivedFact,
    FileFact,
    Refused,
    Settled,
    Submission,
    from_line,
    seal,
    to_lines,
    unseal,
)

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/lockfile.schema.json").read_text())
VALID = jsonschema.Draft202012Validator(SCHEMA)
DECIDED = {"verdict": "approved", "by": "Ada", "at": "2026-11-23T01:00:00Z", "sha256": "a" * 64}
BARE = {"id": "5d" * 16, "key": "9f" * 32}


def joined(lines):
    one, *others = map(from_line, lines)
    for other in others:
        one = one.join(other)
    return one


@given(one=submissions(), other=submissions())
def test_it_does_not_matter_which_of_two_lines_comes_first(one, other):
    assert one.join(other) == other.join(one)
    assert to_lines(one.join(other)) == to_lines(other.join(one)) or one.estimate == other.estimate


@given(one=submissions(), two=submissions(), three=submissions())
def test_it_does_not_matter_in_which_groups_lines_are_joined(one, two, three):
    assert one.join(two).join(three) == one.join(two.join(three))


@given(one=submissions(), other=submissions())
def test_a_line_that_comes_again_says_nothing_new(one, other):
    assert one.join(one) == one
    assert one.join(other).join(other) == one.join(other)


@given(one=submissions(), other=submissions())
def test_joining_forgets_no_task_no_file_and_no_foreign_field(one, other):
    both = one.join(other)
    assert set(both.tasks) == {*one.tasks, *other.tasks}
    assert both.files.keys() == one.files.keys() | other.files.keys()
    assert both.derived.keys() == one.derived.keys() | other.derived.keys()
    assert both.extra.keys() == one.extra.keys() | other.extra.keys()


@pytest.mark.parametrize("other", [submission(2), submission(1, key="e" * 64)])
def test_lines_of_two_submissions_or_of_two_keys_are_not_joined(other):
    with pytest.raises(ValueError, match=f"two keys for the submission {'1' * 32}"):
        submission(1).join(other)


def test_a_finished_task_outranks_what_another_branch_saw_of_it_before():
    finished = submission(settled=Settled(state="finished", at="2026-11-24"))
    for state in ("failed", "cancelled"):
        assert submission(settled=Settled(state=state, at="2026-11-23")).join(finished) == finished


def test_the_newest_take_of_a_picture_wins():
    first = submission(files={"a.png": FileFact(sha256="f" * 64, bytes=9, width=1, height=1)})
    second = submission(files={"a.png": FileFact(sha256="a" * 64, bytes=1, width=1, height=1, take=2)})
    assert first.join(second) == second.join(first) == second


MADE = {"master": "a" * 64, "recipe": "b" * 64, "bytes": 1, "width": 1, "height": 1}


def test_what_was_derived_last_at_a_path_wins():
    first = submission(derived={"a.webp": DerivedFact(sha256="f" * 64, **MADE)})
    second = submission(derived={"a.webp": DerivedFact(sha256="a" * 64, take=2, **MADE)})
    assert first.join(second) == second.join(first) == second
    other = submission(derived={"a@half.jpg": DerivedFact(sha256="f" * 64, **MADE)})
    assert first.join(other).derived == {**first.derived, **other.derived}


def test_a_derived_file_is_written_with_its_master_and_its_recipe():
    line = to_lines(submission(derived={"a.webp": DerivedFact(sha256="f" * 64, take=2, **MADE)}))
    assert json.loads(line)["x-derived"] == {
        "a.webp": {
            "from": "a" * 64, "recipe": "b" * 64, "sha256": "f" * 64, "bytes": 1, "width": 1, "height": 1, "take": 2,
        }
    }  # fmt: skip


@given(one=submissions())
def test_what_is_written_is_read_back_equal(one):
    assert joined(to_lines(one).splitlines(keepends=True)) == one


@given(one=submissions())
def test_a_submission_is_one_line_unless_it_claims_several_tasks(one):
    assert to_lines(one).count(b"\n") == max(1, len(one.tasks))


@given(one=submissions())
def test_every_line_is_as_the_schema_says(one):
    for line in to_lines(one).splitlines():
        VALID.validate(json.loads(line))


def test_the_schema_knows_every_field_and_explains_it():
    fact = SCHEMA["$defs"]["fact"]["properties"]
    fields = set(Submission.__dataclass_fields__) - {"tasks", "estimate", "extra", "misnamed", "derived", "review"}
    assert fact.keys() == fields | {"task", "estimate_usd", "x-misnamed", "x-derived", "x-review", "crc32"}
    assert all("description" in each for each in fact.values())


def test_a_small_amount_is_written_in_plain_digits():
    line = to_lines(submission(settled=Settled(state="finished", cost=Decimal("0.0000001"))))
    assert json.loads(line)["settled"]["cost_usd"] == "0.0000001"


def test_a_line_of_a_known_run_is_known_to_the_byte():
    line = to_lines(submission(5, key="9" * 64, tasks=("2221",), cell="hero/größe=1"))
    assert line.decode() == (
        '{"id": "55555555555555555555555555555555", "key": "' + "9" * 64 + '", "cell": "hero/größe=1", "task": "2221", '
        '"crc32": "14f353c6"}\n'
    )


def test_a_field_that_begins_with_x_is_kept_and_no_other_unknown_one_is_accepted():
    line = seal({**BARE, "x-team": {"name": ["blue", 1.5, None]}})
    assert to_lines(from_line(line)) == line
    with pytest.raises(ValueError, match="does not know: colour, flavour"):
        from_line(seal({**BARE, "flavour": 1, "colour": 2, "x-team": 1}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": None},
        {"id": 5},
        {"key": ["a"]},
        {"task": 2221},
        {"cell": {}},
        {"estimate_usd": 0.03},
        {"estimate_usd": "much"},
        {"estimate_usd": "NaN"},
        {"estimate_usd": "Infinity"},
        {"refused": "no"},
        {"refused": {"code": 1, "message": ""}},
        {"refused": {"code": "1"}},
        {"settled": "finished"},
        {"settled": {}},
        {"settled": {"state": "lost"}},
        {"settled": {"state": ["finished"]}},
        {"settled": {"state": "finished", "cost_usd": "NaN"}},
        {"files": []},
        {"files": "outputs/1.png"},
        {"files": {"a.png": []}},
        {"files": {"a.png": None}},
        {"files": {"a.png": {"sha256": "a" * 64}}},
        {"files": {"a.png": {"sha256": 1, "bytes": 1, "width": 1, "height": 1}}},
        {"files": {"a.png": {"sha256": "a" * 64, "bytes": "1", "width": 1, "height": 1}}},
        {"files": {"a.png": {"sha256": "a" * 64, "bytes": 1, "width": True, "height": 1}}},
        {"files": {"a.png": {"sha256": "a" * 64, "bytes": 1, "width": 1, "height": 1, "depth": 1}}},
        {"x-derived": []},
        {"x-derived": {"a.webp": None}},
        {"x-derived": {"a.webp": {"sha256": "a" * 64, "bytes": 1, "width": 1, "height": 1}}},
        {"x-derived": {"a.webp": {"from": 1, "recipe": "", "sha256": "", "bytes": 1, "width": 1, "height": 1}}},
        {"x-derived": {"a.webp": {"from": "", "recipe": "", "sha256": "", "bytes": "1", "width": 1, "height": 1}}},
        {"x-misnamed": [1]},
        {"x-review": None},
        {"x-review": []},
        {"x-review": {"verdict": "approved"}},
        {"x-review": {**DECIDED, "verdict": "adored"}},
        {"x-review": {**DECIDED, "verdict": ["approved"]}},
        {"x-review": {**DECIDED, "by": 5}},
        {"x-review": {**DECIDED, "at": "yesterday"}},
        {"x-review": {**DECIDED, "at": "2026-02-30T00:00:00Z"}},
        {"x-review": {**DECIDED, "at": "9999-12-31T23:59:59Z"}},
        {"x-review": {**DECIDED, "cells": "hero"}},
        {"x-review": {**DECIDED, "cells": [1]}},
        {"x-review": {**DECIDED, "cells": [[]]}},
        {"x-review": {**DECIDED, "colour": "red"}},
    ],
    ids=str,
)
def test_a_sound_line_whose_values_make_no_sense_is_a_value_error(wrong):
    with pytest.raises(ValueError):
        from_line(seal({**BARE, **wrong}))


@pytest.mark.parametrize("body", [[], "text", 5, None])
def test_a_sealed_line_that_is_no_object_is_a_value_error(body):
    text = json.dumps([body]).encode()
    with pytest.raises(ValueError):
        from_line(text)


@given(line=st.binary(max_size=200))
def test_whatever_the_bytes_are_reading_them_raises_nothing_but_a_value_error(line):
    for attempt in (line, to_lines(submission())[: len(line)] + line, line + b', "crc32": "00000000"}'):
        with pytest.raises(ValueError):
            from_line(attempt)


def test_a_crc_tells_a_line_that_was_changed_by_hand():
    line = to_lines(submission(estimate=Decimal("0.03"))).replace(b"0.03", b"9.03")
    with pytest.raises(ValueError, match="was changed after it was written"):
        unseal(line)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r"])
def test_the_end_of_a_line_is_not_part_of_what_it_says(end):
    line = to_lines(history()[0])
    assert from_line(line.rstrip(b"\n") + end) == history()[0]


@pytest.mark.parametrize(
    ("known", "unclear", "running", "finished", "reserved"),
    [
        ({}, True, False, False, "0.03"),
        ({"tasks": ("1",)}, False, True, False, "0.03"),
        ({"refused": Refused(code="0", message="no")}, False, False, False, "0"),
        ({"unsent": "connection refused"}, False, False, False, "0"),
        ({"absent": "two sweeps"}, False, False, False, "0"),
        ({"absent": "two sweeps", "tasks": ("1",)}, False, True, False, "0.03"),
        ({"tasks": ("1",), "settled": Settled(state="finished", cost=Decimal("0.04"))}, False, False, True, "0.04"),
        ({"tasks": ("1",), "settled": Settled(state="finished")}, False, False, True, "0.03"),
        ({"tasks": ("1",), "settled": Settled(state="finished", cost=Decimal(0))}, False, False, True, "0"),
        ({"tasks": ("1",), "settled": Settled(state="failed", cost=Decimal("0.04"))}, False, False, False, "0"),
        ({"tasks": ("1",), "settled": Settled(state="cancelled")}, False, False, False, "0"),
    ],
)
def test_what_a_submission_is_and_holds_follows_from_its_facts(known, unclear, running, finished, reserved):
    one = submission(estimate=Decimal("0.03"), **known)
    assert (one.unclear, one.running, one.finished, one.reserved) == (unclear, running, finished, Decimal(reserved))
