"""What `/Tool/Detail` says of a model, whatever it says it in."""

from __future__ import annotations

import asyncio
import json
from dataclasses import FrozenInstanceError
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiro.hostile import Hostile, hangs_up, http, says

from flux_pipeline.price import estimate
from flux_pipeline.simulator.models import find
from flux_pipeline.wiro import offer
from flux_pipeline.wiro.auth import Credentials, Secret
from flux_pipeline.wiro.client import Wiro
from flux_pipeline.wiro.http import Http
from flux_pipeline.wiro.offer import Offer, Parameter
from flux_pipeline.wiro.outcomes import Unread
from flux_pipeline.wiro.wire import Answer, NoAnswer

NOW = 1_795_395_600.0
MODEL = "black-forest-labs/flux-2-flex-t2i"
KEY, SECRET = "canary-key-5d1e9f2c", "canary-secret-8a2f01bc"
PRICE = [{"inputs": {}, "price": 0.03, "priceMethod": "cpr"}]
WORDS = [
    *("result", "tool", "parameters", "items", "options", "value", "id", "type", "help", "min", "max", "step"),
    *("default", "required", "dynamicprice", "cps", "slugowner", "slugproject", "inputs", "price", "priceMethod"),
]


def read(data, status=200, model=MODEL):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return offer.read(Answer(status=status, headers={}, body=body), model, NOW)


def told(**tool):
    return read({"result": True, "errors": [], "tool": [tool]})


def test_an_offer_is_read_as_the_service_writes_it():
    known = read({"result": True, "errors": [], "tool": [find(*MODEL.split("/")).tool()]})
    parameters = {one.name: one for one in known.parameters}
    assert (known.model, known.title, known.cps, known.flaw) == (MODEL, "flux-2-flex-t2i", Decimal(0), "")
    assert estimate(known.price, {}) == Decimal("0.03")
    assert parameters["prompt"] == Parameter(
        name="prompt", kind="textarea", help="Text prompt for image generation.", required=True
    )
    assert parameters["outputFormat"].options == ("jpeg", "png")
    guidance = parameters["guidance"]
    assert (guidance.minimum, guidance.maximum, guidance.default) == (Decimal("1.5"), Decimal(10), "4.5")
    assert parameters["width"].step == 16
    with pytest.raises(FrozenInstanceError):
        known.title = "another"


@pytest.mark.parametrize("listed", [PRICE, json.dumps(PRICE)])
def test_a_price_list_may_be_text_or_a_list_already(listed):
    assert estimate(told(dynamicprice=listed).price, {}) == Decimal("0.03")


@pytest.mark.parametrize("amount", [0.07, "0.07", " 0.07 "])
def test_a_price_may_be_a_number_or_text(amount):
    known = told(dynamicprice=json.dumps([{"inputs": {}, "price": amount, "priceMethod": "cpr"}]))
    assert estimate(known.price, {}) == Decimal("0.07")


@pytest.mark.parametrize("listed", [None, "", "[]", []])
def test_an_offer_without_a_price_list_has_none_and_no_flaw(listed):
    known = told(dynamicprice=listed, cps="0.000585000000")
    assert (known.price, known.flaw, known.cps) == (None, "", Decimal("0.000585"))


@pytest.mark.parametrize(
    "listed",
    ["{", "null", "0.03", '{"price": 0.03}', "[1]", "[[]]", "[" * 100_000, json.dumps(PRICE * 1000), 7, True, {}],
)
def test_a_price_list_that_cannot_be_read_is_a_flaw_and_not_a_price(listed):
    known = told(dynamicprice=listed)
    assert (known.price, bool(known.flaw)) == (None, True)


@pytest.mark.parametrize("groups", [None, "", "[]", [], {}, 7, "inputs", [None, 3, "x"], [{"items": [{"id": 3}, {}]}]])
def test_parameters_that_are_not_told_are_unknown_rather_than_none(groups):
    assert told(parameters=groups).parameters is None


@pytest.mark.parametrize(
    "groups",
    [
        [{"title": "Inputs", "items": [{"id": "seed"}, {"id": "steps"}]}],
        [{"items": [{"id": "seed"}]}, {"items": [{"id": "steps"}, {"id": "seed"}]}],
        {"first": {"items": [{"id": "seed"}]}, "second": {"items": [{"id": "steps"}]}},
        [{"id": "seed"}, {"id": "steps"}],
        json.dumps([{"items": [{"id": "seed"}, {"id": "steps"}, {"id": "../../etc"}, "x"]}]),
    ],
)
def test_groups_of_parameters_may_have_any_of_the_likely_forms(groups):
    assert told(parameters=groups).parameters == (Parameter(name="seed"), Parameter(name="steps"))


def test_numbers_options_and_truth_may_come_as_text():
    (one,) = told(
        parameters=[
            {
                "id": "x",
                "type": "Select",
                "min": "1.50",
                "max": 10,
                "step": "",
                "required": "true",
                "default": 4.5,
                "options": '["a", {"value": 2, "label": "two"}, {}, null, "a"]',
            }
        ]
    ).parameters
    assert one == Parameter(
        name="x",
        kind="select",
        required=True,
        options=("a", "2"),
        minimum=Decimal("1.5"),
        maximum=Decimal(10),
        default=4.5,
    )


def test_the_words_of_the_service_cannot_act_on_a_terminal():
    known = told(title="\x1b[31mred\u202e", parameters=[{"id": "x", "help": "a\x07b\nc", "default": "\x1b]0;x\x07y"}])
    assert "\x1b" not in repr(known)
    assert (known.title, known.parameters[0].help) == ("[31mred", "a b c")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((b"<html>Bad Gateway</html>",), "not JSON"),
        ((b"",), "not JSON"),
        ((b"[1]",), "not a JSON object"),
        ((b"{}",), "neither yes nor why not"),
        (({"result": True},), "describes no model"),
        (({"result": True, "tool": {}},), "describes no model"),
        (({"result": True, "tool": [None]},), "describes no model"),
        (({"result": True, "tool": [{"slugowner": "a", "slugproject": "b"}]},), "told of a/b"),
        (({"result": False, "errors": [{"code": 1, "message": "tool-not-accessible"}]},), "tool-not-accessible"),
        (({"result": False, "errors": [{"code": 1, "message": "There is no task yet."}]},), "not of a model"),
        ((b"", 302), "HTTP 302"),
        ((b"<html>", 404), "HTTP 404"),
        ((b"", 503), "HTTP 503"),
    ],
)
def test_an_answer_that_offers_nothing_says_why(answer, reason):
    known = read(*answer)
    assert isinstance(known, Unread)
    assert reason in known.reason
    assert known.missing is (answer[1:] == (404,))


def test_no_answer_is_unread_too():
    assert offer.read(NoAnswer(reason="the connection broke"), MODEL, NOW) == Unread(reason="the connection broke")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["black-forest-labs", "flux-2-flex-t2i", "1e999", "-1", "\ud800", "[", "cpr", "cps", json.dumps(PRICE)]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=15,
)


@given(tool=st.dictionaries(st.sampled_from(WORDS), json_values, max_size=8), price=json_values)
def test_whatever_an_answer_holds_reading_and_pricing_it_raises_nothing(tool, price):
    tool = {**tool, "slugowner": "black-forest-labs"}
    for listed in (tool.get("dynamicprice"), price, json.dumps(price), [price], [{"inputs": {}, **tool}]):
        known = told(**{**tool, "dynamicprice": listed})
        assert isinstance(known, Offer | Unread)
        if isinstance(known, Offer):
            amount = estimate(known.price, {"width": 1024, "height": 1024, "value": 1})
            assert amount is None or 0 <= amount < 10**13
            json.dumps([one.name for one in known.parameters or ()]).encode()


@given(body=st.binary(max_size=60), status=st.integers(100, 599))
def test_whatever_bytes_an_answer_is_made_of_it_is_an_offer_or_it_is_not(body, status):
    assert isinstance(read(body, status), Offer | Unread)


# --- asking ----------------------------------------------------------------------------------------------------------


def ask(url, model=MODEL):
    async def scenario():
        async with Http() as door:
            return await Wiro(door, url, Credentials(Secret(KEY), Secret(SECRET))).offer(model)

    return asyncio.run(scenario())


def test_the_question_names_owner_and_model_and_is_signed():
    body = json.dumps({"result": True, "tool": [{"title": f"quoting {KEY}"}]}).encode()
    with Hostile(says(http(body))) as server:
        known = ask(server.api)
        (request,) = server.requests
    assert request.path.endswith("/Tool/Detail")
    assert json.loads(request.body) == {"slugowner": "black-forest-labs", "slugproject": "flux-2-flex-t2i"}
    assert request.headers["x-api-key"] == KEY
    assert "x-signature" in request.headers
    assert isinstance(known, Offer)
    assert KEY not in repr(known)


@pytest.mark.parametrize(
    "behaviour",
    [
        hangs_up,
        says(http(b"moved", "302 Found", "Location: http://127.0.0.1:1/elsewhere")),
        says(http(b"<html>", "502 Bad Gateway")),
        says(http(b'{"errors": [{"code": 0, "message": "no ' + KEY.encode() + b'"}]}', "401 Unauthorized")),
    ],
)
def test_a_service_that_does_not_answer_well_is_unread_and_no_redirect_is_followed(behaviour):
    with Hostile(behaviour) as server:
        known = ask(server.api)
        assert len(server.requests) <= 1
    assert isinstance(known, Unread)
    assert KEY not in known.reason


def test_a_name_that_is_no_model_asks_nobody():
    with Hostile(hangs_up) as server:
        assert isinstance(ask(server.api, "../Run/x/y"), Unread)
        assert server.requests == []
