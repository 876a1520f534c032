from __future__ import annotations

import hashlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.ledger.keys import Render, key_of

MODEL = "black-forest-labs/flux-2-pro-t2i"
PARAMS = {
    "prompt": "A red bottle of Aurora on black marble, dawn light",
    "width": 1024,
    "height": 768,
    "safetyTolerance": 2,
    "seed": 123,
    "outputFormat": "png",
}
GOLDEN = "9da6dd6c2adb6f2cb8ee660353e4b9490ec10321b8cc2849632bcc44f4632e52"
GOLDEN_OF_TEXT = "0502b98284830b703db193b5c730395642e84904b3d00f597132876d09f6db90"  # of TEXT below

TEXT = {**PARAMS, "prompt": "Ein „Café“ bei Nacht\nзвёзды 🌌"}

words = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text("aé \n🌌", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abé", max_size=3), inner, max_size=3),
    max_leaves=8,
)
requests = st.dictionaries(st.text("abcdeü", min_size=1, max_size=4), plain, max_size=6)


@pytest.mark.parametrize(("params", "key"), [(PARAMS, GOLDEN), (TEXT, GOLDEN_OF_TEXT)])
def test_a_key_never_changes_from_one_version_to_the_next(params, key):
    assert key_of(MODEL, params) == key
    assert Render.of(MODEL, params).key == key


@given(params=requests)
def test_a_key_is_the_sha256_of_canonical_json_that_any_program_can_make(params):
    text = json.dumps(
        {"model": MODEL, "params": params}, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    assert key_of(MODEL, params) == hashlib.sha256(text.encode()).hexdigest()


@given(params=requests, data=st.data())
def test_the_order_of_parameters_does_not_matter(params, data):
    shuffled = dict(data.draw(st.permutations(list(params.items()))))
    assert key_of(MODEL, shuffled) == key_of(MODEL, params)


@pytest.mark.parametrize("changed", [*PARAMS, "model", "extra"])
def test_everything_that_is_asked_is_part_of_the_key(changed):
    other = {**PARAMS, changed: "other"} if changed != "model" else PARAMS
    assert key_of("other/model" if changed == "model" else MODEL, other) != GOLDEN


def test_a_whole_number_is_the_same_however_it_is_written():
    assert key_of(MODEL, {**PARAMS, "width": 1024.0, "seed": 123.0}) == GOLDEN
    assert key_of(MODEL, {"a": -0.0}) == key_of(MODEL, {"a": 0})
    assert key_of(MODEL, {"guidance": 4.5}) != key_of(MODEL, {"guidance": 4})


def test_a_text_that_looks_like_a_number_is_not_that_number():
    assert key_of(MODEL, {**PARAMS, "seed": "123"}) != GOLDEN
    assert key_of(MODEL, {"a": True}) != key_of(MODEL, {"a": 1})


@pytest.mark.parametrize(
    ("one", "other"),
    [("two\r\nlines", "two\nlines"), ("Cafe\u0301", "Café"), ("\u1112\u1161\u11ab", "한"), ("\u212b", "Å")],
)
def test_texts_that_read_the_same_have_the_same_key_at_any_depth(one, other):
    assert key_of(MODEL, {"prompt": one}) == key_of(MODEL, {"prompt": other})
    assert key_of(MODEL, {"a": [{one: one}]}) == key_of(MODEL, {"a": [{other: other}]})


@given(text=words)
def test_bringing_a_text_into_its_plain_form_twice_changes_nothing(text):
    plain_once = key_of(MODEL, {"prompt": text.replace("\r\n", "\n")})
    assert key_of(MODEL, {"prompt": text}) == plain_once


def test_where_the_answer_is_sent_is_no_part_of_the_key():
    assert key_of(MODEL, {**PARAMS, "callbackUrl": "https://example.org/hook"}) == GOLDEN
    assert key_of(MODEL, {"a": {"callbackUrl": "1"}}) != key_of(MODEL, {"a": {}})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**64, -(2**63) - 1, "half a \ud83c", {"\udc00": 1}])
def test_what_json_cannot_say_has_no_key(value):
    for params in ({"a": value}, {"a": [{"b": value}]}):
        with pytest.raises(ValueError):
            key_of(MODEL, params)
