"""From a waiting render to a task id on disk: the part of the engine that spends money."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from flux_pipeline.ledger import facts
from flux_pipeline.ledger.facts import ACCOUNT, MODEL, Submission
from flux_pipeline.run.budget import Budget
from flux_pipeline.run.events import Post
from flux_pipeline.run.jobs import Board, Job
from flux_pipeline.run.pace import Pace
from flux_pipeline.run.stages import Cause, Stage
from flux_pipeline.wiro.outcomes import Accepted, NotTaken, PostOutcome, Refused, Unknown, Unsent

_FULL_FOR = 15.0  # seconds after which a full account is tried again without a task having ended
_FULL_AT_MOST = 900.0
_UNREACHABLE_AT_MOST = 60.0
_LONGEST_HOLD = 30.0
_UNKNOWN_AT_MOST = 3  # unclear answers in a row after which the endpoint is left alone until they are resolved


@dataclass(slots=True)
class Slots:
    """How many tasks may be active: the user's limit, under what the account was seen to allow."""

    most: int
    limit: int = 0
    full_until: float = 0.0
    full_since: float | None = None
    _credit: int = 0
    _needed: int = 1

    def __post_init__(self) -> None:
        self.limit = self.most

    def full(self, allowed: int | None, active: int, now: float) -> None:
        """Note that the account takes no more: `allowed` at once, if it said so, with `active` of ours."""
        if active < self.limit:  # else it was sent before the limit fell, and was no attempt to raise it
            self._needed = min(self._needed * 2, 64) if self.limit <= (allowed or active) + 1 else 1
        self.limit = max(1, min(self.limit, allowed or active or 1, self.most))
        self.full_since = now if self.full_since is None else self.full_since
        self.full_until = now + _FULL_FOR
        self._credit = 0

    def freed(self) -> None:
        """Note that a task has ended; after enough of them, one more is tried than was allowed before."""
        self.full_until = 0.0
        self._credit += 1
        if self.limit < self.most and self._credit >= self.limit * self._needed:
            self.limit += 1
            self._credit = 0

    def taken(self) -> None:
        self.full_since = None


@dataclass(slots=True)
class Submitting:
    """Decides which waiting render is sent next, and what the answer to it means."""

    board: Board
    budget: Budget
    pace: Pace
    slots: Slots
    ids: Iterator[str]
    jitter: Callable[[], float]
    account: str
    ready: Callable[[], bool]
    follow: Callable[[Job], None]
    failed: Callable[[Job], None]
    waiting: deque[Job] = field(default_factory=deque)
    _troubles: int = 0
    _unreachable_since: float | None = None
    _refused_models: dict[str, str] = field(default_factory=dict)
    _on_the_way: int = 0
    _unknowns: int = 0  # in a row

    def enqueue(self, job: Job, *, first: bool = False) -> None:
        (self.waiting.appendleft if first else self.waiting.append)(job)

    def release(self) -> None:
        """Intend every waiting render that rate, slots, budget and the state of the endpoint allow now."""
        while (job := self._next()) is not None:
            now = self.board.now
            self.waiting.popleft()
            intent = Submission(
                id=next(self.ids),
                key=job.key,
                cell=job.plan.cells[0],
                intended_at=now.stamp,
                watermark=str(self.board.watermark),
                estimate=job.plan.estimate,
                extra={ACCOUNT: self.account, MODEL: job.plan.render.model},
            )
            self.pace.grant(intent.id, now.tick)
            self.budget.reserve(intent.id, job.plan.render.model, intent.estimate)
            self._on_the_way += 1
            job.submission = None
            self.board.move(job, Cause.INTEND)
            self.board.write(intent, job)

    def _next(self) -> Job | None:
        self._drop_refused()
        if not self.waiting or not self._allowed() or not self._free():
            return None
        now = self.board.now.tick
        at = self.pace.at(now)
        if at is None or at > now or self.board.hold > now or self.slots.full_until > now:
            return None
        return self.waiting[0] if self._affordable() else None

    def room(self) -> bool:
        """Say whether a render is waiting that only time stands before."""
        allowed = bool(self.waiting) and self._allowed() and self._free()
        return allowed and self._affordable()

    def _affordable(self) -> bool:
        planned = self.waiting[0].plan
        return self.budget.fits(planned.render.model, planned.estimate, alone=not self.board.busy())

    def may_submit(self) -> bool:
        return self.board.policy.submit and self.board.stop is None

    def _allowed(self) -> bool:
        """Say whether a submission may be made now: nothing that is already there has been overlooked."""
        many = self._unknowns >= _UNKNOWN_AT_MOST and self.board.stages[Stage.UNCLEAR] > 0
        return self.may_submit() and self.ready() and not many

    def _free(self) -> bool:
        probing = self._troubles > 0 and self._on_the_way > 0
        return not probing and self.board.active() < self.slots.limit

    def prune(self) -> None:
        """Forget the renders that are not waiting any more, because their task was found on the server."""
        self.waiting = deque(job for job in self.waiting if job.stage is Stage.WAITING)

    def _drop_refused(self) -> None:
        while self.waiting and (why := self._refused_models.get(self.waiting[0].plan.render.model)):
            job = self.waiting.popleft()
            job.reason, job.final = why, True
            self.board.move(job, Cause.FAILED)

    def wakeup(self) -> float | None:
        """Return when the next submission is possible, as far as only time stands before it."""
        now = self.board.now.tick
        at = self.pace.at(now)
        if at is None or not self.room():
            return None
        return max(at, self.board.hold, self.slots.full_until)

    def stuck(self) -> Literal["budget", "slots"] | None:
        """Say what stands before the next submission for good: nothing is on its way that could make room.

        Not before the list has been read: what waits may be there already, and need no money.
        """
        if not self.waiting or not self.may_submit() or not self.ready() or self.board.busy():
            return None
        if not self._affordable():
            return "budget"
        return "slots" if self.board.active() >= self.slots.limit else None

    def why_not_paid(self) -> str:
        limit = self.board.policy.max_cost
        if self.budget.passed:
            return (
                f"max_cost (${limit}) is passed: the service charged more than its price says; `audit` has the amounts"
            )
        if self.waiting[0].plan.estimate is None:
            model = self.waiting[0].plan.render.model
            return f"nobody knows what a render of {model} costs, so max_cost (${limit}) cannot be kept: leave it out"
        return f"the next render would pass max_cost (${limit})"

    def durable(self, job: Job) -> None:
        """Go on after the fact that a job waited for is on disk."""
        stage, submission = job.stage, job.known()
        self.board.move(job, Cause.DURABLE)
        match stage:
            case Stage.INTENDING:
                self._post(job)
            case Stage.NAMING:
                self.follow(job)
            case Stage.DENYING:
                if submission.absent:
                    self._unknowns = 0  # the list has been read: the endpoint may be tried again
                self.budget.release(submission.id)
                self.enqueue(job, first=True)
            case Stage.REFUSING:
                self.budget.release(submission.id)
                self.failed(job)
            case _:
                raise AssertionError(f"nothing waits for the disk in stage {stage}")

    def _post(self, job: Job) -> None:
        submission = job.known()
        if self.board.stop is not None:
            self.answered(job, Unsent(reason="the run was stopped before it was sent"))
        else:
            self.board.effects.append(Post(submission.id, job.plan.render))

    def answered(self, job: Job, outcome: PostOutcome) -> None:
        """Act on what came of a POST; every outcome but an unclear one is made durable first."""
        submission = job.known()
        self.pace.answered(submission.id, self.board.now.tick)
        self._on_the_way -= 1
        if not isinstance(outcome, Unsent):
            self._unreachable_since = None
        match outcome:
            case Accepted(task=task) if self.board.claim(task, job):
                self._calm()
                self._unknowns = 0
                self.slots.taken()
                self.board.watermark = max(self.board.watermark, int(task))
                self.board.session.submitted += 1
                job.tries += 1
                self.board.move(job, Cause.ACCEPTED)
                self.board.write(Submission(id=submission.id, key=submission.key, tasks=(task,)), job)
            case Accepted(task=task):
                self._unknown(job, Unknown(reason=f"the service named task {task}, which is another render's"))
            case Unsent():
                self._unsent(outcome)
                self._deny(job, f"nothing was sent: {outcome.reason}")
            case NotTaken():
                self._not_taken(outcome)
                self._deny(job, f"the service did not take it: {outcome.reason}")
            case Refused():
                self._calm()
                self._refused(job, outcome)
                refused = facts.Refused(code=outcome.code, message=outcome.message)
                self.board.write(Submission(id=submission.id, key=submission.key, refused=refused), job)
            case Unknown():
                self._unknown(job, outcome)

    def _deny(self, job: Job, why: str) -> None:
        job.reason = why
        self.board.move(job, Cause.NOT_TAKEN)
        submission = job.known()
        self.board.write(Submission(id=submission.id, key=submission.key, unsent=why), job)

    def _unknown(self, job: Job, outcome: Unknown) -> None:
        job.reason = outcome.reason
        self._unknowns += 1
        self.board.move(job, Cause.UNKNOWN)
        if outcome.stop:
            self.board.halt(6, f"{outcome.reason}; check WIRO_API_BASE_URL")

    def _refused(self, job: Job, outcome: Refused) -> None:
        hint = (
            "; check the model's name, and WIRO_API_BASE_URL, which ends in /v1" if outcome.code == "HTTP 404" else ""
        )
        job.reason, job.final = f"the service refused it ({outcome.code}): {outcome.message}{hint}", True
        self.board.move(job, Cause.REFUSED)
        if outcome.scope == "model":
            self._refused_models[job.plan.render.model] = job.reason
        if outcome.scope == "account":
            self.board.halt(3, f"the account cannot submit ({outcome.code}): {outcome.message}", rank=2)

    def _unsent(self, outcome: Unsent) -> None:
        if self.board.stop is not None:
            return
        if outcome.cause == "request":
            self.board.halt(2, f"the request cannot be sent: {outcome.reason}", rank=2)
        elif outcome.cause != "network":
            self.board.halt(6, f"the service's {outcome.cause} was not accepted: {outcome.reason}", rank=2)
        else:
            self._trouble(None, f"the service cannot be reached, trying again: {outcome.reason}")
            now = self.board.now.tick
            self._unreachable_since = now if self._unreachable_since is None else self._unreachable_since
            lasting = now - self._unreachable_since
            if lasting >= _UNREACHABLE_AT_MOST and not self.board.stages[Stage.FOLLOWING]:
                self.board.halt(6, f"the service cannot be reached: {outcome.reason}")

    def _not_taken(self, outcome: NotTaken) -> None:
        if not outcome.full:
            self._trouble(outcome.wait, f"the service asks to wait: {outcome.reason}")
            return
        now = self.board.now.tick
        self.board.note = f"waiting for a free slot: {outcome.reason}"
        self.slots.full(outcome.limit, self.board.active() - 1, now)
        if now - (self.slots.full_since or now) > _FULL_AT_MOST and self.board.active() <= 1:
            self.board.halt(3, f"others use the account's whole limit: {outcome.reason}", rank=2)

    def _trouble(self, wait: float | None, note: str) -> None:
        self.board.note = note
        self._troubles += 1
        backoff = min(2.0 ** (self._troubles - 1), _LONGEST_HOLD) * (0.5 + self.jitter() / 2)
        self.board.hold_back(backoff if wait is None else wait)

    def _calm(self) -> None:
        self._troubles = 0
        self.board.note = ""
