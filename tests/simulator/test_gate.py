from __future__ import annotations

import hashlib
import hmac

import pytest

from flux_pipeline.simulator.server import Settings

UNKNOWN = "Project authorization is not founded."
UNSIGNED = "Project requires signature authentication. x-signature and x-nonce headers are required."
INVALID = "Project authorization is not valid."


def signed(nonce, *, key="key", secret="secret"):
    signature = hmac.new(key.encode(), (secret + nonce).encode(), hashlib.sha256).hexdigest()
    return {"x-api-key": key, "x-nonce": nonce, "x-signature": signature}


def refusal(response):
    assert response.status_code == 401
    ((error,), result) = response.json()["errors"], response.json()["result"]
    assert (result, error["code"]) == (False, 0)
    return error["message"]


@pytest.fixture
def strict(start):
    return start(api_key="key", api_secret="secret")


def test_a_signed_request_is_let_in(strict):
    assert strict.post("/Task/List", {}, headers=signed("1734513807")).json()["result"] is True


def test_a_nonce_is_accepted_once(strict):
    strict.post("/Task/List", {}, headers=signed("7"))
    assert refusal(strict.post("/Task/List", {}, headers=signed("7"))) == INVALID


def test_a_refused_signature_does_not_use_up_its_nonce(strict):
    assert refusal(strict.post("/Task/List", {}, headers=signed("8", secret="wrong"))) == INVALID
    assert strict.post("/Task/List", {}, headers=signed("8")).status_code == 200


@pytest.mark.parametrize("missing", ["x-nonce", "x-signature"])
def test_a_missing_signature_is_asked_for(strict, missing):
    headers = {name: value for name, value in signed("1").items() if name != missing}
    assert refusal(strict.post("/Task/List", {}, headers=headers)) == UNSIGNED


def test_an_unknown_key_is_refused_whatever_its_signature(strict):
    assert refusal(strict.post("/Task/List", {}, headers=signed("1", key="other"))) == UNKNOWN


def test_the_key_alone_is_enough_where_no_secret_is_configured(start):
    wiro = start(api_key="key")
    assert wiro.post("/Task/List", {}).status_code == 200
    assert refusal(wiro.post("/Task/List", {}, headers={"x-api-key": "clé".encode()})) == UNKNOWN


def test_without_a_configured_key_any_key_will_do_but_none_will_not(wiro):
    assert wiro.post("/Task/List", {}, headers={"x-api-key": "anything"}).status_code == 200
    assert refusal(wiro.post("/Task/List", {}, headers={"x-api-key": ""})) == UNKNOWN


def test_an_address_outside_the_allow_list_is_named(start):
    wiro = start(allowed_ips=frozenset({"203.0.113.9"}))
    assert refusal(wiro.post("/Task/List", {})) == "Requested ip 127.0.0.1 is not allowed."


def test_nothing_else_is_looked_at_before_the_caller_is_known(strict):
    assert strict.post("/Run/no/model", content=b"{broken").status_code == 401


def test_settings_never_show_their_secrets():
    shown = repr(Settings(api_key="the-key", api_secret="the-secret"))
    assert "the-key" not in shown
    assert "the-secret" not in shown
