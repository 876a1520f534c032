"""Bodies to values and back; pure. Every word of the vendor's protocol is here or in `tasks`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any

from flux_pipeline.wiro.outcomes import NoTask, ReadOutcome, Tasks, Unread
from flux_pipeline.wiro.tasks import Output, Task

PAGE = 100  # tasks that one call of /Task/List tells at most
_ID = re.compile(r"[0-9]{1,20}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_LONGEST_WAIT = 60.0
_NO_TASK = "there is no task"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """No whole HTTP answer came. `sent` says whether a byte of the request may have left."""

    reason: str
    sent: bool = True
    cause: str = "network"


Reply = Answer | NoAnswer


def loads(body: bytes) -> Any:
    """Read JSON from outside; ValueError for whatever strict JSON of a sane size is not."""
    try:
        return json.loads(
            body.decode(),
            object_pairs_hook=_without_doubles,
            parse_constant=_no_constant,
            parse_int=_short_integer,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("the JSON names a member twice")
    return made


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _short_integer(digits: str) -> int:
    if len(digits) > 21:
        raise ValueError("the JSON has a number that is too long")
    return int(digits)


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError("the JSON has a number that is too large")
    return number


def clean(text: object, *, most: int = 300) -> str:
    """Return the service's words fit for a terminal and a file: no control, direction or half characters, not too many."""
    words = _CONTROL.sub(" ", text if isinstance(text, str) else "" if text is None else str(text)).strip()
    return words if len(words) <= most else words[: most - 1] + "…"


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that `Retry-After` asks for, within 0 to 60; None where it is absent or makes no sense.

    `now` is in unix seconds, for the form that names a date.
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value) if value.isdigit() else parsedate_to_datetime(value).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def task_id(value: object) -> str | None:
    """Return a task id as digits, whether it came as text or as a number; None for anything else."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if _ID.fullmatch(text) else None


def errors(data: Mapping[str, Any]) -> tuple[tuple[int | None, str], ...]:
    """Return the (code, message) pairs of an answer; a code that is no number is None."""
    listed = data.get("errors")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        return ()
    return tuple((_code(one.get("code")), clean(one.get("message"))) for one in listed)


def _code(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return int(value) if re.fullmatch(r"[0-9]{1,6}", str(value)) else None


def read_tasks(reply: Reply, now: float) -> ReadOutcome:
    """Turn an answer of Detail, List, Cancel or Kill into tasks, or say why it tells none."""
    data = told(reply, now)
    if isinstance(data, NoTask | Unread):
        return data
    listed = data.get("tasklist")
    tasks = tuple(map(read_task, listed)) if isinstance(listed, list) else (None,)
    if None in tasks:
        return Unread(reason="the answer's list of tasks has not the expected shape")
    return Tasks(tasks=tuple(task for task in tasks if task is not None))


def told(reply: Reply, now: float) -> dict[str, Any] | NoTask | Unread:
    """Return the object that an answer consists of where it says yes, else why it tells nothing."""
    if isinstance(reply, NoAnswer):
        return Unread(reason=reply.reason)
    if reply.status != 200:
        return _unread_status(reply, now)
    try:
        data = loads(reply.body)
    except ValueError as error:
        return Unread(reason=f"the answer is not JSON: {error}")
    if not isinstance(data, dict):
        return Unread(reason="the answer is not a JSON object")
    return data if data.get("result") is True else _unread_errors(errors(data))


def _unread_status(answer: Answer, now: float) -> Unread:
    account = answer.status in (401, 403, 407, 451)
    wait = retry_after(answer.headers, now)
    words = message_of(answer)
    missing = answer.status in (404, 405, 501)
    said = f"HTTP {answer.status}{': ' if words else ''}{words}"
    return Unread(reason=said, wait=wait, account=account, missing=missing)


def message_of(answer: Answer) -> str:
    """Return the first error message of an answer's body, empty where there is none."""
    try:
        data = loads(answer.body)
    except ValueError:
        return ""
    return next((message for _, message in errors(data)), "") if isinstance(data, dict) else ""


def _unread_errors(found: tuple[tuple[int | None, str], ...]) -> NoTask | Unread:
    code, message = found[0] if found else (None, "the answer says neither yes nor why not")
    if code == 1 and _NO_TASK in message.lower():
        return NoTask()
    return Unread(reason=f"code {code}: {message}" if code is not None else message, account=code in (97, 98, 99))


def read_task(data: object) -> Task | None:
    """Read one task record; None when it has not even an id and a status."""
    if not isinstance(data, dict):
        return None
    identity, status = task_id(data.get("id")), data.get("status")
    if identity is None or not isinstance(status, str):
        return None
    return Task(
        id=identity,
        status=clean(status, most=60),
        pexit=_optional_text(data.get("pexit")),
        outputs=_outputs(data.get("outputs")),
        cost=dollars(data.get("totalcost")),
        reason=clean(data.get("debugerror")) or clean(data.get("debugoutput")),
        model=_model(data),
        params=parameters(data.get("parameters")),
        created=_seconds(data.get("createtime")),
    )


def parameters(value: object) -> Mapping[str, Any] | None:
    """Return a task's parameters, whether they came as an object or as JSON text."""
    if isinstance(value, str):
        try:
            value = loads(value.encode())
        except ValueError:
            return None
    return value if isinstance(value, dict) else None


def _model(data: Mapping[str, Any]) -> str | None:
    """Return `owner/name` where the record tells it; the documentation does not promise that it does."""
    owner, name = data.get("modelslugowner"), data.get("modelslugproject")
    return f"{owner}/{name}" if isinstance(owner, str) and isinstance(name, str) and owner and name else None


def _optional_text(value: object) -> str | None:
    return None if value is None or isinstance(value, bool | dict | list) else clean(value, most=20)


def _outputs(value: object) -> tuple[Output, ...]:
    if not isinstance(value, list):
        return ()
    records = (one for one in value if isinstance(one, dict) and isinstance(one.get("url"), str) and one["url"])
    return tuple(
        Output(
            url=one["url"],
            name=clean(one.get("name"), most=200),
            content_type=clean(one.get("contenttype"), most=100),
            size=_size(one.get("size")),
        )
        for one in records
    )


def _size(value: object) -> int | None:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,11}", text) else None


def dollars(value: object) -> Decimal | None:
    """Return an amount of money to 12 places, None where it is missing, negative or no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > 40:
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return round(amount, 12).normalize() + 0 if amount.is_finite() and 0 <= amount < 10**9 else None


def _seconds(value: object) -> float | None:
    try:
        seconds = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def list_body(start: int) -> dict[str, str]:
    return {"type": "model", "sort": "id", "order": "DESC", "start": str(start), "limit": str(PAGE)}
