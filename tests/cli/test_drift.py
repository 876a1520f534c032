"""`plan` compares the schemas in use with what the service says, when there is somebody to ask."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from cli import errands
from cli.conftest import KEY
from cli.errands import snapshot
from wiro.hostile import Hostile, http, says

MODEL = "black-forest-labs/flux-2-pro-t2i"


def opened(workshop, monkeypatch, capfd):
    call = errands.caller(workshop, monkeypatch, capfd)
    return lambda *flags: call("plan", *flags)


@pytest.fixture
def plan(workshop, monkeypatch, capfd):
    return opened(workshop, monkeypatch, capfd)


@pytest.fixture
def own(workshop, plan):
    """Give the project a schema of its own, with these changes to its parameters."""

    def changing(without=(), **rules):
        known = workshop.call("schema", MODEL).document
        for name, rule in rules.items():
            known["properties"][name] = known["properties"].get(name, {}) | rule
        for name in without:
            del known["properties"][name]
        file = workshop.folder / "schemas" / "models" / f"{MODEL}.schema.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(known))

    return changing


def test_nothing_is_said_where_schema_and_service_agree(plan):
    for flags in ([], ["--strict"], ["--simulate"], ["--simulate", "--strict"]):
        done = plan(*flags)
        assert (done.code, done.err) == (0, "")
    assert "drift" not in plan("--json").document


def test_every_difference_is_a_warning_and_a_row_of_the_document(own, plan):
    own(without=["safetyTolerance"], seed={"default": 7}, style={"type": "string"})
    done = plan("--json")
    assert done.code == 0
    assert done.document["drift"] == [
        {
            "model": MODEL,
            "parameter": "seed",
            "ours": 7,
            "theirs": 123,
            "message": "the default of seed is 7 in the schema, 123 at the service",
        },
        {
            "model": MODEL,
            "parameter": "style",
            "ours": {"type": "string"},
            "theirs": None,
            "message": "the service has no style any more",
        },
        {**done.document["drift"][2], "parameter": "safetyTolerance", "ours": None},
    ]
    for one in done.document["drift"]:
        assert f"warning: {MODEL}: {one['message']}\n" in done.err
    assert plan("--simulate", "--json").document["drift"] == done.document["drift"]


def test_another_price_is_a_difference_too(open_workshop, monkeypatch, capfd):
    plan = opened(open_workshop(price=Decimal("0.07")), monkeypatch, capfd)
    done = plan("--json")
    assert "the price is $0.03 (cpr) in the schema, $0.07 (cpr) at the service" in done.err
    assert (done.code, [one["parameter"] for one in done.document["drift"]]) == (0, ["price"])


def test_strict_refuses_what_has_drifted_and_freezes_nothing(workshop, own, plan):
    own(seed={"default": 7})
    done = plan("--strict", "-o", "plan.json")
    assert (done.code, done.out) == (2, "")
    assert "the default of seed" in done.err
    assert "schema pull" in done.err
    assert not (workshop.folder / "plan.json").exists()


def test_a_frozen_plan_is_the_same_whether_or_not_somebody_was_asked(workshop, own, plan, monkeypatch):
    own(seed={"default": 7})
    plan("-o", "asked.json")
    monkeypatch.delenv("WIRO_API_KEY")
    plan("-o", "alone.json")
    assert (workshop.folder / "asked.json").read_bytes() == (workshop.folder / "alone.json").read_bytes()


def test_without_credentials_nobody_is_asked_and_nothing_is_said(own, plan, monkeypatch):
    own(seed={"default": 7})
    monkeypatch.delenv("WIRO_API_KEY")
    for flags in ([], ["--strict"]):
        done = plan("--json", *flags)
        assert (done.code, done.err, "drift" in done.document) == (0, "", False)


def test_a_rehearsed_plan_leaves_nothing_on_disk(workshop, plan):
    before = snapshot(workshop.folder)
    assert plan("--simulate").code == 0
    assert snapshot(workshop.folder) == before


def test_a_service_that_is_away_is_one_note_and_under_strict_exit_6(plan, monkeypatch):
    monkeypatch.setenv("WIRO_API_BASE_URL", "http://127.0.0.1:1/v1")
    done = plan()
    assert done.code == 0
    assert "3 to submit" in done.out
    assert done.err.count("\n") == 1
    assert "was not compared with the service" in done.err
    strict = plan("--strict")
    assert (strict.code, strict.out) == (6, "")
    assert "--strict" in strict.err


@pytest.mark.parametrize(
    ("answer", "strict"),
    [
        (http(b"<html>", "404 Not Found"), 6),
        (http(b"<html>", "502 Bad Gateway"), 6),
        (http(b'{"result": true, "tool": [{"dynamicprice": "soon"}]}'), 6),
        (http(b'{"errors": [{"code": 0, "message": "who is that"}]}', "401 Unauthorized"), 3),
    ],
)
def test_an_answer_that_tells_nothing_does_not_stop_a_plan(plan, monkeypatch, answer, strict):
    with Hostile(says(answer)) as server:
        monkeypatch.setenv("WIRO_API_BASE_URL", server.api)
        done = plan()
        assert (done.code, "was not compared" in done.err) == (0, True)
        assert plan("--strict").code == strict


def test_a_model_that_is_not_offered_any_more_has_drifted(plan, monkeypatch):
    body = b'{"result": false, "errors": [{"code": 1, "message": "slug-owner-project-not-exist"}]}'
    with Hostile(says(http(body))) as server:
        monkeypatch.setenv("WIRO_API_BASE_URL", server.api)
        (found,) = plan("--json").document["drift"]
        assert (found["parameter"], found["theirs"]) == ("model", None)
        assert plan("--strict").code == 2


def test_a_model_that_needs_a_file_now_has_drifted(plan, monkeypatch):
    items = [{"id": "prompt"}, {"id": "inputImage", "type": "fileinput", "required": True}]
    body = json.dumps({"result": True, "tool": [{"parameters": [{"items": items}]}]}).encode()
    with Hostile(says(http(body))) as server:
        monkeypatch.setenv("WIRO_API_BASE_URL", server.api)
        done = plan()
        assert (done.code, "needs a file (inputImage)" in done.err) == (0, True)


@pytest.mark.parametrize(("name", "value"), [("WIRO_API_KEY", "not a key"), ("WIRO_API_BASE_URL", "http://wiro.ai/v1")])
def test_an_environment_that_cannot_be_used_stops_only_a_strict_plan(plan, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    done = plan()
    assert (done.code, name in done.err, done.err.count("\n")) == (0, True, 1)
    assert "not a key" not in done.err
    assert plan("--strict").code == 2


def test_a_service_that_hangs_holds_a_plan_up_for_ten_seconds_at_most(open_workshop, monkeypatch, capfd):
    workshop = open_workshop(faults=[{"on": "tool", "what": "hang"}])
    done = workshop.call("plan", "manifests/m.yaml")
    assert (done.code, "no answer within 10 s" in done.err) == (0, True)
    assert done.seconds < 15
    assert KEY not in done.said
