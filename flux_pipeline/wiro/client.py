"""The Wiro API as calls that return values."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from flux_pipeline.errors import UsageError
from flux_pipeline.ledger.keys import Render
from flux_pipeline.wiro import offer as offers
from flux_pipeline.wiro import post, wire
from flux_pipeline.wiro.auth import Credentials
from flux_pipeline.wiro.download import Downloads, Sink
from flux_pipeline.wiro.http import Http
from flux_pipeline.wiro.outcomes import (
    Accepted,
    Gone,
    NoTask,
    PostOutcome,
    ReadOutcome,
    Tasks,
    Undelivered,
    Unknown,
    Unread,
)
from flux_pipeline.wiro.retry import Sleep, patiently
from flux_pipeline.wiro.wire import Answer, NoAnswer, Reply

DEFAULT_URL = "https://api.wiro.ai/v1"
_LOOPBACK = re.compile(r"http://(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?(/[\w./-]*)?", re.ASCII)
_PUBLIC = re.compile(r"https://[A-Za-z0-9.-]+(:\d{1,5})?(/[\w./-]*)?", re.ASCII)
_USER = re.compile(r"(?<=//).*@|^[^/]*@", re.DOTALL)  # a name and a password, which no message may repeat
_MODEL = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_ATTEMPTS = 4


def endpoint(environ: Mapping[str, str]) -> str:
    """Return the base URL to talk to; `http` is for loopback only, where no one can listen in.

    Raises:
        UsageError: `WIRO_API_BASE_URL` is no such URL.
    """
    url = environ.get("WIRO_API_BASE_URL", "").rstrip("/") or DEFAULT_URL
    if not (_LOOPBACK.fullmatch(url) or _PUBLIC.fullmatch(url)):
        raise UsageError(
            f"WIRO_API_BASE_URL is {wire.clean(_USER.sub('***@', url))!r}: it must be an https URL such as {DEFAULT_URL}, "
            "or http on loopback (127.0.0.1)"
        )
    return url


class Wiro:
    """One account at one endpoint."""

    def __init__(self, http: Http, url: str, credentials: Credentials, sleep: Sleep = asyncio.sleep) -> None:
        self._http = http
        self._url = url
        self._credentials = credentials
        self._sleep = sleep
        self._downloads = Downloads(http, loopback=_LOOPBACK.fullmatch(url) is not None, sleep=sleep)

    async def submit(self, render: Render, on_sent: Callable[[], None]) -> PostOutcome:
        """POST a render, once. This is the call that costs money."""
        if not _MODEL.fullmatch(render.model):
            return post.judge(NoAnswer(reason=f"{render.model!r} names no model", sent=False, cause="request"), 0.0)
        reply = await self._http.post_once(
            f"{self._url}/Run/{render.model}", self._credentials.headers(), orjson.dumps(dict(render.params)), on_sent
        )
        reply = self._masked(reply)
        outcome = post.judge(reply, time.time())
        if isinstance(outcome, Unknown) and (token := post.token(reply)):
            return await self._named(token, outcome)
        return outcome

    async def _named(self, token: str, unknown: Unknown) -> PostOutcome:
        """Find the task of an answer that gave only a token."""
        told = await patiently(
            lambda: self._read("Task/Detail", {"tasktoken": token}),
            again=lambda outcome: not isinstance(outcome, Tasks),
            attempts=_ATTEMPTS,
            sleep=self._sleep,
        )
        if isinstance(told, Tasks) and len(told.tasks) == 1:
            return Accepted(task=told.tasks[0].id)
        return unknown

    async def detail(self, task: str) -> ReadOutcome:
        """Ask for one task; an answer about another task, or about several, counts as none."""
        told = await self._read("Task/Detail", {"taskid": task})
        if isinstance(told, Tasks) and [one.id for one in told.tasks] != [task]:
            return NoTask() if not told.tasks else Unread(reason=f"asked for task {task}, told of another")
        return told

    async def cancel(self, task: str) -> ReadOutcome:
        """Take a task out of the queue. The answer tells the task, or why it was not done: ask `detail` what is true."""
        return await self._read("Task/Cancel", {"taskid": task})

    async def kill(self, task: str) -> ReadOutcome:
        """Stop a task that runs; the answer is like that of `cancel`."""
        return await self._read("Task/Kill", {"taskid": task})

    async def list_tasks(self, start: int) -> ReadOutcome:
        """Ask for a page of the account's tasks, newest first."""
        return await self._read("Task/List", wire.list_body(start))

    async def offer(self, model: str) -> offers.Offer | Unread:
        """Ask for the parameters and the price of a model, as the service offers it now."""
        if not _MODEL.fullmatch(model):
            return Unread(reason=f"{model!r} names no model")
        return offers.read(await self._ask("Tool/Detail", offers.body(model)), model, time.time())

    async def download(self, url: str, sink: Sink, promised: int | None) -> Gone | Undelivered | None:
        """Fetch a file into `sink`, going on after a break; None once all of it has come.

        `promised` is the length that the service announced. Redirects are judged like the first address.
        """
        return await self._downloads.fetch(url, sink, promised)

    async def _read(self, call: str, body: Mapping[str, Any]) -> ReadOutcome:
        return wire.read_tasks(await self._ask(call, body), time.time())

    async def _ask(self, call: str, body: Mapping[str, Any]) -> Reply:
        headers = self._credentials.headers()
        return self._masked(await self._http.post(f"{self._url}/{call}", headers, orjson.dumps(body)))

    def _masked(self, reply: Reply) -> Reply:
        if isinstance(reply, NoAnswer):  # its reason may quote the bytes that could not be understood
            reason = self._credentials.masked(reply.reason.encode(errors="replace")).decode(errors="replace")
            return NoAnswer(reason=wire.clean(reason), sent=reply.sent, cause=reply.cause)
        return Answer(status=reply.status, headers=reply.headers, body=self._credentials.masked(reply.body))
