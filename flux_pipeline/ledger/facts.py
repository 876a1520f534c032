"""One line of the lockfile: what is known about one submission.

A line states some of a submission's fields. Fields are written once, so the truth is the join of all lines with one
id, in whatever order and however often they come; the join below is commutative, associative and idempotent, which
makes git's `union` merge correct. `schemas/lockfile.schema.json` describes the same lines for other programs.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, get_args

import orjson

from flux_pipeline.ledger import decisions
from flux_pipeline.ledger import files as on_disk
from flux_pipeline.ledger.decisions import Decision
from flux_pipeline.ledger.files import DerivedFact, FileFact

__all__ = [
    "ACCOUNT",
    "MODEL",
    "Decision",
    "DerivedFact",
    "FileFact",
    "Refused",
    "Settled",
    "SettledState",
    "Submission",
    "from_line",
    "seal",
    "to_lines",
    "unseal",
]

SettledState = Literal["finished", "failed", "cancelled"]
_MISNAMED = "x-misnamed"
_DERIVED = "x-derived"
_REVIEW = "x-review"
# Extra fields of an intent: a digest of the API key that it was sent with, and the model that it asks.
ACCOUNT = "x-account"
MODEL = "x-model"
_RANK: dict[SettledState, int] = {"failed": 0, "cancelled": 1, "finished": 2}
_CRC = b', "crc32": "'
_CRC_TAIL = len(_CRC) + len('xxxxxxxx"}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How a task ended. `cost` is in dollars, None where the service did not say; `at` is UTC, ISO 8601."""

    state: SettledState
    pexit: str | None = None
    cost: Decimal | None = None
    at: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The service's own words for why it made no task. `code` is its error code, or `HTTP 422` and the like."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What is known about one intent to POST a render; a field that is None (or empty) is not known.

    `tasks` holds one id, or none. It holds more only after two branches settled one unclear submission differently:
    then the first is followed, and all of them stay claimed. `misnamed` are ids that an answer gave and that were found
    to be another render's: they do not count as tasks. `derived` are files made of the picture, by their path. `review`
    is what was decided on the picture. `extra` holds fields beginning with `x-`.
    """

    id: str
    key: str
    cell: str | None = None
    intended_at: str | None = None
    watermark: str | None = None
    estimate: Decimal | None = None
    tasks: tuple[str, ...] = ()
    adopted: bool = False
    misnamed: tuple[str, ...] = ()
    refused: Refused | None = None
    unsent: str | None = None
    absent: str | None = None
    settled: Settled | None = None
    files: Mapping[str, FileFact] = field(default_factory=dict)
    derived: Mapping[str, DerivedFact] = field(default_factory=dict)
    review: Decision | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> str | None:
        return self.tasks[0] if self.tasks else None

    @property
    def unclear(self) -> bool:
        """Whether nobody knows what came of the POST."""
        return not (self.tasks or self.refused or self.unsent or self.absent)

    @property
    def running(self) -> bool:
        return bool(self.tasks) and self.settled is None and not self.files

    @property
    def finished(self) -> bool:
        """Whether there is a picture, on disk or at the service, that has been paid for."""
        return bool(self.files) or (self.settled is not None and self.settled.state == "finished")

    @property
    def reserved(self) -> Decimal:
        """Dollars that this submission has cost, or may still cost."""
        if self.settled is not None:
            known = self.settled.cost if self.settled.cost is not None else self.estimate
            return known or Decimal(0) if self.settled.state == "finished" else Decimal(0)
        if self.refused or ((self.unsent or self.absent) and not self.tasks):
            return Decimal(0)
        return self.estimate or Decimal(0)

    @property
    def unpriced(self) -> bool:
        """Whether nobody knows what this submission has cost, or may still cost."""
        if self.settled is not None:
            return self.settled.state == "finished" and self.settled.cost is None and self.estimate is None
        nothing = self.refused or ((self.unsent or self.absent) and not self.tasks)
        return not nothing and self.estimate is None

    def join(self, other: Submission) -> Submission:
        """Return what both say together; where they contradict each other, the same one wins from either side."""
        if self.id != other.id or self.key != other.key:
            raise ValueError(f"two keys for the submission {self.id}")
        misnamed = {*self.misnamed, *other.misnamed}
        tasks = {*self.tasks, *other.tasks} - misnamed
        return Submission(
            id=self.id,
            key=self.key,
            cell=_least(self.cell, other.cell),
            intended_at=_least(self.intended_at, other.intended_at),
            watermark=_least(self.watermark, other.watermark),
            estimate=_least(self.estimate, other.estimate),
            tasks=_by_age(tasks),
            misnamed=_by_age(misnamed),
            adopted=self.adopted or other.adopted,
            refused=_least(self.refused, other.refused, by=lambda one: (one.code, one.message)),
            unsent=_least(self.unsent, other.unsent),
            absent=_least(self.absent, other.absent),
            settled=_least(self.settled, other.settled, by=_settled_order),
            files=on_disk.join(self.files, other.files),
            derived=on_disk.join(self.derived, other.derived),
            review=decisions.latest((self.review, other.review)),
            extra=self.extra if not other.extra else _join_extra(self.extra, other.extra),
        )


def _by_age(tasks: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(tasks, key=lambda task: (len(task), task)))


def _least(one: Any, other: Any, *, by: Any = None) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other, key=by)


def _settled_order(one: Settled) -> tuple[Any, ...]:
    unsaid = (one.cost is None, one.pexit is None)
    return (-_RANK[one.state], one.at, -(one.cost or 0), one.pexit or "", one.reason, *unsaid)


def _join_extra(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    joined = dict(one)
    for name, value in other.items():
        joined[name] = min(joined[name], value, key=json.dumps) if name in joined else value
    return joined


def seal(body: Mapping[str, Any]) -> bytes:
    """Return the line for an object: its JSON, closed by the CRC-32 of that JSON, and a line end."""
    text = json.dumps(body, ensure_ascii=False).encode()
    return b'%s%s%08x"}\n' % (text[:-1], _CRC, zlib.crc32(text))


def unseal(line: bytes) -> Any:
    """Return the object of a sealed line without its CRC; ValueError says what is wrong with it."""
    line = line.rstrip(b"\r\n")
    if line[-_CRC_TAIL : -_CRC_TAIL + len(_CRC)] != _CRC or not line.endswith(b'"}'):
        raise ValueError("has no crc32 at its end")
    body = line[:-_CRC_TAIL] + b"}"
    if b"%08x" % zlib.crc32(body) != line[-10:-2]:
        raise ValueError("does not match its crc32: it was changed after it was written")
    return orjson.loads(body)


def to_lines(submission: Submission) -> bytes:
    """Return the submission as a line; as several only where it claims several tasks."""
    head, *others = submission.tasks or (None,)
    lines = [seal(_body(submission, head))]
    lines += [seal({"id": submission.id, "key": submission.key, "task": task}) for task in others]
    return b"".join(lines)


def _body(one: Submission, task: str | None) -> dict[str, Any]:
    refused = None if one.refused is None else {"code": one.refused.code, "message": one.refused.message}
    named: dict[str, Any] = {
        "id": one.id,
        "key": one.key,
        "cell": one.cell,
        "intended_at": one.intended_at,
        "watermark": one.watermark,
        "estimate_usd": _dollars(one.estimate),
        "task": task,
        "adopted": one.adopted or None,
        "refused": refused,
        "unsent": one.unsent,
        "absent": one.absent,
        "settled": None if one.settled is None else _settled_body(one.settled),
        "files": on_disk.body(one.files),
    }
    extra = dict(one.extra) | ({_MISNAMED: list(one.misnamed)} if one.misnamed else {})
    extra |= {_DERIVED: on_disk.body(one.derived)} if one.derived else {}
    extra |= {_REVIEW: decisions.body(one.review)} if one.review else {}
    return {name: value for name, value in named.items() if value is not None} | dict(sorted(extra.items()))


def _settled_body(settled: Settled) -> dict[str, str]:
    named = {
        "pexit": settled.pexit,
        "cost_usd": _dollars(settled.cost),
        "at": settled.at or None,
        "reason": settled.reason or None,
    }
    return {"state": settled.state} | {name: value for name, value in named.items() if value is not None}


def _dollars(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"  # str would write 1E-7


def from_line(line: bytes) -> Submission:
    """Read one sealed line; ValueError says what is wrong with it."""
    body = unseal(line)
    if not isinstance(body, dict):
        raise ValueError("is not a JSON object")
    extra = {name: body.pop(name) for name in [*body] if name.startswith("x-")}
    misnamed = extra.pop(_MISNAMED, [])
    if not isinstance(misnamed, list) or not all(isinstance(task, str) for task in misnamed):
        raise ValueError(f"{_MISNAMED} is not a list of task ids")
    derived = on_disk.read_derived(extra.pop(_DERIVED)) if _DERIVED in extra else {}
    review = decisions.read(extra.pop(_REVIEW)) if _REVIEW in extra else None
    one = Submission(
        id=_text(body, "id", required=True),
        key=_text(body, "key", required=True),
        cell=_text(body, "cell"),
        intended_at=_text(body, "intended_at"),
        watermark=_text(body, "watermark"),
        estimate=_money(body, "estimate_usd"),
        tasks=() if (task := _text(body, "task")) is None else (task,),
        adopted=body.pop("adopted", False) is True,
        misnamed=_by_age(misnamed),
        refused=None if (refused := body.pop("refused", None)) is None else _read_refused(refused),
        unsent=_text(body, "unsent"),
        absent=_text(body, "absent"),
        settled=None if (settled := body.pop("settled", None)) is None else _read_settled(settled),
        files={} if (files := body.pop("files", None)) is None else on_disk.read_files(files),
        derived=derived,
        review=review,
    )
    if body:
        raise ValueError(f"has a field that this version does not know: {', '.join(sorted(body))}")
    return replace(one, extra=extra) if extra else one


def _text(body: dict[str, Any], name: str, *, required: bool = False) -> Any:
    value = body.pop(name, None)
    if isinstance(value, str) or (value is None and not required):
        return value
    raise ValueError(f"{name} is not a text")


def _money(body: dict[str, Any], name: str) -> Decimal | None:
    value = _text(body, name)
    try:
        amount = None if value is None else Decimal(value)
    except InvalidOperation as error:
        raise ValueError(f"{name} is not an amount: {value}") from error
    if amount is not None and not amount.is_finite():
        raise ValueError(f"{name} is not an amount: {value}")
    return amount


def _read_refused(body: Any) -> Refused:
    if not isinstance(body, dict):
        raise ValueError("refused is not an object")
    return Refused(code=_text(body, "code", required=True), message=_text(body, "message", required=True))


def _read_settled(body: Any) -> Settled:
    if not isinstance(body, dict) or body.get("state") not in get_args(SettledState):
        raise ValueError("settled has no state that this version knows")
    return Settled(
        state=body["state"],
        pexit=_text(body, "pexit"),
        cost=_money(body, "cost_usd"),
        at=_text(body, "at") or "",
        reason=_text(body, "reason") or "",
    )
