"""YAML 1.2 core, every node with its place, nothing that could hurt."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux_pipeline.errors import ManifestError
from flux_pipeline.manifest.document import LOST
from flux_pipeline.manifest.yaml_text import MAX_ALIASES, MAX_DEPTH, parse


def data(text):
    document = parse(text.encode() if isinstance(text, str) else text, "m.yaml")
    assert document.problems == ()
    return document.data


def refusal(text):
    with pytest.raises(ManifestError) as caught:
        parse(text.encode() if isinstance(text, str) else text, "m.yaml")
    return caught.value.problems[-1]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None), ("nUll", "nUll"),
        ("true", True), ("True", True), ("FALSE", False), ("yes", "yes"), ("no", "no"), ("on", "on"), ("y", "y"),
        ("0", 0), ("-0", 0), ("+7", 7), ("42", 42), ("0123", "0123"), ("-012", "-012"), ("08", "08"),
        ("0x1F", 31), ("0o17", 15), ("0o9", "0o9"), ("0b1", "0b1"), ("1_000", "1_000"), ("999999999999999999", 10**18 - 1),
        ("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("-1.5E-3", -0.0015), ("01.5", "01.5"), ("1e", "1e"),
        (".", "."), ("-", "-x"), ("16:9", "16:9"), ("22:22", "22:22"), ("2026-02-30", "2026-02-30"), ("1.2.3", "1.2.3"),
        ("=", "="), ("1024x768", "1024x768"), ("'1'", "1"), ('"true"', "true"), ("!!str 1", "1"), ("! 12", "12"),
        ("!!int '3'", 3), ("!!float 3", 3.0), ("infinity", "infinity"), ("nan", "nan"),
    ],
)  # fmt: skip
def test_a_scalar_is_what_yaml_1_2_core_says(written, meant):
    written = "-x" if written == "-" else written
    value = data(f"a: {written}")["a"]
    assert value == meant
    assert type(value) is type(meant)


@pytest.mark.parametrize(
    "written",
    [".inf", "-.INF", ".nan", "1e999", "1234567890123456789", "0xFFFFFFFFFFFFFFFFFFFF", "9" * 5000, "!!python/name:os.system x",
     "!!binary aGk=", "!!timestamp 2026-01-01", "!foo bar", "!!int x", '"a\\0b"', '"\\x07"', '"\\x85"', "x" * 70_000],
)  # fmt: skip
def test_what_json_cannot_hold_is_a_problem_and_reading_goes_on(written):
    document = parse(f"a: {written}\nb: [{written}, 1]\n".encode(), "m.yaml")
    assert document.data == {"a": LOST, "b": [LOST, 1]}
    assert [(problem.line, problem.path) for problem in document.problems] == [(1, "a"), (2, "b[0]")]


def test_both_lines_of_a_duplicate_key_are_named_and_the_first_value_stays():
    document = parse(b"a: 1\nb:\n  c: 1\n  c: {d: [2]}\na: 3\n", "m.yaml")
    assert document.data == {"a": 1, "b": {"c": 1}}
    assert [(p.line, p.path, p.message) for p in document.problems] == [
        (4, "b.c", '"c" is written twice; the first is on line 3'),
        (5, "a", '"a" is written twice; the first is on line 1'),
    ]


def test_every_node_has_its_place():
    document = parse("a: 1\nmäh: [x, {b: 2}]\nc:\n  d: |\n    text\n".encode(), "m.yaml")
    assert document.place(("a",)) == (1, 4)
    assert document.place(("a",), on="key") == (1, 1)
    assert document.place(("mäh", 0)) == (2, 7)
    assert document.place(("mäh", 1, "b")) == (2, 14)
    assert document.place(("mäh", 1, "b"), on="key") == (2, 11)
    assert document.place(("c",)) == (3, 1)  # begins below its key: people look at the key
    assert document.place(("c", "missing")) == (3, 1)
    assert document.place(("c", "d")) == (4, 6)


def test_an_alias_is_the_same_value_again():
    assert data("a: &x [1, {b: 2}]\nc: *x\nd: &y text\ne: *y") == {
        "a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": "text", "e": "text",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("", "empty", "empty"), ("  \n\n", "empty", "empty"), ("# nothing", "empty", "comments"), ("a", "top", "a single value"),
        ("[1]", "top", "a list"), ("a: 1\n---\nb: 2", "documents", "second document"), ("a: &x [*x]", "alias", "contains it"),
        ("a: *x", "alias", "not written before"), ("? [a]\n: 1", "key", "plain text"), ("a: {{ b }}", "key", "quotes"),
        ("x: &a k\n*a : 1", "key", "plain text"), ("a: [1", "syntax", "not YAML"), ('a: "\\ud800"', "syntax", "half a character"),
        ("a: \x07", "character", "U+0007"), ("a: \x00", "character", "U+0000"), ("a:\n\t- b", "syntax", "tabs"),
        ("a: 1\n<<<<<<< HEAD\nb: 2\n", "merge-conflict", "conflict"), ("a: \u2028b", "character", "U+2028"),
    ],
)  # fmt: skip
def test_what_is_no_single_yaml_mapping_is_refused_in_plain_words(text, code, says):
    problem = refusal(text)
    assert problem.code == code
    assert says in problem.message


def test_other_encodings_are_named_and_a_byte_order_mark_is_ignored():
    assert data(b"\xef\xbb\xbfa: 1") == {"a": 1}
    assert "UTF-16" in refusal("a: 1".encode("utf-16")).message
    assert refusal(b"a: 1\nb: \xff").line == 2
    assert refusal(b"a: \xed\xa0\x80").code == "encoding"  # a lone surrogate


def test_conflict_marks_inside_a_text_are_text():
    assert data("a: |\n  <<<<<<< HEAD\n  =======\n")["a"] == "<<<<<<< HEAD\n=======\n"


def test_merge_keys_are_refused_by_name_and_quoted_ones_are_keys():
    document = parse(b"a: &x {b: 1}\nc:\n  <<: *x\n  d: 1\n", "m.yaml")
    assert document.data["c"] == {"d": 1}
    assert "merge keys" in document.problems[0].message
    assert data('"<<": 1') == {"<<": 1}


def test_depth_is_bounded_through_aliases_too():
    deepest = MAX_DEPTH - 1  # the mapping at the top is one
    assert data("a: " + "[" * deepest + "]" * deepest)
    assert refusal("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH).code == "depth"
    half = "[" * 40 + "]" * 40
    assert refusal(f"a: &x {half}\nb: " + "[" * 30 + "*x" + "]" * 30).code == "depth"


def test_an_alias_bomb_is_refused_and_an_honest_long_list_is_not():
    bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
    )
    assert refusal(bomb).code == "alias"
    assert refusal("a: &x 1\nb: [" + "*x, " * (MAX_ALIASES + 1) + "]").code == "alias"
    assert len(data("a: [" + "1, " * 300_000 + "]")["a"]) == 300_000


def test_a_file_above_the_limit_is_refused_before_it_is_parsed():
    assert refusal(b"a: " + b"x" * (2 << 20)).code == "too-large"


def test_a_file_of_more_parts_than_anybody_writes_is_refused_where_they_become_too_many():
    found = refusal("a:\n" + "- {}\n" * 200_000)
    assert (found.code, found.path) == ("too-large", "a[199997]")
    assert "more than 400,000 values, keys and brackets" in found.message


@pytest.mark.parametrize(
    "hostile", ["'[' * 200000", "'{a: ' * 50000", "'- ' * 200000", "'a: &x [' * 3000", "'!!' * 100000"]
)
def test_hostile_nesting_ends_in_a_refusal_and_not_in_a_crash(hostile):
    code = (
        "from flux_pipeline.errors import ManifestError\nfrom flux_pipeline.manifest.yaml_text import parse\n"
        f"try:\n    parse(({hostile}).encode(), 'm')\nexcept ManifestError as e:\n    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout.strip(), done.returncode) == ("refused", 0), done.stderr[-500:]


TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\ufffe\uffff\ufeff"), max_size=20
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18) + 1, 10**18 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS.filter(bool), inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


@given(st.dictionaries(TEXTS.filter(bool), JSON, min_size=1, max_size=5))
def test_json_reads_as_itself(value):
    assert data(json.dumps(value, ensure_ascii=False)) == value


@settings(max_examples=300)
@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"#?,%@`\n\t 0x1.~<=é\u200b"), max_size=60) | st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    source = text.encode("utf-8", "replace")
    try:
        document = parse(source, "m.yaml")
    except ManifestError:
        return
    assert isinstance(document.data, dict)


def test_the_place_of_a_wrong_byte_is_right_behind_a_byte_order_mark_too():
    problem = refusal(b"\xef\xbb\xbfa: 1\nb: x\xef")
    assert (problem.line, problem.column, problem.source) == (2, 5, "b: x\ufffd")
