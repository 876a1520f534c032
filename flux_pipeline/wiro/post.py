"""What an observation of a POST to /Run proves: the table of outcomes.

The rows are data, in the order in which they are tried; their numbers are those of `docs/safety.md`. Whatever no row
claims is `Unknown`: the service may have made a task, and money may have been spent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flux_pipeline.wiro import wire
from flux_pipeline.wiro.outcomes import Accepted, NotTaken, PostOutcome, Refused, Unknown, Unsent
from flux_pipeline.wiro.wire import Answer, NoAnswer, Reply

_REFUSED = frozenset({400, 404, 405, 411, 413, 414, 415, 417, 422, 426, 431})
_ACCOUNT = frozenset({401, 403, 407, 451})
_NOT_PROCESSED = frozenset({408, 421, 425, 429})
_LIMIT = re.compile(r"up to (\d{1,6}) task")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")
_VALIDATION = ("request parameter",)
_NO_ACCESS = ("suspended", "permission", "requested ip")
_NO_MODEL = ("not-exist", "not-accessible")


@dataclass(frozen=True, slots=True)
class Seen:
    """An observation, taken apart: the reply, its JSON object if it has one, and its single error if it has just one."""

    reply: Reply
    data: Mapping[str, Any] | None
    code: int | None
    message: str
    now: float

    @property
    def status(self) -> int:
        return self.reply.status if isinstance(self.reply, Answer) else 0

    @property
    def negative(self) -> bool:
        return self.status == 200 and self.data is not None and self.data.get("result") is False

    def says(self, *words: str) -> bool:
        return any(word in self.message.lower() for word in words)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: when it applies, and what it proves."""

    number: int
    applies: Callable[[Seen], bool]
    outcome: Callable[[Seen], PostOutcome]


def _unsent(seen: Seen, cause: str) -> bool:
    return isinstance(seen.reply, NoAnswer) and not seen.reply.sent and seen.reply.cause == cause


def _say_unsent(seen: Seen) -> PostOutcome:
    assert isinstance(seen.reply, NoAnswer)
    causes = {"certificate": "certificate", "proxy": "proxy", "request": "request"}
    return Unsent(reason=seen.reply.reason, cause=causes.get(seen.reply.cause, "network"))  # type: ignore[arg-type] # the literal's words are the keys above


def _say_not_processed(seen: Seen) -> PostOutcome:
    assert isinstance(seen.reply, Answer)
    return NotTaken(reason=_status(seen), wait=wire.retry_after(seen.reply.headers, seen.now))


def _say_full(seen: Seen) -> PostOutcome:
    limit = _LIMIT.search(seen.message)
    return NotTaken(reason=f"code 96: {seen.message}", full=True, limit=int(limit[1]) if limit else None)


def _refused_status(scope: str) -> Callable[[Seen], PostOutcome]:
    return lambda seen: Refused(code=f"HTTP {seen.status}", message=_words(seen), scope=scope)  # type: ignore[arg-type] # one of the literal's words, below


def _refused_code(scope: str) -> Callable[[Seen], PostOutcome]:
    return lambda seen: Refused(code=str(seen.code), message=seen.message, scope=scope)  # type: ignore[arg-type] # one of the literal's words, below


def _words(seen: Seen) -> str:
    return seen.message or "no reason given"


def _status(seen: Seen) -> str:
    return f"HTTP {seen.status}{': ' + seen.message if seen.message else ''}"


def _task(seen: Seen) -> str | None:
    if seen.data is None or seen.data.get("result") is not True or seen.status != 200:
        return None
    inner = seen.data.get("data")
    return wire.task_id(seen.data.get("taskid", inner.get("taskid") if isinstance(inner, dict) else None))


def _say_accepted(seen: Seen) -> PostOutcome:
    task = _task(seen)
    assert task is not None
    return Accepted(task=task)


def _say_no_answer(seen: Seen) -> PostOutcome:
    assert isinstance(seen.reply, NoAnswer)
    return Unknown(reason=f"no answer after the request had left: {seen.reply.reason}")


def _say_garbled(_: Seen) -> PostOutcome:
    return Unknown(reason="the answer is not a JSON object")


def _say_nothing(_: Seen) -> PostOutcome:
    return Unknown(reason="the answer says neither no nor which task")


TABLE: tuple[Row, ...] = (
    Row(1, lambda it: _unsent(it, "request"), _say_unsent),
    Row(2, lambda it: _unsent(it, "network"), _say_unsent),
    Row(3, lambda it: _unsent(it, "certificate"), _say_unsent),
    Row(4, lambda it: _unsent(it, "proxy"), _say_unsent),
    Row(5, lambda it: isinstance(it.reply, NoAnswer), _say_no_answer),
    Row(
        7,
        lambda it: 300 <= it.status < 400,
        lambda it: Unknown(
            reason=f"HTTP {it.status}: the service answers with a redirect, is it elsewhere?", stop=True
        ),
    ),
    Row(8, lambda it: it.status in _REFUSED, _refused_status("render")),
    Row(9, lambda it: it.status in _ACCOUNT, _refused_status("account")),
    Row(10, lambda it: it.status in _NOT_PROCESSED, _say_not_processed),
    Row(11, lambda it: it.status != 200, lambda it: Unknown(reason=_status(it))),
    Row(12, lambda it: it.data is None, _say_garbled),
    Row(13, lambda it: it.negative and it.code == 96, _say_full),
    Row(14, lambda it: it.negative and it.code in (97, 98, 99), _refused_code("account")),
    Row(15, lambda it: it.negative and it.code == 1 and it.says(*_NO_MODEL), _refused_code("model")),
    Row(16, lambda it: it.negative and it.code == 0 and it.says(*_VALIDATION), _refused_code("render")),
    Row(17, lambda it: it.negative and it.code == 0 and it.says(*_NO_ACCESS), _refused_code("account")),
    Row(18, lambda it: it.negative, lambda it: Unknown(reason=f"code {it.code}: {_words(it)}")),
    Row(19, lambda it: _task(it) is not None, _say_accepted),
    Row(20, lambda _: True, _say_nothing),
)


def judge(reply: Reply, now: float) -> PostOutcome:
    """Return what a reply to a POST of a render proves; `now` is in unix seconds."""
    return row_of(reply, now)[1]


def row_of(reply: Reply, now: float) -> tuple[int, PostOutcome]:
    """Return the number of the row that applies, and its outcome."""
    seen = _see(reply, now)
    row = next(row for row in TABLE if row.applies(seen))
    return row.number, row.outcome(seen)


def token(reply: Reply) -> str | None:
    """Return the token of an answer that says yes without naming a task (row 20)."""
    data = _object(reply)
    found = data.get("socketaccesstoken") if data and data.get("result") is True else None
    return found if isinstance(found, str) and _TOKEN.fullmatch(found) else None


def _see(reply: Reply, now: float) -> Seen:
    data = _object(reply)
    found = wire.errors(data) if data is not None else ()
    code, message = found[0] if len(found) == 1 else (None, "; ".join(words for _, words in found))
    return Seen(reply, data, code, message, now)


def _object(reply: Reply) -> Mapping[str, Any] | None:
    if not isinstance(reply, Answer):
        return None
    try:
        data = wire.loads(reply.body)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None
