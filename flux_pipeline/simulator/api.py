"""The endpoints under /v1, as if nothing ever went wrong."""

from __future__ import annotations

import re
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from flux_pipeline.simulator import models
from flux_pipeline.simulator.calls import Call, Payload, failure
from flux_pipeline.simulator.ledger import MICRO
from flux_pipeline.simulator.life import TERMINAL, Latency, Storage, Task
from flux_pipeline.simulator.records import record
from flux_pipeline.simulator.studio import Studio, picture_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from flux_pipeline.simulator.account import Account
    from flux_pipeline.simulator.ledger import Ledger
    from flux_pipeline.simulator.messenger import Messenger

NO_TASK = "There is no task yet."
_NO_MODEL = "slug-owner-project-not-exist"
_NOT_CANCELLABLE = "Task is not in a cancellable state."
_ID = re.compile(r"[0-9]{1,18}")
_LARGEST_PAGE = 100


class Api:
    def __init__(
        self,
        *,
        ledger: Ledger,
        account: Account,
        studio: Studio,
        messenger: Messenger,
        latency: Latency,
        seed: int,
        speed: float,
        price: Decimal,
        charge: Decimal,
    ) -> None:
        self._ledger, self._account, self._studio, self._messenger = ledger, account, studio, messenger
        self._latency, self._seed, self._speed = latency, seed, speed
        self._price, self._charge = price, charge

    async def run(self, call: Call) -> Payload:
        at = call.request.match_info
        model = models.find(at["owner"], at["model"])
        if model is None:
            return failure(1, _NO_MODEL)
        complaint = model.complaint(call.body)
        if complaint is not None:
            return failure(0, complaint)
        refusal = self._account.refusal(call.now)
        if refusal is not None:
            return failure(*refusal)
        task = self._ledger.add(lambda task_id: self._task(task_id, model, call))
        self._messenger.watch(task)
        return {"errors": [], "taskid": str(task.id), "socketaccesstoken": task.token, "result": True}

    def _task(self, task_id: int, model: models.Model, call: Call) -> Task:
        queue, run = self._latency.draw(self._seed, task_id, self._speed)
        return Task(
            id=task_id,
            token=secrets.token_urlsafe(24),
            uuid=str(uuid.uuid4()),
            model=model.slug,
            parameters=model.completed(call.body),
            created=call.now,
            queue=queue,
            run=run,
            outcome=call.outcome,
            price=int(self._charge * MICRO),
            file_token=file_token(),
        )

    async def detail(self, call: Call) -> Payload:
        task = self.named(call.body)
        if task is None:
            return failure(1, NO_TASK)
        size = await self._studio.size(picture_of(task)) if task.has_picture(call.now) else None
        return {
            "total": "1",
            "errors": [],
            "tasklist": [record(task, call.now, call.origin, size)],
            "result": True,
        }

    async def list(self, call: Call) -> Payload:
        """Answer one page. It draws nothing: a picture that nobody has asked for yet is listed without its `size`."""
        start, limit = _count(call.body.get("start"), 0), _count(call.body.get("limit"), _LARGEST_PAGE)
        for name, number in (("start", start), ("limit", limit)):
            if number is None:
                return failure(0, f"Request parameter [{name}] must be an integer of at least 0")
        total, tasks = self._ledger.page(
            start=start or 0,
            limit=min(limit or 0, _LARGEST_PAGE),
            newest_first=str(call.body.get("order") or "DESC").upper() != "ASC",
            model=str(call.body.get("modelName") or "") or None,
            created_by=call.horizon,
        )
        known = self._studio.known_size
        records = [record(task, call.now, call.origin, known(picture_of(task))) for task in tasks]
        return {"total": str(total), "errors": [], "tasklist": records, "result": True}

    async def cancel(self, call: Call) -> Payload:
        return self._stopped(call, when_queued=True)

    async def kill(self, call: Call) -> Payload:
        return self._stopped(call, when_queued=False)

    def _stopped(self, call: Call, *, when_queued: bool) -> Payload:
        task = self.named(call.body)
        if task is None:
            return failure(1, NO_TASK)
        status = task.status(call.now)
        if status in TERMINAL or (status == "task_queue") is not when_queued:
            return failure(1, _NOT_CANCELLABLE)
        self._ledger.stop(task.id, call.now)
        stopped = self._ledger.by_id(task.id)
        assert stopped is not None
        return {"errors": [], "tasklist": [record(stopped, call.now, call.origin, None)], "result": True}

    async def delete(self, call: Call) -> Payload:
        task = self.named(call.body)
        if task is None:
            return failure(1, NO_TASK)
        if task.status(call.now) not in TERMINAL:
            return failure(1, "Task is not in a terminal state.")
        self._ledger.store(task.id, Storage.DELETED)
        return {"errors": [], "result": True}

    async def tool(self, call: Call) -> Payload:
        model = models.find(str(call.body.get("slugowner")), str(call.body.get("slugproject")))
        if model is None:
            return failure(1, _NO_MODEL)
        return {"errors": [], "tool": [model.tool(self._price)], "result": True}

    def named(self, body: Mapping[str, Any]) -> Task | None:
        """Find the task that a body names, by id or by token, under any of the three names that the sources use."""
        for name in ("taskid", "tasktoken", "socketaccesstoken"):
            value = body.get(name)
            if value is None or value == "":
                continue
            text = str(value)
            if name == "taskid":
                return self._ledger.by_id(int(text)) if _ID.fullmatch(text) else None
            return self._ledger.by_token(text)
        return None


def file_token() -> str:
    """Make the unguessable part of a file's URL, grouped as the CDN groups it."""
    digits = secrets.token_hex(32)
    return "-".join(digits[at : at + 8] for at in range(0, 64, 8))


def _count(value: object, default: int) -> int | None:
    if value is None or value == "":
        return default
    text = str(value)
    return int(text) if _ID.fullmatch(text) else None
