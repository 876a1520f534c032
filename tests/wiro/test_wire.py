from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.wiro import wire
from flux_pipeline.wiro.outcomes import NoTask, Tasks, Unread
from flux_pipeline.wiro.tasks import Cancelled, Failed, Finished, Output, Running, Task
from flux_pipeline.wiro.wire import Answer, NoAnswer

NOW = datetime(2026, 11, 23, 1, 0, 0, tzinfo=UTC)
FILE = {"id": "1", "name": "0.png", "contenttype": "image/png", "size": "202472", "url": "https://cdn1.wiro.ai/x/0.png"}
OUTPUT = Output(url=FILE["url"], name="0.png", content_type="image/png", size=202472)
RECORD = {
    "id": "2221",
    "status": "task_postprocess_end",
    "pexit": "0",
    "outputs": [FILE],
    "totalcost": "0.030000000000",
    "parameters": {"prompt": "A teal bottle"},
    "createtime": "1795395600",
    "debugoutput": "",
    "debugerror": "",
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["2221", "0", "task_error", "task_cancel", "task_postprocess_end", "1e999", "-1", "\ud800", FILE]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*RECORD, *FILE]), inner, max_size=6),
    max_leaves=12,
)


# --- JSON from outside -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a": 1} tail',
        b'{"a": NaN}',
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"-1e999",
        b'{"a": 1, "a": 1}',
        b'{"x": {"a": 1, "b": 2, "\\u0061": 3}}',
        b"[" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"9" * 22,
        b"9" * 5000,
        b"-" + b"9" * 5000,
        b'"\xff"',
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"\x1f\x8b\x08compressed",
        b"<html>502 Bad Gateway</html>",
        b"'single'",
        b'"a\nb"',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_sane_strict_json_is_one_kind_of_error(body):
    with pytest.raises(ValueError):
        wire.loads(body)


@given(body=st.binary(max_size=60))
def test_bytes_at_random_are_read_or_are_a_value_error(body):
    try:
        value = wire.loads(body)
    except ValueError:
        return
    assert json.loads(body) == value


@pytest.mark.parametrize("value", [{}, {"a": [1, -2.5, True, None, "ü\n"]}, 99999999999999999999, "", [[[]]]])
def test_sane_json_is_read_as_it_is(value):
    assert wire.loads(json.dumps(value).encode()) == value


# --- words of the service --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("plain – ünïcode 🌌", "plain – ünïcode 🌌"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("\x1b]8;;https://evil.example\x07link", "]8;;https://evil.example link"),
        ("two\r\nlines\tand a tab", "two lines and a tab"),
        ("\u202egnp.exe\u2069", "gnp.exe"),
        ("half \ud83c of a pair", "half   of a pair"),
        ("\x00\x07\x9b\u200b\ufeff", ""),
        (None, ""),
        (404, "404"),
        ({"a": 1}, "{'a': 1}"),
    ],
)
def test_nothing_that_moves_a_cursor_or_turns_a_text_around_comes_through(words, shown):
    assert wire.clean(words) == shown


@given(words=st.text() | st.text(st.characters(categories=("Cc", "Cf", "Cs", "Zl", "Zp"))))
def test_cleaned_words_are_one_short_line_that_can_be_written_to_a_file(words):
    shown = wire.clean(words)
    assert len(shown) <= 300
    assert len(shown.splitlines()) <= 1
    assert shown.encode().decode() == shown
    assert wire.clean(shown) == shown


def test_long_words_are_cut_with_a_mark():
    assert wire.clean("a" * 500) == "a" * 299 + "…"
    assert wire.clean("a" * 300) == "a" * 300
    assert wire.clean("abcdef", most=3) == "ab…"


# --- Retry-After -----------------------------------------------------------------------------------------------------


def in_seconds(seconds):
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("60", 60),
        ("61", 60),
        ("9" * 400, 60),
        ("315360000", 60),
        (in_seconds(5), 5),
        (in_seconds(10 * 365 * 86400), 60),
        (in_seconds(-10), 0),
        ("Wed, 21 Oct 1015 07:28:00 GMT", 0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
        ("NaN", None),
        ("inf", None),
        ("Wed, 99 Oct 2015 99:99:99 GMT", None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_within_a_minute_or_nothing(value, seconds):
    assert wire.retry_after({"retry-after": value}, NOW.timestamp()) == seconds


def test_without_retry_after_nobody_asked_to_wait():
    assert wire.retry_after({}, NOW.timestamp()) is None


@given(
    value=st.text(max_size=40)
    | st.from_regex(r"\A[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} [\d:]{1,9}( [-+A-Z0-9]{1,6})?\Z")
)
def test_no_retry_after_raises_or_asks_for_more_than_a_minute(value):
    seconds = wire.retry_after({"retry-after": value}, NOW.timestamp())
    assert seconds is None or 0 <= seconds <= 60


# --- ids, codes, amounts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("2221", "2221"),
        (2221, "2221"),
        ("0", "0"),
        ("9" * 20, "9" * 20),
        ("9" * 21, None),
        ("9" * 10_000, None),
        ("", None),
        ("-5", None),
        (-5, None),
        (2221.0, None),
        ("2221.0", None),
        ("2221\n", None),
        (" 2221", None),
        ("../2221", None),
        ("2221?x=1", None),
        ("٢٢", None),
        ("²", None),
        (True, None),
        (None, None),
        ([2221], None),
        ({"id": 1}, None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_task_id_is_digits_as_text_or_number_and_nothing_else(value, found):
    assert wire.task_id(value) == found


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({}, ()),
        ({"errors": None}, ()),
        ({"errors": "no"}, ()),
        ({"errors": []}, ()),
        ({"errors": ["text"]}, ()),
        ({"errors": [{"code": 0, "message": "a"}, "text"]}, ()),
        ({"errors": [{}]}, ((None, ""),)),
        ({"errors": [{"code": 0, "message": "a"}]}, ((0, "a"),)),
        ({"errors": [{"code": "96", "message": "a\x1b[0m"}]}, ((96, "a [0m"),)),
        ({"errors": [{"code": True}, {"code": 1.0}, {"code": "x"}, {"code": -1}]}, ((None, ""),) * 4),
    ],
)
def test_errors_are_read_whatever_their_shape(data, found):
    assert wire.errors(data) == found


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("0.030000000000", "0.03"),
        ("0", "0"),
        ("0.000000000000", "0"),
        (0.03, "0.03"),
        (10, "10"),
        ("100", "100"),
        ("1e-9", "0.000000001"),
        ("1e-999999", "0"),
        ("0e-999999", "0"),
        (None, None),
        (True, None),
        ("", None),
        ("free", None),
        (-1, None),
        ("NaN", None),
        ("sNaN", None),
        (math.inf, None),
        ("1e999999", None),
        ("1e9", None),
        ("1" * 41, None),
        (["0.03"], None),
    ],
)
def test_a_cost_is_an_exact_amount_or_unknown(value, amount):
    found = wire.dollars(value)
    assert found == (None if amount is None else Decimal(amount))
    assert found is None or len(f"{found:f}") <= 25


# --- tasks -----------------------------------------------------------------------------------------------------------


def task(**other):
    return wire.read_task({**RECORD, **other})


def test_a_record_is_read_with_all_that_is_known_of_it():
    assert task() == Task(
        id="2221",
        status="task_postprocess_end",
        pexit="0",
        outputs=(OUTPUT,),
        cost=Decimal("0.03"),
        params={"prompt": "A teal bottle"},
        created=1795395600.0,
    )


def test_numbers_are_understood_as_text_and_text_as_numbers():
    other = task(id=2221, pexit=0, totalcost=0.03, createtime=1795395600, outputs=[{**FILE, "size": 202472}])
    assert other == task()
    assert task(parameters=json.dumps(RECORD["parameters"])) == task()


@pytest.mark.parametrize(
    "record", [None, [], "task", {}, {"id": "1"}, {"status": "task_queue"}, {"id": "x", "status": "a"}]
)
def test_a_record_without_id_or_status_is_no_task(record):
    assert wire.read_task(record) is None


@given(
    record=json_values
    | st.builds(lambda more: {**RECORD, **more}, st.dictionaries(st.sampled_from([*RECORD]), json_values))
)
def test_no_record_raises_and_what_is_read_can_be_judged_and_shown(record):
    found = wire.read_task(record)
    if found is None:
        return
    assert isinstance(found.verdict(), Running | Finished | Failed | Cancelled)
    assert found.id.isdecimal()
    assert found.cost is None or 0 <= found.cost < 10**9
    assert found.created is None or found.created > 0
    for text in (found.status, found.reason, found.pexit or "", *(one.name for one in found.outputs)):
        assert text.encode().decode().isprintable()
    assert all(one.size is None or one.size > 0 for one in found.outputs)


def verdict(**other):
    return task(**other).verdict()


@pytest.mark.parametrize(
    "status", ["task_queue", "task_start", "task_output", "task_end", "task_error_full", "task_dance", ""]
)
def test_a_status_that_is_not_an_end_is_running_whatever_else_the_record_says(status):
    assert verdict(status=status) == Running()
    assert verdict(status=status, pexit="1") == Running()


@pytest.mark.parametrize("pexit", ["0", 0, "", None])
def test_an_ended_task_with_outputs_and_no_other_exit_code_is_finished(pexit):
    assert verdict(pexit=pexit) == Finished((OUTPUT,))
    record = {name: value for name, value in RECORD.items() if name != "pexit"}
    assert wire.read_task(record).verdict() == Finished((OUTPUT,))


@pytest.mark.parametrize("pexit", ["1", 1, "-1", -1, "137", "zero", 0.5])
def test_any_other_exit_code_is_a_failure_even_with_outputs(pexit):
    assert verdict(pexit=pexit) == Failed(f"the task ended with exit code {pexit}")
    assert verdict(pexit=pexit, debugerror="out of memory") == Failed("out of memory")
    assert verdict(pexit=pexit, debugerror="", debugoutput="see\x1b[0m log") == Failed("see [0m log")


@pytest.mark.parametrize("outputs", [[], None, "x", {}, [None], [{}], [{"url": ""}], [{"url": 5}]])
def test_an_ended_task_without_a_usable_output_is_a_failure(outputs):
    for pexit in ("0", "", None):
        assert verdict(outputs=outputs, pexit=pexit) == Failed("the task ended without an output")


def test_a_cancelled_task_is_cancelled_although_it_carries_an_exit_code_a_cost_and_outputs():
    assert verdict(status="task_cancel") == Cancelled()
    assert verdict(status="task_cancel", pexit="1", outputs=[]) == Cancelled()


def test_a_task_error_in_a_record_is_an_end():
    assert verdict(status="task_error", pexit="", outputs=[]) == Failed("the task failed before it started")
    assert verdict(status="task_error", debugerror="no worker") == Failed("no worker")
    assert verdict(status="task_error") == Failed("the task failed before it started")


def test_outputs_keep_their_order_and_odd_sizes_are_unknown():
    odd = [{**FILE, "size": size} for size in ("0", "-1", "1.5", True, None, "9" * 13, "12")]
    assert [one.size for one in task(outputs=odd).outputs] == [None] * 6 + [12]


# --- answers of reads ------------------------------------------------------------------------------------------------


def told(data, status=200, **headers):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return wire.read_tasks(Answer(status=status, headers=headers, body=body), NOW.timestamp())


def test_an_answer_with_records_tells_tasks_in_its_order():
    data = {"result": True, "errors": [], "total": "2", "tasklist": [RECORD, {**RECORD, "id": "2220"}]}
    assert [one.id for one in told(data).tasks] == ["2221", "2220"]
    assert told({"result": True, "tasklist": []}) == Tasks(tasks=())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        [],
        {"result": "true", "tasklist": [RECORD]},
        {"result": 1, "tasklist": [RECORD]},
        {"tasklist": [RECORD]},
        {"result": True},
        {"result": True, "tasklist": RECORD},
        {"result": True, "tasklist": [RECORD, {}]},
        {"result": True, "tasklist": [None]},
        {"result": False},
        {"result": False, "errors": [{"code": 0, "message": "server error"}]},
        {"result": False, "errors": [{"code": 1, "message": "slug-owner-project-not-exist"}]},
    ],
    ids=str,
)
def test_an_answer_that_is_not_as_agreed_may_be_asked_for_again(data):
    outcome = told(data)
    assert isinstance(outcome, Unread)
    assert outcome.reason
    assert not outcome.account


def test_a_task_that_the_service_does_not_know_is_told_as_such():
    assert told({"result": False, "errors": [{"code": 1, "message": "There is no task yet."}]}) == NoTask()
    assert told({"result": False, "errors": [{"code": "1", "message": "there is no task"}]}) == NoTask()
    assert isinstance(told({"result": False, "errors": [{"code": 0, "message": "There is no task yet."}]}), Unread)


@pytest.mark.parametrize("code", [97, 98, 99])
def test_an_account_that_may_not_read_is_told_from_a_passing_trouble(code):
    assert told({"result": False, "errors": [{"code": code, "message": "no"}]}) == Unread(
        reason=f"code {code}: no", account=True
    )


@pytest.mark.parametrize("status", [201, 204, 302, 400, 401, 403, 404, 407, 429, 451, 500, 502, 503, 504])
def test_any_other_status_is_unread_and_says_for_how_long(status):
    data = {"result": True, "tasklist": [RECORD], "errors": [{"code": 0, "message": "not now"}]}
    assert told(data, status, **{"retry-after": "7"}) == Unread(
        reason=f"HTTP {status}: not now",
        wait=7,
        account=status in (401, 403, 407, 451),
        missing=status in (404, 405, 501),
    )
    assert told(b"", status).reason == f"HTTP {status}"


def test_no_answer_is_unread_with_its_reason():
    assert wire.read_tasks(NoAnswer(reason="connection reset"), 0.0) == Unread(reason="connection reset")


@given(data=json_values, status=st.sampled_from([200, 200, 401, 500]))
def test_no_answer_of_a_read_raises(data, status):
    body = json.dumps(data).encode()
    assert isinstance(told(body, status), Tasks | NoTask | Unread)
    wrapped = json.dumps({"result": True, "tasklist": [data], "errors": data}).encode()
    assert isinstance(told(wrapped, status), Tasks | NoTask | Unread)


def test_a_page_of_the_list_is_asked_for_newest_first_and_in_text():
    assert wire.list_body(200) == {"type": "model", "sort": "id", "order": "DESC", "start": "200", "limit": "100"}
