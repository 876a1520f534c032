"""All decisions of a run, without a clock, a disk, a network or a die: events in, effects out.

The parts share a board: `Submitting` leads a render to a task id, `Following` from there to a picture. The engine
routes events to them, decides when the run is over, and says what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import assert_never

from flux_pipeline.ledger.facts import Submission
from flux_pipeline.ledger.history import History
from flux_pipeline.plan import Plan, Step
from flux_pipeline.run.budget import Budget
from flux_pipeline.run.events import (
    Answered,
    Broke,
    Copied,
    Effect,
    Event,
    Fetched,
    Interrupted,
    Listed,
    Moment,
    Sent,
    Told,
    Woken,
    Written,
)
from flux_pipeline.run.evidence import Identify
from flux_pipeline.run.following import Following
from flux_pipeline.run.jobs import Board, Job, Policy
from flux_pipeline.run.outcome import SIGNALS, Outcome, Snapshot, Spending, report, snapshot
from flux_pipeline.run.pace import Pace
from flux_pipeline.run.polling import Polls
from flux_pipeline.run.reconcile import Reconcile
from flux_pipeline.run.stages import UNRESOLVED, Cause, Stage
from flux_pipeline.run.submitting import Slots, Submitting
from flux_pipeline.wiro.outcomes import PostOutcome

_ANSWERS_AT_MOST = 5.0  # seconds that a stop waits for answers to POSTs already sent
_STILL_AT_MOST = 1800.0  # seconds without anything moving
_READS_AT_LEAST = 20.0  # a second
_HOMEWARD = frozenset({Stage.FOLLOWING, Stage.COLLECTING, Stage.RECORDING})


# What has to be durable before a job in this stage may go on.
_AWAITED: dict[Stage, Callable[[Submission], object]] = {
    Stage.INTENDING: lambda fact: fact.intended_at,
    Stage.NAMING: lambda fact: fact.tasks,
    Stage.DENYING: lambda fact: fact.unsent or fact.absent,
    Stage.REFUSING: lambda fact: fact.refused,
    Stage.RECORDING: lambda fact: fact.files,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What an engine is given, since it has no die and knows no model.

    `ids` names submissions; `jitter` gives numbers from 0 to 1; `identify` turns a task's echoed parameters into the
    keys that they may be those of; `account` is a digest of the API key.
    """

    ids: Iterator[str]
    jitter: Callable[[], float]
    identify: Identify
    account: str = ""


class Engine:
    """One run of one plan. `start` once, then `handle` every event; both return effects for the runner."""

    def __init__(self, plan: Plan, history: History, policy: Policy, given: Given, now: Moment) -> None:
        """Take the plan, what has happened before, and what the engine may not make up itself."""
        self._board = Board.of(plan, history, policy, now)
        self._before = Spending(known=history.spent(), unknown=history.unpriced(settled=True))
        self._budget = Budget(policy.max_cost, history)
        slots = Slots(policy.concurrency)
        polls = Polls(Pace(max(_READS_AT_LEAST, 4 * policy.rate)))
        self._following = Following(self._board, self._budget, polls, slots, self._again, given.identify, self._open)
        self._submitting = Submitting(
            board=self._board,
            budget=self._budget,
            pace=Pace(policy.rate),
            slots=slots,
            ids=given.ids,
            jitter=given.jitter,
            account=given.account,
            ready=lambda: self._reconcile.looked,
            follow=self._follow,
            failed=self._again,
        )
        self._reconcile = Reconcile(
            board=self._board,
            budget=self._budget,
            identify=given.identify,
            account=given.account,
            ids=lambda: next(given.ids),
            room=self._submitting.room,
        )
        self._unclear = tuple(one for one in history.submissions.values() if one.unclear)
        self._deadline = None if policy.timeout is None else now.tick + policy.timeout
        self._grace_ends: float | None = None
        self._broken = False

    @property
    def done(self) -> bool:
        """Whether there is nothing left to wait for."""
        board = self._board
        if board.writing:
            return False
        if self._broken:
            return not board.stages[Stage.POSTING] or self._answers_overdue()
        if board.stop is not None and board.stop.hard:
            return not board.stages[Stage.POSTING] or self._answers_overdue()
        if self._reconcile.pending:
            return False
        awaited = UNRESOLVED | (_HOMEWARD if board.policy.follow else frozenset())
        return not any(board.stages[stage] for stage in awaited) and not self._submitting_goes_on()

    def start(self, now: Moment) -> tuple[Effect, ...]:
        """Begin: copies first, then whatever the plan follows, fetches and submits."""
        self._board.now = now
        copies: list[Job] = []
        for job in self._board.jobs.values():
            self._begin(job, copies)
        submits = self._board.policy.submit and bool(self._submitting.waiting)
        self._reconcile.begin(self._unclear, submits=submits)
        if self._board.policy.follow:
            self._following.copy(copies)
        return self._go_on()

    def handle(self, event: Event, now: Moment) -> tuple[Effect, ...]:
        """Take one event and return what is to be done next."""
        self._board.now = now
        self._take(event)
        return self._go_on()

    def wakeup(self) -> float | None:
        """Return the tick at which something is to be done without an event, None when there is no such thing."""
        if self._stopping:  # the deadline may be over; what a stop waits for comes as an event, or not in time
            return None if self._answers_overdue() else self._grace_ends
        times = [self._board.moved + _STILL_AT_MOST, self._deadline]
        times += [self._submitting.wakeup(), self._reconcile.wakeup()]
        times += [self._following.wakeup() if self._asking else None]
        return min((time for time in times if time is not None), default=None)

    def outcome(self, seconds: float) -> Outcome:
        return report(self._board, self._before, self._charged, seconds)

    def snapshot(self) -> Snapshot:
        return snapshot(self._board, self._charged)

    @property
    def _charged(self) -> Spending:
        return Spending(known=self._budget.charged, unknown=self._budget.uncharged)

    @property
    def _stopping(self) -> bool:
        return self._broken or (self._board.stop is not None and self._board.stop.hard)

    @property
    def _asking(self) -> bool:
        return self._board.policy.follow or bool(self._submitting.waiting)

    def _begin(self, job: Job, copies: list[Job]) -> None:
        board = self._board
        match job.plan.step:
            case Step.SUBMIT:
                self._submitting.enqueue(job)
            case Step.FOLLOW:
                board.session.resumed += 1
                self._following.begin(job, after=0.0)
            case Step.FETCH:
                board.session.resumed += 1
                self._following.begin(job, after=0.0)
            case Step.COPY:
                copies.append(job)
            case Step.KEEP:
                board.session.kept += 1
            case Step.DOUBT:
                job.reason = job.plan.reason
            case _:
                assert_never(job.plan.step)

    def _take(self, event: Event) -> None:
        board = self._board
        match event:
            case Woken():
                pass
            case Written(fact=fact):
                board.writing -= 1
                self._written(fact)
            case Sent(submission=submission):
                self._submitting.pace.sent(submission, board.now.tick)
            case Answered(submission=submission, outcome=outcome):
                self._answered(board.by_submission[submission], outcome)
            case Told():
                self._following.told(event)
            case Listed(purpose="poll"):
                self._following.listed(event)
            case Listed():
                self._reconcile.listed(event)
                self._submitting.prune()
            case Fetched():
                self._following.fetched(event)
            case Copied():
                self._following.copied(event)
            case Broke(reason=reason, exit_code=code, unwritten=unwritten):
                self._broken = True
                board.writing -= unwritten
                board.halt(code, reason, hard=True, rank=5)
            case Interrupted(exit_code=code):
                board.halt(code, SIGNALS.get(code, "a signal"), hard=True, rank=4)
            case _:
                assert_never(event)

    def _written(self, fact: Submission) -> None:
        job = self._board.by_submission.get(fact.id)
        awaited = _AWAITED.get(job.stage) if job is not None else None
        if job is None or job.known().id != fact.id or awaited is None or not awaited(fact):
            return  # written lazily: nobody waits for it
        if job.stage is Stage.RECORDING:
            self._board.move(job, Cause.DURABLE)
        else:
            self._submitting.durable(job)

    def _answered(self, job: Job, outcome: PostOutcome) -> None:
        self._submitting.answered(job, outcome)
        if job.stage is Stage.UNCLEAR:
            self._reconcile.open(job)

    def _open(self, job: Job) -> None:
        self._reconcile.open(job)

    def _follow(self, job: Job) -> None:
        self._following.begin(job, after=0.0 if job.known().adopted else None)

    def _again(self, job: Job) -> None:
        """Decide whether a failed render is tried once more in this run."""
        board = self._board
        if board.policy.fail_fast:
            board.halt(1, f"--fail-fast: {job.plan.cells[0]}: {job.reason}")
        elif not job.final and job.tries <= board.policy.retries and self._may_retry(job):
            board.move(job, Cause.AGAIN)
            if job.tries == 0:  # an earlier run's task: a lockfile that was rolled back may not know the next one
                self._reconcile.look()
            self._submitting.enqueue(job)

    def _may_retry(self, job: Job) -> bool:
        return self._board.policy.submit and not self._reconcile.undecided(job.key)

    def _submitting_goes_on(self) -> bool:
        return bool(self._submitting.waiting) and self._submitting.may_submit()

    def _answers_overdue(self) -> bool:
        return self._grace_ends is not None and self._board.now.tick >= self._grace_ends

    def _go_on(self) -> tuple[Effect, ...]:
        board = self._board
        self._check_time()
        if self._stopping:
            if self._grace_ends is None:
                self._grace_ends = board.now.tick + _ANSWERS_AT_MOST
        else:
            self._submitting.release()
            if board.hold <= board.now.tick:
                self._reconcile.ask()
            if self._asking:
                self._following.ask()
            if (stuck := self._submitting.stuck()) == "budget":
                board.halt(3, self._submitting.why_not_paid(), rank=1)
            elif stuck == "slots":
                board.halt(4, "unclear submissions take every slot of the concurrency limit")
        effects, board.effects = tuple(board.effects), []
        return effects

    def _check_time(self) -> None:
        board = self._board
        if self._deadline is not None and board.now.tick >= self._deadline:
            board.halt(6, f"--timeout: stopped after {board.policy.timeout:g} s", hard=True, rank=1)
        if board.now.tick >= board.moved + _STILL_AT_MOST:  # as `wakeup` computes it: to the last bit
            board.halt(6, "nothing has moved for half an hour", hard=True, rank=1)
