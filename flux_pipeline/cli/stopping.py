"""Tasks brought to their end: cancelled in the queue, killed when they run, believed only when Detail says so."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from flux_pipeline.cli.reclaim import Desk
from flux_pipeline.cli.service import patient, refusal
from flux_pipeline.errors import AccountError, ServiceError
from flux_pipeline.ledger.facts import Settled, Submission
from flux_pipeline.run.runner import moment
from flux_pipeline.wiro.outcomes import ReadOutcome, Tasks, Unread
from flux_pipeline.wiro.tasks import QUEUED, Cancelled, Failed, Finished, Running, Task

_ROUNDS = 8  # of asking and stopping; between two that change nothing there is a pause
_PAUSE = 0.3  # seconds, and half as long again each time
_AT_ONCE = 8
_SILENCES = 3  # tasks without any answer after which the others are not asked any more


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a task stands now; `left` is one that could not be brought to its end. `cost` is in dollars."""

    key: str
    task: str
    state: Literal["cancelled", "finished", "failed", "left"]
    cost: Decimal | None = None
    reason: str = ""


class Stopper:
    """Stops tasks, several at a time, and notes each one's end as soon as the service tells it.

    After a `failure`, which is about the account or the network, the tasks not yet asked about are left alone.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._answered = False
        self._silences = 0
        self._ends: dict[str, End] = {}
        self.failure: AccountError | ServiceError | None = None

    @property
    def ends(self) -> tuple[End, ...]:
        return tuple(self._ends.values())

    async def stop(self, keys: Container[str]) -> None:
        """Stop every running task of these renders that was not tried before."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(submission: Submission, task: str) -> None:
            async with turn:
                outcome = await self._end(task)
            self._ends[task] = self._concluded(submission, task, outcome)

        running = [one for one in self._desk.history.submissions.values() if one.running and one.key in keys]
        untried = [(each, task) for each in running for task in each.tasks if task not in self._ends]
        await asyncio.gather(*(one(*pair) for pair in untried))

    async def _end(self, task: str) -> Task | str:
        """Return the task at its end, or why it is not there."""
        accepted = False
        for number in range(_ROUNDS):
            if self.failure is not None:
                return str(self.failure)
            told = await patient(lambda: self._desk.wiro.detail(task))
            if not isinstance(told, Tasks):
                return self._silent(told)
            self._answered = True
            now = told.tasks[0]
            if not isinstance(now.verdict(), Running):
                return now
            if number > 1:
                await asyncio.sleep(_PAUSE * 1.5**number)
            answer = await (self._desk.wiro.cancel if now.status in QUEUED else self._desk.wiro.kill)(task)
            accepted = isinstance(answer, Tasks)
        why = "the service took the order, yet it still runs" if accepted else "the service does not take the order"
        return f"{why}: run this again, or stop it on Wiro"

    def _silent(self, told: ReadOutcome) -> str:
        if not isinstance(told, Unread):
            self._answered = True
            return "the service does not know this task: was it submitted with another API key?"
        self._silences += 1
        if told.account or (not self._answered and self._silences >= _SILENCES):
            self.failure = refusal(told, "tasks cannot be cancelled")
        return told.reason

    def _concluded(self, one: Submission, task: str, outcome: Task | str) -> End:
        if isinstance(outcome, str):
            return End(key=one.key, task=task, state="left", reason=outcome)
        end = _ended(one.key, outcome)
        if task == one.task and end.state != "left":
            at = moment().stamp
            settled = Settled(state=end.state, pexit=outcome.pexit, cost=end.cost, at=at, reason=end.reason)
            self._desk.note([Submission(id=one.id, key=one.key, settled=settled)])
        return end


def _ended(key: str, task: Task) -> End:
    match task.verdict():
        case Finished():
            why = "it had finished already: `flux-pipeline run` fetches it"
            return End(key=key, task=task.id, state="finished", cost=task.cost, reason=why)
        case Failed(reason):
            return End(key=key, task=task.id, state="failed", cost=task.cost, reason=reason)
        case Cancelled():
            return End(key=key, task=task.id, state="cancelled", cost=task.cost)
        case Running():
            return End(key=key, task=task.id, state="left", reason="it still runs")
