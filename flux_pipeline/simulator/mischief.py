"""What each fault does. The rest of the server knows nothing of it.

A fault is wrapped around the honest endpoint: it may change the call, let it through or not, and spoil the answer.
Several that strike the same call are wrapped around each other, the first of the file outermost.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

from flux_pipeline.simulator.account import no_money, too_many
from flux_pipeline.simulator.api import NO_TASK, Api, file_token
from flux_pipeline.simulator.calls import Answer, Call, Endpoint, Hangup, failure
from flux_pipeline.simulator.cdn import Cdn, not_found
from flux_pipeline.simulator.faults import Dice, Faults, Rule
from flux_pipeline.simulator.life import Outcome, Storage, Task
from flux_pipeline.simulator.studio import Studio, picture_of

if TYPE_CHECKING:
    from flux_pipeline.simulator.account import Account
    from flux_pipeline.simulator.ledger import Ledger

_UNKNOWN = "Something went wrong on our side."
_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What faults may lay hands on."""

    api: Api
    cdn: Cdn
    ledger: Ledger
    studio: Studio
    account: Account


Fault = Callable[[Stage, Rule, Endpoint, Call], Awaitable[Answer]]


class Mischief:
    def __init__(self, faults: Faults, stage: Stage) -> None:
        self._dice, self._stage = Dice(faults), stage

    async def answer(self, call: Call, endpoint: Endpoint) -> Answer:
        for rule in reversed(self._dice.roll(call.name, self._parameters(call))):
            endpoint = partial(_ACTIONS[rule.what], self._stage, rule, endpoint)
        return await endpoint(call)

    def _parameters(self, call: Call) -> Mapping[str, Any]:
        if call.name == "run":
            return call.body
        task = self._stage.cdn.served(call) if call.name == "cdn" else self._stage.api.named(call.body)
        return {} if task is None else task.parameters


async def _lost_answer(_stage: Stage, _rule: Rule, proceed: Endpoint, call: Call) -> Answer:
    await proceed(call)
    raise Hangup


async def _lost_before(_stage: Stage, _rule: Rule, _proceed: Endpoint, _call: Call) -> Answer:
    raise Hangup


async def _http_500_made(_stage: Stage, _rule: Rule, proceed: Endpoint, call: Call) -> Answer:
    await proceed(call)
    return web.Response(status=500, text="Internal Server Error")


async def _http_500_not_made(_stage: Stage, _rule: Rule, _proceed: Endpoint, _call: Call) -> Answer:
    return web.Response(status=500, text="Internal Server Error")


def _gateway(status: int, text: str, content_type: str) -> Fault:
    """Answer in the gateway's name; `retry_after` goes into the header as it was given, sense or nonsense."""

    async def fault(_stage: Stage, rule: Rule, proceed: Endpoint, call: Call) -> Answer:
        if rule.settings.get("made"):
            await proceed(call)
        answer = web.Response(status=status, text=text, content_type=content_type)
        if "retry_after" in rule.settings:
            answer.headers["Retry-After"] = str(rule.settings["retry_after"])
        return answer

    return fault


async def _code_0_made(_stage: Stage, rule: Rule, proceed: Endpoint, call: Call) -> Answer:
    await proceed(call)
    return failure(0, str(rule.settings.get("message", _UNKNOWN)))


async def _code_0_not_made(_stage: Stage, rule: Rule, _proceed: Endpoint, _call: Call) -> Answer:
    return failure(0, str(rule.settings.get("message", _UNKNOWN)))


async def _code_96(stage: Stage, rule: Rule, _proceed: Endpoint, call: Call) -> Answer:
    return failure(96, str(rule.settings.get("message", too_many(stage.account.balance(call.now)))))


async def _code_97(_stage: Stage, rule: Rule, _proceed: Endpoint, _call: Call) -> Answer:
    return failure(97, str(rule.settings.get("message", no_money(Decimal("0.41")))))


async def _malformed(_stage: Stage, _rule: Rule, proceed: Endpoint, call: Call) -> Answer:
    text = json.dumps(await _payload(proceed, call))
    return web.Response(text=text[: len(text) * 2 // 3], content_type="application/json")


async def _no_id(_stage: Stage, _rule: Rule, proceed: Endpoint, call: Call) -> Answer:
    answer = await _payload(proceed, call)
    return {name: value for name, value in answer.items() if name != "taskid"}


async def _duplicate_id(stage: Stage, _rule: Rule, proceed: Endpoint, call: Call) -> Answer:
    answer = await _payload(proceed, call)
    earlier = stage.ledger.by_id(int(answer["taskid"]) - 1) if "taskid" in answer else None
    if earlier is None:
        return answer
    return answer | {"taskid": str(earlier.id), "socketaccesstoken": earlier.token}


async def _slow(_stage: Stage, rule: Rule, proceed: Endpoint, call: Call) -> Answer:
    """Do what was asked at once and answer late: the client's patience ends after the task was made."""
    answer = await proceed(call)
    await asyncio.sleep(float(rule.settings.get("delay", 5)))
    return answer


async def _hang(_stage: Stage, _rule: Rule, proceed: Endpoint, call: Call) -> Answer:
    await proceed(call)
    await asyncio.Event().wait()
    raise Hangup


async def _balance(stage: Stage, rule: Rule, proceed: Endpoint, call: Call) -> Answer:
    stage.account.lose(Decimal(str(rule.settings.get("by", "1"))))
    return await proceed(call)


def _ends_as(outcome: Outcome) -> Fault:
    async def fault(_stage: Stage, _rule: Rule, proceed: Endpoint, call: Call) -> Answer:
        return await proceed(replace(call, outcome=outcome))

    return fault


async def _lag(_stage: Stage, rule: Rule, proceed: Endpoint, call: Call) -> Answer:
    return await proceed(replace(call, horizon=call.now - float(rule.settings.get("seconds", 30))))


async def _shuffle(_stage: Stage, rule: Rule, proceed: Endpoint, call: Call) -> Answer:
    answer = await _payload(proceed, call)
    tasks = list(answer.get("tasklist", ()))
    random.Random(f"{rule.what}:{len(tasks)}").shuffle(tasks)
    return answer | {"tasklist": tasks}


async def _drop_page(_stage: Stage, _rule: Rule, proceed: Endpoint, call: Call) -> Answer:
    """Answer with the page that follows the one that was asked for."""
    start, limit = (int(call.body.get(name) or default) for name, default in (("start", 0), ("limit", 100)))
    return await proceed(replace(call, body={**call.body, "start": str(start + limit)}))


def _each_task(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Fault:
    async def fault(_stage: Stage, _rule: Rule, proceed: Endpoint, call: Call) -> Answer:
        answer = await _payload(proceed, call)
        return answer | {"tasklist": [change(task) for task in answer["tasklist"]]} if "tasklist" in answer else answer

    return fault


def _as_text(task: dict[str, Any]) -> dict[str, Any]:
    parameters = {name: _text(value).replace("\n", "\r\n") for name, value in task["parameters"].items()}
    return task | {"parameters": parameters}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


async def _no_task(_stage: Stage, _rule: Rule, _proceed: Endpoint, _call: Call) -> Answer:
    return failure(1, NO_TASK)


async def _payload(proceed: Endpoint, call: Call) -> dict[str, Any]:
    """Take the honest answer apart; one that another fault has already spoilt is passed on as a failure."""
    answer = await proceed(call)
    return answer if isinstance(answer, dict) else failure(0, _UNKNOWN)


# --- the CDN: a request for a file that is not there gets its honest 404 -------------------------------------------


def _on_file(spoil: Callable[[Stage, Rule, Call, Task], Awaitable[web.StreamResponse]]) -> Fault:
    async def fault(stage: Stage, rule: Rule, proceed: Endpoint, call: Call) -> Answer:
        task = stage.cdn.served(call)
        return await (proceed(call) if task is None else spoil(stage, rule, call, task))

    return fault


async def _file(stage: Stage, task: Task, **changes: Any) -> tuple[bytes, str]:
    """Draw a task's picture with changes; the content type stays the one that was promised."""
    picture = picture_of(task)
    return await stage.studio.file(replace(picture, **changes)), picture.content_type


async def _truncated(stage: Stage, _rule: Rule, call: Call, task: Task) -> web.StreamResponse:
    data, kind = await _file(stage, task)
    answer = web.StreamResponse(headers={"Content-Type": kind, "Content-Length": str(len(data))})
    await answer.prepare(call.request)
    await answer.write(data[: len(data) // 2])
    if call.request.transport is not None:
        call.request.transport.close()
    return answer


async def _truncated_silent(stage: Stage, _rule: Rule, call: Call, task: Task) -> web.StreamResponse:
    data, kind = await _file(stage, task)
    answer = web.StreamResponse(headers={"Content-Type": kind})
    await answer.prepare(call.request)
    await answer.write(data[: len(data) // 2])
    return answer


async def _wrong_type(stage: Stage, _rule: Rule, _call: Call, task: Task) -> web.StreamResponse:
    other = "png" if picture_of(task).format == "jpeg" else "jpeg"
    data, kind = await _file(stage, task, format=other)
    return web.Response(body=data, content_type=kind)


async def _wrong_size(stage: Stage, _rule: Rule, _call: Call, task: Task) -> web.StreamResponse:
    picture = picture_of(task)
    data, kind = await _file(stage, task, width=picture.width + 16, height=max(16, picture.height // 2))
    return web.Response(body=data, content_type=kind)


async def _html(_stage: Stage, _rule: Rule, _call: Call, _task: Task) -> web.StreamResponse:
    return web.Response(text="<html><body>Please sign in to this network.</body></html>", content_type="text/html")


async def _expired(stage: Stage, rule: Rule, _call: Call, task: Task) -> web.StreamResponse:
    """Let the URL die; the next Detail names a new one."""
    stage.ledger.renew_file(task.id, file_token())
    return not_found(int(rule.settings.get("status", 403)))


async def _gone(stage: Stage, rule: Rule, _call: Call, task: Task) -> web.StreamResponse:
    """Lose the file for ever; Detail goes on naming it."""
    stage.ledger.store(task.id, Storage.GONE)
    return not_found(int(rule.settings.get("status", 404)))


async def _gzip(stage: Stage, _rule: Rule, _call: Call, task: Task) -> web.StreamResponse:
    data, kind = await _file(stage, task)
    packed = gzip.compress(data, compresslevel=1, mtime=0)
    return web.Response(body=packed, content_type=kind, headers={"Content-Encoding": "gzip"})


async def _endless(stage: Stage, _rule: Rule, call: Call, task: Task) -> web.StreamResponse:
    data, kind = await _file(stage, task)
    answer = web.StreamResponse(headers={"Content-Type": kind})
    await answer.prepare(call.request)
    while True:
        await answer.write(data)


async def _redirect_private(_stage: Stage, rule: Rule, _call: Call, _task: Task) -> web.StreamResponse:
    target = str(rule.settings.get("to", "http://169.254.169.254/latest/meta-data/"))
    return web.Response(status=302, headers={"Location": target})


_ACTIONS: dict[str, Fault] = {
    "lost_answer": _lost_answer,
    "lost_before": _lost_before,
    "http_500_made": _http_500_made,
    "http_500_not_made": _http_500_not_made,
    "http_503": _gateway(503, "", "text/plain"),
    "http_429": _gateway(429, "Too Many Requests", "text/plain"),
    "html_502": _gateway(502, _BAD_GATEWAY, "text/html"),
    "code_0_unknown_made": _code_0_made,
    "code_0_unknown_not_made": _code_0_not_made,
    "code_96": _code_96,
    "code_97": _code_97,
    "malformed": _malformed,
    "no_id": _no_id,
    "duplicate_id": _duplicate_id,
    "slow": _slow,
    "hang": _hang,
    "balance": _balance,
    "task_fails": _ends_as(Outcome.FAILED),
    "task_error": _ends_as(Outcome.ERROR),
    "task_cancelled": _ends_as(Outcome.CANCELLED),
    "no_outputs": _ends_as(Outcome.EMPTY),
    "no_outputs_charged": _ends_as(Outcome.EMPTY_CHARGED),
    "moderated": _ends_as(Outcome.MODERATED),
    "lag": _lag,
    "shuffle": _shuffle,
    "drop_page": _drop_page,
    "text_params": _each_task(_as_text),
    "unknown_status": _each_task(lambda task: task | {"status": "task_thinking"}),
    "no_pexit": _each_task(lambda task: {name: value for name, value in task.items() if name != "pexit"}),
    "no_task": _no_task,
    "truncated": _on_file(_truncated),
    "truncated_silent": _on_file(_truncated_silent),
    "wrong_type": _on_file(_wrong_type),
    "wrong_size": _on_file(_wrong_size),
    "html": _on_file(_html),
    "expired": _on_file(_expired),
    "gone": _on_file(_gone),
    "gzip": _on_file(_gzip),
    "endless": _on_file(_endless),
    "redirect_private": _on_file(_redirect_private),
}
