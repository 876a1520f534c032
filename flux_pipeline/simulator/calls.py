"""One call on its way through the server, and the answers that are not a record."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from flux_pipeline.simulator.life import Outcome

Payload = dict[str, Any]
Answer = Payload | web.StreamResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was let in.

    `outcome` and `horizon` are the two dials that faults may turn: how a task made by this call will end, and the
    newest creation time that a list shows.
    """

    name: str
    request: web.Request
    body: Mapping[str, Any] = field(default_factory=dict)
    now: float
    outcome: Outcome = Outcome.SUCCESS
    horizon: float = float("inf")

    @property
    def origin(self) -> str:
        return f"{self.request.scheme}://{self.request.host}"


Endpoint = Callable[[Call], Awaitable[Answer]]


class Hangup(Exception):
    """The connection is to be closed without an answer."""


def failure(code: int, message: str) -> Payload:
    return {"result": False, "errors": [{"code": code, "message": message}]}


def json_response(data: object, *, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(data).encode(), status=status, content_type="application/json")
