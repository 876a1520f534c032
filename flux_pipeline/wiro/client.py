"""The Wiro API as calls that return values."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urljoin

import orjson

from flux_pipeline.errors import UsageError
from flux_pipeline.ledger.keys import Render
from flux_pipeline.wiro import post, wire
from flux_pipeline.wiro.auth import Credentials
from flux_pipeline.wiro.cdn_url import Allowed, judge
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
_MODEL = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_HOPS = 3
_ATTEMPTS = 4


class Sink(Protocol):
    """Where a download goes; `size` is what has come so far, so that it can go on from there."""

    @property
    def size(self) -> int: ...

    def write(self, chunk: bytes) -> None: ...

    def reset(self) -> None: ...


def endpoint(environ: Mapping[str, str]) -> str:
    """Return the base URL to talk to; `http` is for loopback only, where no one can listen in.

    Raises:
        UsageError: `WIRO_API_BASE_URL` is no such URL.
    """
    url = environ.get("WIRO_API_BASE_URL", "").rstrip("/") or DEFAULT_URL
    if not (_LOOPBACK.fullmatch(url) or _PUBLIC.fullmatch(url)):
        raise UsageError(
            f"WIRO_API_BASE_URL is {wire.clean(url)!r}: it must be an https URL such as {DEFAULT_URL}, "
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
        self._loopback = _LOOPBACK.fullmatch(url) is not None

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

    async def list_tasks(self, start: int) -> ReadOutcome:
        """Ask for a page of the account's tasks, newest first."""
        return await self._read("Task/List", wire.list_body(start))

    async def download(self, url: str, sink: Sink, promised: int | None) -> Gone | Undelivered | None:
        """Fetch a file into `sink`, going on after a break; None once all of it has come.

        `promised` is the length that the service announced. Redirects are judged like the first address.
        """
        return await patiently(
            lambda: self._download_once(url, sink, promised),
            again=lambda outcome: isinstance(outcome, Undelivered),
            attempts=_ATTEMPTS,
            longest=8.0,
            sleep=self._sleep,
        )

    async def _download_once(self, url: str, sink: Sink, promised: int | None) -> Gone | Undelivered | None:
        for _ in range(_HOPS + 1):
            judged = judge(url, api_is_loopback=self._loopback)
            if not isinstance(judged, Allowed):
                return Gone(reason=f"the service named an address that is never fetched from: {judged.reason}")
            start = sink.size
            answer = await self._http.get(judged.url, start, lambda head: _takes(head, sink), sink.write)
            if isinstance(answer, Answer) and 300 <= answer.status < 400 and answer.headers.get("location"):
                url = urljoin(judged.url, answer.headers["location"])
                continue
            return _delivered(answer, sink, promised, start)
        return Undelivered(reason=f"more than {_HOPS} redirects")

    async def _read(self, call: str, body: Mapping[str, Any]) -> ReadOutcome:
        return wire.read_tasks(await self._ask(call, body), time.time())

    async def _ask(self, call: str, body: Mapping[str, Any]) -> Reply:
        headers = self._credentials.headers()
        return self._masked(await self._http.post(f"{self._url}/{call}", headers, orjson.dumps(body)))

    def _masked(self, reply: Reply) -> Reply:
        if isinstance(reply, NoAnswer):
            return reply
        return Answer(status=reply.status, headers=reply.headers, body=self._credentials.masked(reply.body))


def _takes(head: Answer, sink: Sink) -> bool:
    """Say whether the body that follows is the file, or the rest of it."""
    if head.headers.get("content-encoding", "identity") != "identity":
        return False
    if head.status == 200:
        sink.reset()
        return True
    return head.status == 206 and _goes_on(head, sink.size)


def _goes_on(head: Answer, start: int) -> bool:
    return head.headers.get("content-range", "").startswith(f"bytes {start}-")


def _delivered(answer: Reply, sink: Sink, promised: int | None, start: int) -> Gone | Undelivered | None:
    if isinstance(answer, NoAnswer):
        return Undelivered(reason=answer.reason)
    if answer.status in (403, 404, 410):
        return Gone(reason=f"HTTP {answer.status}")
    if answer.status not in (200, 206) or answer.headers.get("content-encoding", "identity") != "identity":
        sink.reset()
        return Undelivered(reason=f"HTTP {answer.status}, not the file as it is")
    if answer.status == 206 and not _goes_on(answer, start):
        sink.reset()
        return Undelivered(reason="the service sent another part of the file than the one asked for")
    if promised is not None and sink.size != promised:
        came = sink.size
        if came > promised:
            sink.reset()
        return Undelivered(reason=f"{came} bytes came, {promised} were promised")
    return None
