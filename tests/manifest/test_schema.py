"""Schemas: where they are found, what they decide and how they say it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import referencing
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.errors import UsageError
from flux_pipeline.manifest.schema import Judge, Schemas

MODEL = "black-forest-labs/flux-2-pro-t2i"
SCHEMAS = Schemas()
PRO = SCHEMAS.model(MODEL)


def own(folder: Path, document, name="acme/painter"):
    file = folder / "models" / f"{name}.schema.json"
    file.parent.mkdir(parents=True)
    file.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    return Schemas((folder,))


def test_the_shipped_model_has_the_documented_defaults_and_price():
    assert dict(PRO.defaults) == {
        "width": 1024,
        "height": 1024,
        "safetyTolerance": 2,
        "seed": 123,
        "outputFormat": "png",
    }
    assert PRO.price == [{"inputs": {}, "price": 0.03, "priceMethod": "cpr"}]
    assert set(PRO.properties) == {"prompt", *PRO.defaults}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"width": 1000}, ("width", "1000 is not a multiple of 16; the nearest are 992 and 1008")),
        ({"width": 48}, ("width", "48 is below the minimum of 64")),
        ({"safetyTolerance": 9}, ("safetyTolerance", "9 is above the maximum of 6")),
        ({"outputFormat": "gif"}, ("outputFormat", '"gif" is not one of "png", "jpeg"')),
        ({"seed": "abc"}, ("seed", '"abc" is not an integer')),
        ({"seed": True}, ("seed", "true is not an integer")),
        ({"prompt": ""}, ("prompt", "must not be empty")),
    ],
)
def test_a_verdict_says_what_would_be_right(params, said):
    assert [reason[:2] for reason in PRO.explain({"prompt": "x", **params})] == [said]


def test_what_is_missing_is_named():
    assert [reason[:2] for reason in PRO.explain({})] == [("prompt", "is required")]


def test_a_projects_own_schema_is_found_first_and_listed(tmp_path):
    schemas = own(tmp_path, {"properties": {"prompt": {"type": "string"}}, "price": 1}, MODEL)
    assert schemas.model(MODEL).properties == ("prompt",)
    assert MODEL in schemas.models()
    assert schemas.model("no/such") is None
    assert schemas.model("../manifest") is None


def test_the_text_of_a_schema_is_the_files_own():
    assert json.loads(SCHEMAS.text("manifest"))["title"] == "flux-pipeline manifest"
    assert json.loads(SCHEMAS.text(MODEL))["title"] == MODEL
    with pytest.raises(UsageError, match=MODEL):
        SCHEMAS.text("nonsense")


@pytest.mark.parametrize(
    "document", ["{", "[]", {"type": "nonsense"}, {"$ref": "http://127.0.0.1:9/x"}, {"$ref": "file:///etc/passwd"}]
)
def test_a_schema_that_cannot_be_used_is_refused_and_nothing_is_fetched(tmp_path, document):
    with pytest.raises(UsageError):
        own(tmp_path, document).model("acme/painter")


def test_every_property_of_every_schema_has_a_description():
    def undescribed(node, path):
        if isinstance(node, dict):
            for name, rule in node.get("properties", {}).items() if isinstance(node.get("properties"), dict) else ():
                if isinstance(rule, dict) and "description" not in rule:
                    yield f"{path}.{name}"
            for name, inner in node.items():
                yield from undescribed(inner, f"{path}/{name}")

    for name in ("manifest", MODEL):
        document = json.loads(SCHEMAS.text(name))
        jsonschema.Draft202012Validator.check_schema(document)
        assert list(undescribed(document, name)) == []


def test_a_model_without_formats_has_no_format_axis(tmp_path):
    from flux_pipeline.errors import ManifestError
    from flux_pipeline.manifest.cells import expand

    schemas = own(
        tmp_path, {"properties": {"prompt": {"type": "string"}, "guidance": {"type": "number", "default": 4.5}}}
    )
    text = b"version: 1\nmodel: acme/painter\nentries: [{id: a, prompt: x, matrix: {format: [png], guidance: [1.5]}}]"
    with pytest.raises(ManifestError) as caught:
        expand(text, file="m", schemas=schemas)
    assert [problem.path for problem in caught.value.problems] == ["entries[0].matrix.format"]
    sound = expand(text.replace(b"format: [png], ", b""), file="m", schemas=schemas)
    assert dict(sound.cells[0].params) == {"prompt": "x", "guidance": 1.5}


def test_rules_between_parameters_are_held_against_every_render(tmp_path):
    from flux_pipeline.errors import ManifestError
    from flux_pipeline.manifest.cells import expand

    rule = {"if": {"properties": {"fast": {"const": True}}}, "then": {"properties": {"steps": {"maximum": 10}}}}
    properties = {
        "prompt": {"type": "string"},
        "fast": {"type": "boolean", "default": False},
        "steps": {"type": "integer"},
    }
    schemas = own(tmp_path, {"properties": properties, **rule})
    text = b"version: 1\nmodel: acme/painter\nentries: [{id: a, prompt: x, matrix: {fast: [true, false], steps: [10, 20]}}]"
    with pytest.raises(ManifestError, match="steps 20 is above the maximum of 10"):
        expand(text, file="m", schemas=schemas)


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-100, 3000)
    | st.floats(-10, 3000)
    | st.sampled_from(["png", "gif", "", "a"])
    | st.just([])
)
PARAMS = st.dictionaries(st.sampled_from([*PRO.properties, "other"]), VALUES)


@given(PARAMS)
def test_the_fast_and_the_explaining_validator_agree_on_parameters(params):
    slow = jsonschema.Draft202012Validator(json.loads(SCHEMAS.text(MODEL)), registry=referencing.Registry())
    assert PRO.is_valid(params) == slow.is_valid(params) == (not list(PRO.explain(params)))


ENTRY = st.dictionaries(
    st.sampled_from(["id", "prompt", "vars", "params", "matrix", "promt"]),
    st.sampled_from(
        [
            None,
            1,
            "hero",
            "-x",
            "",
            [],
            {},
            {"seed": [1]},
            {"seed": []},
            {"size": ["1x1", "x"]},
            {"a-b": 1},
            {"exclude": []},
        ]
    ),
)


@given(
    st.fixed_dictionaries({"version": st.sampled_from([1, 2, "1", 1.0, True]), "entries": st.lists(ENTRY, max_size=2)})
)
def test_the_fast_and_the_explaining_validator_agree_on_manifests(data):
    document = json.loads(SCHEMAS.text("manifest"))
    slow = jsonschema.Draft202012Validator(document, registry=referencing.Registry())
    judge = SCHEMAS.manifest
    assert isinstance(judge, Judge)
    assert judge.is_valid(data) == slow.is_valid(data) == (not list(judge.explain(data)))


def test_a_model_name_longer_than_any_file_name_is_no_model():
    assert SCHEMAS.model("a" * 300 + "/b") is None
    assert SCHEMAS.model("a/" + "b" * 300) is None
