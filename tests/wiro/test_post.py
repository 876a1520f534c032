from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.wiro.outcomes import Accepted, NotTaken, Refused, Unknown, Unsent
from flux_pipeline.wiro.post import TABLE, judge, row_of, token
from flux_pipeline.wiro.wire import Answer, NoAnswer

NOW = 1_795_395_600.0
FULL = (
    "You have reached your concurrent task limit. With your current balance of $50.00, you can run up to 5 tasks at the "
    "same time. Add balance to your account to raise the limit."
)
YES = {"errors": [], "taskid": "2221", "socketaccesstoken": "eDcCm5yyUfIvMFspTwww49OUfgXkQt", "result": True}


def answer(data, status=200, **headers):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Answer(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)


def no(code, message, **more):
    return answer({"result": False, "errors": [{"code": code, "message": message}], **more})


def unsent(cause):
    return NoAnswer(reason="why", sent=False, cause=cause)


WALK = [
    (1, unsent("request"), Unsent(reason="why", cause="request")),
    (2, unsent("network"), Unsent(reason="why", cause="network")),
    (3, unsent("certificate"), Unsent(reason="why", cause="certificate")),
    (4, unsent("proxy"), Unsent(reason="why", cause="proxy")),
    (5, NoAnswer(reason="reset"), Unknown(reason="no answer after the request had left: reset")),
    (5, NoAnswer(reason="x", cause="certificate"), Unknown(reason="no answer after the request had left: x")),
    (5, NoAnswer(reason="x", sent=False, cause="odd"), Unknown(reason="no answer after the request had left: x")),
    *(
        (7, answer(b"", status, location="https://elsewhere"), Unknown)
        for status in (300, 301, 302, 303, 304, 307, 308, 399)
    ),
    *(
        (8, answer(b"<html>", status), Refused(code=f"HTTP {status}", message="no reason given"))
        for status in (400, 404, 405, 411, 413, 414, 415, 417, 422, 426, 431)
    ),
    *(
        (9, answer(b"", status), Refused(code=f"HTTP {status}", message="no reason given", scope="account"))
        for status in (401, 403, 407, 451)
    ),
    (
        9,
        answer({"result": False, "errors": [{"code": 0, "message": "Project authorization is not valid."}]}, 401),
        Refused(code="HTTP 401", message="Project authorization is not valid.", scope="account"),
    ),
    *((10, answer(b"", status), NotTaken(reason=f"HTTP {status}")) for status in (408, 421, 425, 429)),
    (10, answer(b"", 429, retry_after="7"), NotTaken(reason="HTTP 429", wait=7)),
    (10, answer(b"", 429, retry_after="99999999"), NotTaken(reason="HTTP 429", wait=60)),
    (10, answer(b"", 429, retry_after="soon"), NotTaken(reason="HTTP 429")),
    *(
        (11, answer(YES, status), Unknown(reason=f"HTTP {status}"))
        for status in (100, 201, 202, 204, 206, 402, 406, 409, 410, 418, 500, 501, 502, 503, 504, 520, 599, 999)
    ),
    *(
        (12, answer(body), Unknown(reason="the answer is not a JSON object"))
        for body in (b"", b"<html>", b"[]", b"true", b'"2221"', b'{"taskid": "2221", "result": tru', b"\xef\xbb\xbf{}")
    ),
    (12, answer(b'{"result": true, "taskid": "2221", "taskid": "2222"}'), Unknown),
    (12, answer(b'{"result": true, "taskid": "2221", "x": NaN}'), Unknown),
    (12, answer(b'{"result": true, "taskid": "2221", "x": "\xff"}'), Unknown),
    (12, answer(b'{"result": true, "taskid": "2221", "x": ' + b"[" * 100_000), Unknown),
    (13, no(96, FULL), NotTaken(reason=f"code 96: {FULL}", full=True, limit=5)),
    (13, no("96", "later"), NotTaken(reason="code 96: later", full=True)),
    *((14, no(code, "no"), Refused(code=str(code), message="no", scope="account")) for code in (97, 98, 99)),
    (
        15,
        no(1, "slug-owner-project-not-exist"),
        Refused(code="1", message="slug-owner-project-not-exist", scope="model"),
    ),
    (15, no(1, "Tool-Not-Accessible"), Refused(code="1", message="Tool-Not-Accessible", scope="model")),
    (
        16,
        no(0, "Request parameter [width] must be …"),
        Refused(code="0", message="Request parameter [width] must be …"),
    ),
    *(
        (17, no(0, words), Refused(code="0", message=words, scope="account"))
        for words in ("Account suspended", "No permission", "Requested ip 10.0.0.1 is not allowed.")
    ),
    (18, no(0, "server error"), Unknown(reason="code 0: server error")),
    (18, no(0, ""), Unknown(reason="code 0: no reason given")),
    (18, no(1, "There is no task yet."), Unknown),
    (18, no(5, "new kind"), Unknown(reason="code 5: new kind")),
    (18, no(None, "Request parameter [width]"), Unknown),
    (18, no(True, "tool-not-accessible"), Unknown),
    (18, no([97], "x"), Unknown),
    (18, answer({"result": False}), Unknown),
    (18, answer({"result": False, "errors": []}), Unknown),
    (18, answer({"result": False, "errors": None}), Unknown),
    (18, answer({"result": False, "errors": {"code": 97}}), Unknown),
    (18, answer({"result": False, "errors": [{"code": 97, "message": "a"}, {"code": 0, "message": "b"}]}), Unknown),
    (18, answer({"result": False, "errors": ["Request parameter"]}), Unknown),
    (18, answer({"result": False, "taskid": "2221"}), Unknown),
    (19, answer(YES), Accepted(task="2221")),
    (19, answer({"result": True, "taskid": 2221}), Accepted(task="2221")),
    (19, answer({"result": True, "data": {"taskid": "2221"}}), Accepted(task="2221")),
    *(
        (20, answer({**YES, "taskid": identity}), Unknown)
        for identity in (None, "", "-1", 2221.5, "2221/../1", "9" * 21, [], {}, True)
    ),
    (20, answer({"result": True}), Unknown(reason="the answer says neither no nor which task")),
    (20, answer({"result": True, "data": [{"taskid": "2221"}]}), Unknown),
    *((20, answer({**YES, "result": result}), Unknown) for result in ("true", 1, None, [], "false", 0)),
    (20, answer({"taskid": "2221"}), Unknown),
    (20, answer({}), Unknown),
]


@pytest.mark.parametrize(
    ("number", "reply", "expected"), WALK, ids=[f"row {number}, case {case}" for case, (number, *_) in enumerate(WALK)]
)
def test_each_observation_falls_into_its_row_and_proves_just_what_the_row_says(number, reply, expected):
    row, outcome = row_of(reply, NOW)
    assert row == number
    assert outcome == judge(reply, NOW)
    assert type(outcome) is (expected if isinstance(expected, type) else type(expected))
    if not isinstance(expected, type):
        assert outcome == expected


def test_every_row_of_the_table_is_walked():
    """Row 6 is a run that was killed: there is no reply to judge."""
    assert {row.number for row in TABLE} == set(range(1, 21)) - {6} == {number for number, *_ in WALK}


def test_a_redirect_stops_everything_until_somebody_has_looked():
    outcome = judge(answer(b"", 307, location="https://elsewhere"), NOW)
    assert outcome == Unknown(reason="HTTP 307: the service answers with a redirect, is it elsewhere?", stop=True)


def test_what_the_service_says_is_shown_without_its_control_characters():
    assert judge(no(97, "\x1b[31mno\x1b[0m money"), NOW).message == "[31mno [0m money"


ids = st.sampled_from(["2221", 2221, "", "x", None, -1, 1.0, "9" * 30])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 120) | st.floats() | st.text(max_size=5) | ids,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["code", "message", "taskid"]), inner),
    max_leaves=6,
)
errors = st.lists(
    st.fixed_dictionaries(
        {"code": st.sampled_from([0, 1, 96, 97, 98, 99, "0", "96", None, 7]) | values},
        optional={"message": st.sampled_from(["Request parameter [x]", "tool-not-accessible", FULL, "no"]) | values},
    )
    | values,
    max_size=2,
)
objects = st.fixed_dictionaries(
    {},
    optional={
        "result": st.booleans() | values,
        "taskid": ids | values,
        "errors": errors | values,
        "data": st.fixed_dictionaries({}, optional={"taskid": ids}) | values,
        "socketaccesstoken": st.text(max_size=8) | values,
    },
)
statuses = st.sampled_from([200]) | st.integers(100, 599)
headers = st.dictionaries(st.just("retry-after"), st.text(max_size=10))


@given(data=objects | values, status=statuses, headers=headers)
def test_no_json_and_no_status_raises_or_proves_more_than_it_says(data, status, headers):
    reply = Answer(status=status, headers=headers, body=json.dumps(data).encode())
    outcome = judge(reply, NOW)
    assert not isinstance(outcome, Unsent)
    if isinstance(outcome, Accepted):
        inner = data["data"]["taskid"] if "taskid" not in data else data["taskid"]
        assert (status, data["result"], str(inner)) == (200, True, outcome.task)
        assert data["result"] is True
        assert outcome.task.isdecimal()
    if isinstance(outcome, NotTaken | Refused) and status == 200:
        assert data["result"] is False
        assert len(data["errors"]) == 1
    found = token(reply)
    assert found is None or (data["socketaccesstoken"] == found and data["result"] is True)


@given(body=st.binary(max_size=100), status=statuses)
def test_no_bytes_raise_or_pass_for_a_task(body, status):
    outcome = judge(Answer(status=status, headers={}, body=body), NOW)
    assert not isinstance(outcome, Unsent | Accepted)
    if status == 200:
        assert isinstance(outcome, Unknown)


@given(
    reason=st.text(max_size=20),
    sent=st.booleans(),
    cause=st.sampled_from(["network", "proxy", "request", "certificate", "?"]),
)
def test_only_when_no_byte_left_is_a_request_unsent(reason, sent, cause):
    outcome = judge(NoAnswer(reason=reason, sent=sent, cause=cause), NOW)
    assert isinstance(outcome, Unsent) == (not sent and cause != "?")
    assert isinstance(outcome, Unknown | Unsent)


@pytest.mark.parametrize("odd", ["", "a b", "../x", "a\n", "ä", 5, None, "x" * 201, {"a": 1}])
def test_a_token_is_one_short_word_or_it_is_none(odd):
    assert token(answer({"result": True, "socketaccesstoken": odd})) is None
    assert token(answer({**YES, "result": "true"})) is None
    assert token(NoAnswer(reason="x")) is None
    for sound in (YES["socketaccesstoken"], "Z2-x_9"):
        assert token(answer({**YES, "socketaccesstoken": sound})) == sound
