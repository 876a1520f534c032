"""`schema` prints a schema; `schema pull` writes one as the service describes the model."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from cli import errands
from cli.conftest import KEY
from cli.workshop import entry
from wiro.hostile import Hostile, http, says

from flux_pipeline.manifest.schema import Schemas

PRO = "black-forest-labs/flux-2-pro-t2i"
FLEX = "black-forest-labs/flux-2-flex-t2i"


@pytest.fixture
def call(workshop, monkeypatch, capfd):
    """Run `schema …` in the workshop's folder; no manifest goes with it."""
    calling = errands.caller(workshop, monkeypatch, capfd)
    return lambda command, *arguments: calling(command, *arguments, manifest=None)


def place(workshop, model):
    return workshop.folder / "schemas" / "models" / f"{model}.schema.json"


@pytest.mark.parametrize(
    ("arguments", "title"), [([], "flux-pipeline"), (["lockfile", "--json"], "lockfile"), ([FLEX], FLEX)]
)
def test_a_schema_is_printed_as_it_stands(call, arguments, title):
    done = call("schema", *arguments)
    assert done.code == 0
    assert title in done.out
    assert done.document["$schema"].startswith("https://json-schema.org/")


def test_the_help_tells_of_both_ways_to_use_it(call):
    assert "pull" in call("schema", "--help").out
    assert "--force" in call("schema", "pull", "--help").out
    assert call("schema", "print-nothing").code == 2


@pytest.mark.parametrize("flags", [[], ["--simulate"]])
def test_a_pulled_schema_is_found_and_used_by_a_manifest(workshop, call, monkeypatch, flags):
    if flags:
        monkeypatch.delenv("WIRO_API_KEY")
    done = call("schema", "pull", FLEX, *flags)
    assert (done.code, done.out) == (0, f"schemas/models/{FLEX}.schema.json\n")
    schema = Schemas((workshop.folder / "schemas",)).model(FLEX)
    assert schema.document["description"] != Schemas().model(FLEX).document["description"]
    # a rehearsal's price is made up, and so stays unknown
    assert schema.price == (None if flags else [{"inputs": {}, "price": 0.03, "priceMethod": "cpr"}])
    assert dict(schema.defaults) == dict(Schemas().model(FLEX).defaults)
    workshop.write(entry(matrix={"guidance": [1.5, 4], "steps": [1, 50], "size": ["64x64"]}), model=FLEX, output=OUTPUT)
    assert call("run", "manifests/m.yaml", "--max-cost", "1", "--no-progress", *flags).code == 0
    if not flags:
        assert {row.model for row in workshop.wiro.ledger()} == {FLEX}
        assert workshop.charged() == Decimal("0.12")


OUTPUT = "outputs/{{ guidance }}-{{ steps }}.{{ ext }}"


def test_the_bundled_models_both_work_in_manifests_without_any_schema_of_one_s_own(workshop, call):
    for model in (PRO, FLEX):
        workshop.write(entry(), model=model)
        assert call("run", "manifests/m.yaml", "--no-progress").code == 0
    assert {row.model for row in workshop.wiro.ledger()} == {PRO, FLEX}
    workshop.write(entry(matrix={"seed": [1], "guidance": [11]}), model=FLEX)
    assert "11 is above the maximum of 10" in call("validate", "manifests/m.yaml").out


def test_a_project_s_own_schema_is_used_before_the_bundled_one(workshop, call):
    call("schema", "pull", PRO)
    own = json.loads(place(workshop, PRO).read_text())
    own["properties"]["seed"]["maximum"] = 2
    place(workshop, PRO).write_text(json.dumps(own))
    done = call("validate", "manifests/m.yaml")
    assert done.code == 2
    assert "3 is above the maximum of 2" in done.out
    assert call("schema", PRO).document["properties"]["seed"]["maximum"] == 2


def test_what_is_there_already_is_left_alone_and_its_changes_are_shown(workshop, call):
    assert call("schema", "pull", PRO, "--json").document["written"] is True
    before = place(workshop, PRO).read_bytes()
    again = call("schema", "pull", PRO)
    assert (again.code, again.out) == (0, f"schemas/models/{PRO}.schema.json says the same already\n")
    edited = json.loads(before)
    edited["properties"]["width"] |= {"default": 512, "maximum": 768}
    del edited["price"]
    place(workshop, PRO).write_text(json.dumps(edited))
    refused = call("schema", "pull", PRO)
    assert refused.code == 2
    assert "the default of width is 512 in the schema, 1024 at the service" in refused.err
    assert "the maximum of width is 768 in the schema, 2048 at the service" in refused.err
    assert "the price is not said in the schema, $0.03 (cpr) at the service" in refused.err
    assert "--force" in refused.err
    assert json.loads(place(workshop, PRO).read_text()) == edited
    forced = call("schema", "pull", PRO, "--force", "--json")
    assert (forced.code, len(forced.document["changes"])) == (0, 3)
    assert place(workshop, PRO).read_bytes() == before


@pytest.mark.parametrize("text", ["{", "[]", '"x"', '{"properties": 3}', '{"title": "mine"}'])
def test_a_file_that_is_no_schema_is_not_overwritten_either(workshop, call, text):
    file = workshop.folder / "mine.json"
    file.write_text(text)
    assert call("schema", "pull", PRO, "-o", "mine.json").code == 2
    assert file.read_text() == text
    assert call("schema", "pull", PRO, "-o", "mine.json", "--force").code == 0
    assert json.loads(file.read_text())["title"] == PRO


@pytest.mark.parametrize("name", ["flux", "../../etc/passwd", "a/../b", "/etc/x", "a/b/c", "", "a/.b"])
def test_a_name_that_is_no_model_is_refused_before_anybody_is_asked(workshop, call, name):
    done = call("schema", "pull", name)
    assert done.code == 2
    assert "OWNER/MODEL" in done.err


def test_a_model_that_the_service_does_not_have_is_refused(call):
    done = call("schema", "pull", "acme/painter")
    assert done.code == 2
    assert "the service does not offer acme/painter" in done.err


def test_without_credentials_nothing_is_asked(workshop, call, monkeypatch):
    monkeypatch.delenv("WIRO_API_KEY")
    done = call("schema", "pull", PRO)
    assert done.code == 2
    assert "--simulate" in done.err
    monkeypatch.setenv("WIRO_API_KEY", "somebody-elses-key")
    assert call("schema", "pull", PRO).code == 3
    assert not place(workshop, PRO).exists()


def test_a_service_that_is_away_is_exit_6(call, monkeypatch):
    monkeypatch.setenv("WIRO_API_BASE_URL", "http://127.0.0.1:1/v1")
    done = call("schema", "pull", PRO)
    assert done.code == 6
    assert "cannot be read from the service" in done.err


@pytest.fixture
def described(call, monkeypatch):
    """Pull acme/painter from a service that describes it like this."""

    def pulling(*items, **tool):
        answer = {"result": True, "tool": [{"parameters": [{"items": items}], **tool}]}
        with Hostile(says(http(json.dumps(answer).encode()))) as server:
            monkeypatch.setenv("WIRO_API_BASE_URL", server.api)
            return call("schema", "pull", "acme/painter")

    return pulling


def test_a_model_that_needs_a_file_is_refused_with_the_reason(workshop, described):
    done = described({"id": "prompt"}, {"id": "inputImage", "type": "fileinput", "required": True})
    assert done.code == 2
    assert "needs a file (inputImage)" in done.err
    assert not place(workshop, "acme/painter").exists()


def test_words_of_the_service_reach_the_schema_without_what_a_terminal_acts_on(workshop, described):
    done = described({"id": "prompt", "help": f"\x1b[31mred {KEY}\u202e"}, dynamicprice="soon")
    assert done.code == 0
    assert "note: its price list has not the expected shape: the price of acme/painter stays unknown" in done.err
    text = place(workshop, "acme/painter").read_text()
    assert KEY not in text
    assert "\\u001b" not in text
    assert "\u202e" not in text
    assert "price" not in json.loads(text)
