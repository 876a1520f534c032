"""An offer of the service as a schema that manifests can be held against."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.errors import UsageError
from flux_pipeline.manifest.drift import compare
from flux_pipeline.manifest.schema import ModelSchema, Schemas
from flux_pipeline.simulator.models import find
from flux_pipeline.wiro import offer
from flux_pipeline.wiro.model_document import document
from flux_pipeline.wiro.offer import Offer, Parameter
from flux_pipeline.wiro.wire import Answer

PROMPT = Parameter(name="prompt", kind="textarea", required=True)
BUNDLED = Schemas().models()


def of(*parameters, **rest):
    return document(Offer(model="acme/painter", parameters=(PROMPT, *parameters), **rest))


def rule(**parameter):
    made = dict(of(Parameter(name="x", **parameter))["properties"]["x"])
    made.pop("description")
    return made


def offered(model):
    tool = find(*model.split("/")).tool()
    return offer.read(
        Answer(status=200, headers={}, body=json.dumps({"result": True, "tool": [tool]}).encode()), model, 0
    )


def test_two_models_come_with_the_program():
    assert BUNDLED == ("black-forest-labs/flux-2-flex-t2i", "black-forest-labs/flux-2-pro-t2i")


@pytest.mark.parametrize("model", BUNDLED)
def test_what_the_simulator_offers_is_what_the_bundled_schema_says(model):
    ours, theirs = Schemas().model(model).document, document(offered(model))
    price = {"price": ours.get("price", theirs["price"])}
    assert compare({**ours, **price}, theirs, complete=True) == ()
    assert [*ours["properties"]] == [*theirs["properties"]]
    assert ours["required"] == theirs["required"]


def test_a_form_becomes_rules_with_defaults():
    size = {"kind": "number", "help": "Width (must be multiple of 16).", "default": "1024"}
    assert rule(**size, minimum=Decimal(64)) == {"type": "integer", "multipleOf": 16, "minimum": 64, "default": 1024}
    assert rule(kind="number", default="4.5", maximum=Decimal(10)) == {"type": "number", "maximum": 10, "default": 4.5}
    assert rule(kind="select", options=("a", "2"), default=2) == {"type": "string", "enum": ["a", "2"], "default": "2"}
    assert rule(kind="checkbox", default="true") == {"type": "boolean", "default": True}
    assert rule(kind="text", default="soft") == {"type": "string", "default": "soft"}
    assert rule(kind="number") == {"type": "number"}


def test_a_step_is_taken_only_where_multiples_of_it_are_meant():
    assert rule(kind="number", step=Decimal(16), default=64)["multipleOf"] == 16
    assert "multipleOf" not in rule(kind="number", step=Decimal(1), default=123)
    assert "multipleOf" not in rule(kind="number", step=Decimal("0.1"), default="4.5")
    assert "multipleOf" not in rule(kind="number", step=Decimal(2), minimum=Decimal(1), default=3)
    assert rule(kind="range", minimum=Decimal(0), maximum=Decimal(1), default="1")["type"] == "number"


@pytest.mark.parametrize(
    "parameter",
    [
        {"kind": "select", "options": ("a",), "default": "b"},
        {"kind": "number", "minimum": Decimal(5), "default": "1"},
        {"kind": "number", "default": "many"},
        {"kind": "checkbox", "default": "perhaps"},
    ],
)
def test_a_default_that_the_rules_forbid_is_left_out(parameter):
    assert "default" not in rule(**parameter)


def test_what_has_to_be_given_is_what_has_no_default():
    style = Parameter(name="style", kind="text", required=True)
    seed = Parameter(name="seed", kind="number", required=True, default="1")
    assert of(style, seed)["required"] == ["prompt", "style"]
    assert document(Offer(model="a/b", parameters=(Parameter(name="prompt", default="A cat"),)))["required"] == [
        "prompt"
    ]


@pytest.mark.parametrize("kind", ["fileinput", "combinefileinput", "image", "video"])
def test_a_model_that_needs_a_file_is_refused_and_one_that_takes_one_is_not(kind):
    with pytest.raises(UsageError, match=r"acme/painter needs a file .inputImage.*only text to image"):
        of(Parameter(name="inputImage", kind=kind, required=True))
    assert [*of(Parameter(name="inputImage", kind=kind))["properties"]] == ["prompt"]


@pytest.mark.parametrize("parameters", [None, (Parameter(name="text"),), (Parameter(name="prompt", kind="file"),)])
def test_a_model_that_takes_no_prompt_or_does_not_tell_is_refused(parameters):
    with pytest.raises(UsageError, match="acme/painter"):
        document(Offer(model="acme/painter", parameters=parameters))


def test_a_price_that_is_not_told_is_not_made_up():
    assert of()["price"] is None
    assert "price" not in of(flaw="it is a poem")
    listed = ({"inputs": {"q": "\x1bhigh"}, "price": 0.07, "priceMethod": "cpr", "more": 1},)
    assert of(price=listed)["price"] == [{"inputs": {"q": "high"}, "price": 0.07, "priceMethod": "cpr"}]


words = st.text(max_size=8)
numbers = st.none() | st.decimals(-1000, 1000, places=2) | st.integers(-1000, 4096).map(Decimal)
parameters = st.builds(
    Parameter,
    name=st.from_regex(r"[a-z]{1,5}", fullmatch=True).filter(lambda name: name != "prompt"),
    kind=st.sampled_from(["number", "range", "select", "checkbox", "textarea", "file", "", "odd"]),
    help=words | st.just("a multiple of 16"),
    required=st.booleans(),
    options=st.lists(words, max_size=3, unique=True).map(tuple),
    minimum=numbers,
    maximum=numbers,
    step=numbers,
    default=st.none()
    | words
    | st.integers(-5, 5000)
    | st.floats(-5, 5)
    | st.booleans()
    | st.sampled_from(["16", "4.5"]),
)


@given(listed=st.lists(parameters, max_size=4, unique_by=lambda one: one.name))
def test_every_document_is_a_schema_that_accepts_its_own_defaults(listed):
    try:
        made = of(*listed)
    except UsageError:
        assert any(one.required and one.kind == "file" for one in listed)
        return
    schema = ModelSchema("acme/painter", json.loads(json.dumps(made)), "here")
    for name, value in schema.defaults.items():
        assert schema.faults(name, value) == []
    assert compare(made, made, complete=True) == ()
