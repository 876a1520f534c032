from __future__ import annotations

import hashlib
import hmac
import logging
import pickle
import traceback

import pytest

from flux_pipeline.errors import UsageError
from flux_pipeline.simulator.gate import Gate
from flux_pipeline.wiro.auth import Credentials, Secret

KEY, SECRET = "canary-key-5d1e", "canary/secret/9f2c"


def signing():
    return Credentials.from_environment({"WIRO_API_KEY": KEY, "WIRO_API_SECRET": SECRET})


def test_a_key_alone_is_sent_as_it_is():
    assert Credentials.from_environment({"WIRO_API_KEY": KEY}).headers() == {"x-api-key": KEY}
    assert Credentials.from_environment({"WIRO_API_KEY": KEY, "WIRO_API_SECRET": ""}).headers() == {"x-api-key": KEY}


def test_a_signature_is_the_hmac_of_secret_and_nonce_under_the_key():
    headers = signing().headers()
    expected = hmac.new(KEY.encode(), (SECRET + headers["x-nonce"]).encode(), hashlib.sha256).hexdigest()
    assert headers == {"x-api-key": KEY, "x-nonce": headers["x-nonce"], "x-signature": expected}
    assert headers["x-nonce"].isdecimal()


def test_a_gate_that_uses_up_nonces_lets_thousands_of_requests_of_one_moment_in():
    gate, credentials = Gate(api_key=KEY, api_secret=SECRET), signing()
    assert {gate.refusal(credentials.headers(), "127.0.0.1") for _ in range(5000)} == {None}


@pytest.mark.parametrize("shown", [repr, str, "{}".format, "%s".__mod__, ascii])
def test_no_way_of_printing_credentials_shows_them(shown):
    for thing in (signing(), Secret(KEY), [signing()], {"key": Secret(SECRET)}):
        assert KEY not in shown(thing)
        assert SECRET not in shown(thing)


def test_neither_a_log_nor_a_traceback_shows_credentials(caplog):
    error = ValueError(signing())
    logging.getLogger("x").error("failed with %r", signing(), exc_info=error)
    assert KEY not in "".join(traceback.format_exception(error))
    assert "***" in caplog.text
    assert KEY not in caplog.text
    assert SECRET not in caplog.text


def test_a_secret_is_equal_to_itself_and_can_be_had_only_by_asking():
    assert Secret(KEY) == Secret(KEY) != Secret(SECRET)
    assert pickle.loads(pickle.dumps(Secret(KEY))).reveal() == KEY


def test_without_a_key_the_message_says_what_to_do():
    for environ in ({}, {"WIRO_API_KEY": ""}, {"WIRO_API_SECRET": SECRET}):
        with pytest.raises(UsageError, match=r"WIRO_API_KEY is not set: export .* --simulate"):
            Credentials.from_environment(environ)


@pytest.mark.parametrize(
    "wrong", [f"{KEY}\n", f" {KEY}", f"{KEY} {KEY}", f"{KEY}ä", f"{KEY}\0", f"{KEY}\u2028", f"{KEY}\t"]
)
@pytest.mark.parametrize("name", ["WIRO_API_KEY", "WIRO_API_SECRET"])
def test_what_cannot_be_a_header_is_refused_without_being_shown(name, wrong):
    with pytest.raises(UsageError, match=f"{name} holds white space or characters that no key has") as caught:
        Credentials.from_environment({"WIRO_API_KEY": KEY, name: wrong})
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("quoted", [KEY, SECRET, SECRET.replace("/", "\\/"), f"{KEY}{SECRET}{KEY}"])
def test_an_answer_that_quotes_our_secrets_is_read_without_them(quoted):
    masked = signing().masked(f'{{"message": "bad key {quoted}!"}}'.encode())
    assert b"canary" not in masked
    assert masked.startswith(b'{"message": "bad key ***')


def test_a_short_key_does_not_eat_the_answers_of_the_service():
    body = b'{"taskid": "2221", "a": 1}'
    assert Credentials(Secret("a")).masked(body) == body


def test_an_account_is_told_from_another_without_giving_its_key_away():
    digests = {Credentials(Secret(key)).digest() for key in (KEY, SECRET, KEY)}
    assert len(digests) == 2
    assert all(KEY not in digest and hashlib.sha256(KEY.encode()).hexdigest()[:12] != digest for digest in digests)
