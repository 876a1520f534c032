"""What the server says unasked: statuses over a WebSocket, and callbacks to loopback."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, WSMsgType, web

from flux_pipeline.simulator.life import FINISHED, TERMINAL
from flux_pipeline.simulator.records import record
from flux_pipeline.simulator.studio import Studio, picture_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from flux_pipeline.simulator.ledger import Ledger
    from flux_pipeline.simulator.life import Task

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 3
_LOOK_EVERY = 0.2


class Messenger:
    """A convenience on top of the ledger: nothing depends on its messages, and a restart forgets pending callbacks."""

    def __init__(self, *, ledger: Ledger, studio: Studio, clock: Callable[[], float]) -> None:
        self._ledger, self._studio, self._clock = ledger, studio, clock
        self._pending: set[asyncio.Task[None]] = set()

    def watch(self, task: Task) -> None:
        """Call back once the task is done, if it asked for that and its URL is on loopback."""
        url = task.parameters.get("callbackUrl")
        if not isinstance(url, str) or not on_loopback(url):
            return
        waiting = asyncio.get_running_loop().create_task(self._call_back(task.id, url))
        self._pending.add(waiting)
        waiting.add_done_callback(self._pending.discard)

    async def close(self) -> None:
        for waiting in self._pending:
            waiting.cancel()
        await asyncio.gather(*self._pending, return_exceptions=True)

    async def _call_back(self, task_id: int, url: str) -> None:
        task = await self._ended(task_id)
        status = task.status(self._clock())
        body = {"id": str(task.id), "taskid": str(task.id), "tasktoken": task.token, "status": status, "result": True}
        async with ClientSession(timeout=ClientTimeout(total=5), trust_env=False) as session:
            for attempt in range(_ATTEMPTS):
                with contextlib.suppress(ClientError, OSError, TimeoutError):
                    async with session.post(url, json=body, allow_redirects=False) as answer:
                        if answer.status < 300:
                            return
                await asyncio.sleep(0.2 * 2**attempt)
        _LOG.info("task %s: nobody took its callback", task_id)

    async def _ended(self, task_id: int) -> Task:
        while True:
            task = self._ledger.by_id(task_id)
            assert task is not None
            left = task.ends - self._clock()
            if left <= 0:
                return task
            await asyncio.sleep(min(left, _LOOK_EVERY))

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        """Push every status of the tasks that the client names, until it hangs up."""
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        origin = f"{request.scheme}://{request.host}"
        pushing: set[asyncio.Task[None]] = set()
        try:
            async for message in socket:
                token = _token(message.data) if message.type is WSMsgType.TEXT else None
                if token is None:
                    await socket.send_json({"type": "error", "result": False, "message": "task_info is expected"})
                    continue
                pushing.add(asyncio.get_running_loop().create_task(self._push(socket, token, origin)))
        finally:
            for task in pushing:
                task.cancel()
            await asyncio.gather(*pushing, return_exceptions=True)
        return socket

    async def _push(self, socket: web.WebSocketResponse, token: str, origin: str) -> None:
        told: set[str] = set()
        while not socket.closed:
            task = self._ledger.by_token(token)
            if task is None:
                await socket.send_json({"type": "error", "result": False, "message": "There is no task yet."})
                return
            now = self._clock()
            for status, begins in task.history():
                if begins <= now and status not in told:
                    told.add(status)
                    await socket.send_json(await self._news(task, status, now, origin))
            if told & TERMINAL:
                return
            coming = [begins - now for _, begins in task.history() if begins > now]
            await asyncio.sleep(min([_LOOK_EVERY, *coming]))

    async def _news(self, task: Task, status: str, now: float, origin: str) -> dict[str, Any]:
        message: object = ""
        if status == FINISHED and task.has_picture(now):
            size = await self._studio.size(picture_of(task))
            message = record(task, now, origin, size)["outputs"]
        return {"type": status, "id": str(task.id), "tasktoken": task.token, "message": message, "result": True}


def on_loopback(url: str) -> bool:
    try:
        parsed = urlsplit(url)
        host = parsed.hostname or ""
        return parsed.scheme in {"http", "https"} and (host == "localhost" or ipaddress.ip_address(host).is_loopback)
    except ValueError:
        return False


def _token(text: str) -> str | None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    token = data.get("tasktoken") if isinstance(data, dict) and data.get("type") == "task_info" else None
    return token if isinstance(token, str) else None
