"""Two schema documents of one model, and what is worth a word between them."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.manifest.drift import compare
from flux_pipeline.manifest.schema import Schemas

PRO = dict(Schemas().model("black-forest-labs/flux-2-pro-t2i").document)
CHANGES = [
    ("width", {"default": 512}, "the default of width is 1024 in the schema, 512 at the service"),
    ("width", {"minimum": 256}, "the minimum of width is 64 in the schema, 256 at the service"),
    ("width", {"maximum": 4096}, "the maximum of width is 2048 in the schema, 4096 at the service"),
    ("width", {"multipleOf": 32}, "the step of width is 16 in the schema, 32 at the service"),
    ("seed", {"minimum": 0}, "the minimum of seed is not said in the schema, 0 at the service"),
    ("seed", {"type": "string"}, "the type of seed is integer in the schema, string at the service"),
    (
        "outputFormat",
        {"enum": ["png", "webp"]},
        "the options of outputFormat are [png, jpeg] in the schema, [png, webp] at the service",
    ),
]


def changed(name=None, rule=None, **document):
    made = copy.deepcopy(PRO) | document
    if name is not None:
        made["properties"][name] |= rule
    return made


def messages(theirs, ours=PRO, **settings):
    return [one.message for one in compare(ours, theirs, **settings)]


def test_a_schema_does_not_differ_from_itself():
    assert compare(PRO, PRO) == compare(PRO, PRO, complete=True) == ()


@pytest.mark.parametrize(("name", "rule", "message"), CHANGES)
def test_what_the_service_says_differently_is_named_with_both_sides(name, rule, message):
    (found,) = compare(PRO, changed(name, rule))
    assert (found.parameter, found.message) == (name, message)
    ((word, value),) = rule.items()
    assert (found.ours, found.theirs) == (PRO["properties"][name].get(word), value)


def test_a_parameter_that_is_gone_and_one_that_is_new_are_named():
    theirs = changed()
    theirs["properties"]["aspect"] = theirs["properties"].pop("seed")
    assert messages(theirs) == ["the service has no seed any more", "the service also takes aspect"]


def test_a_parameter_that_is_required_now_is_named_unless_its_default_is_sent_anyway():
    ours = changed()
    ours["properties"]["style"] = {"type": "string"}
    theirs = copy.deepcopy(ours) | {"required": ["prompt", "style", "seed"]}
    assert messages(theirs, ours) == ["the service requires style"]


@pytest.mark.parametrize("word", ["minimum", "maximum", "multipleOf", "default", "type"])
def test_what_the_service_leaves_unsaid_is_no_drift_but_is_a_change(word):
    theirs = changed()
    del theirs["properties"]["width"][word]
    assert messages(theirs) == []
    assert len(messages(theirs, complete=True)) == 1


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("width", {"minimum": 64.0, "maximum": "2048", "default": "1024.0", "multipleOf": 16.0}),
        ("width", {"type": "number"}),
        ("outputFormat", {"enum": ["jpeg", "png"]}),
        ("prompt", {"description": "Other words."}),
    ],
)
def test_another_way_to_write_the_same_is_no_drift(name, rule):
    assert messages(changed(name, rule), complete=True) == []


def priced(amount, method="cpr", inputs=None):
    return [{"inputs": inputs or {}, "price": amount, "priceMethod": method}]


def test_prices_are_compared_by_value():
    assert messages(changed(price=priced("0.030"))) == []
    assert messages(changed(price=priced(0.07))) == [
        "the price is $0.03 (cpr) in the schema, $0.07 (cpr) at the service"
    ]
    assert messages(changed(price=priced(0.03, "cpo"))) == [
        "the price is $0.03 (cpr) in the schema, $0.03 (cpo) at the service"
    ]
    assert len(messages(changed(price=priced(0.03, inputs={"seed": "1"})))) == 1
    assert messages(changed(price=None)) == ["the price is $0.03 (cpr) in the schema, not said at the service"]


def test_a_price_that_one_side_does_not_claim_is_no_drift():
    without = {name: value for name, value in PRO.items() if name != "price"}
    assert messages(PRO, without) == messages(without, PRO) == []
    assert len(messages(PRO, without, complete=True)) == len(messages(without, PRO, complete=True)) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["1e5", "NaN"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "enum", "default", "minimum", "inputs", "price", "a"]), inner)
    ),
    max_leaves=10,
)
documents = st.dictionaries(st.sampled_from(["properties", "required", "price"]), json_values)


@given(ours=documents, theirs=documents, complete=st.booleans())
def test_whatever_two_documents_hold_comparing_them_raises_nothing(ours, theirs, complete):
    for one in compare(ours, theirs, complete=complete):
        assert one.message
    assert compare(PRO, {**PRO, **theirs}) is not None
