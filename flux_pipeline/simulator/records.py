"""A task as the API shows it: every number a string, as on the model page."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flux_pipeline.simulator.ledger import MICRO
from flux_pipeline.simulator.life import Outcome, Task
from flux_pipeline.simulator.studio import picture_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMES = {
    "accepttime": "task_accept",
    "assigntime": "task_assign",
    "preprocessstarttime": "task_preprocess_start",
    "preprocessendtime": "task_preprocess_end",
    "starttime": "task_start",
    "endtime": "task_end",
    "postprocessstarttime": "task_postprocess_start",
    "postprocessendtime": "task_postprocess_end",
    "canceltime": "task_cancel",
}
_REASONS = {
    Outcome.FAILED: "RuntimeError: the model stopped before it had made a picture",
    Outcome.MODERATED: "Request Moderated: the prompt was flagged by the safety system. Content moderation rejected it.",
    Outcome.ERROR: "The task could not be started: no worker accepted it",
}


def record(task: Task, now: float, origin: str, size: int | None) -> dict[str, Any]:
    """Describe a task at a time; `origin` is where its files are served, `size` is None while nobody has drawn it."""
    begun = {name: at for name, at in task.history() if at <= now}
    ended = now >= task.ends
    outputs = [_output(task, origin, size)] if task.has_picture(now) else []
    return {
        "id": str(task.id),
        "uuid": task.uuid,
        "name": "",
        "socketaccesstoken": task.token,
        "parameters": task.parameters,
        "debugoutput": "",
        "debugerror": _REASONS.get(task.outcome, "") if ended and task.stopped is None else "",
        "status": task.status(now),
        "createtime": str(int(task.created)),
        **{field: str(int(begun.get(status, 0))) for field, status in _TIMES.items()},
        "elapsedseconds": f"{_elapsed(begun, now):.4f}",
        "pexit": _pexit(task) if ended else "",
        "cps": "0.000000000000",
        "totalcost": _money(task.charge) if ended else "0",
        "guestid": None,
        "projectid": "699",
        "modelid": "598",
        "description": "",
        "basemodelid": "0",
        "runtype": "model",
        "modelfolderid": "",
        "modelfileid": "",
        "modelslugowner": task.model.partition("/")[0],
        "modelslugproject": task.model.partition("/")[2],
        "callbackurl": str(task.parameters.get("callbackUrl") or ""),
        "marketplaceid": None,
        "categories": '["tool","bfl","text-to-image","partner","flux-2-pro"]',
        "outputs": outputs,
        **({"size": str(size)} if outputs and size is not None else {}),
    }


def _pexit(task: Task) -> str:
    """Cancelled tasks carry "0" on the model page too: the status decides before the exit code."""
    failed = task.stopped is None and task.outcome in {Outcome.FAILED, Outcome.MODERATED, Outcome.ERROR}
    return "1" if failed else "0"


def _money(micros: int) -> str:
    return f"{Decimal(micros) / MICRO:.12f}" if micros else "0"


def _elapsed(begun: Mapping[str, float], now: float) -> float:
    start = begun.get("task_start")
    return 0.0 if start is None else max(0.0, begun.get("task_end", begun.get("task_cancel", now)) - start)


def _output(task: Task, origin: str, size: int | None) -> dict[str, Any]:
    picture = picture_of(task)
    ids = hashlib.sha256(task.uuid.encode()).hexdigest()
    return {
        "id": ids[:32],
        "name": picture.name,
        "contenttype": picture.content_type,
        "parentid": ids[32:],
        "uuid": task.uuid,
        **({} if size is None else {"size": str(size)}),
        "addedtime": str(int(task.ends)),
        "modifiedtime": str(int(task.ends)),
        "accesskey": task.token[::-1],
        "foldercount": "0",
        "filecount": "0",
        "ispublic": 0,
        "expiretime": None,
        "url": f"{origin}/cdn/{task.file_token}/{picture.name}",
    }
