"""The renders of a run, each with its stage, and the board on which the engine's parts work together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from flux_pipeline.ledger.facts import FileFact, Submission
from flux_pipeline.ledger.history import History
from flux_pipeline.plan import Plan, PlannedRender, Step
from flux_pipeline.run.events import Effect, Moment, Write
from flux_pipeline.run.stages import ACTIVE, BUSY, MOVES, UNRESOLVED, Cause, Stage

_STANDING_STILL = frozenset({Cause.INTEND, Cause.DURABLE, Cause.NOT_TAKEN})  # a refused connection moves nothing on
_BEGIN = {
    Step.SUBMIT: Stage.WAITING,
    Step.FOLLOW: Stage.FOLLOWING,
    Step.FETCH: Stage.COLLECTING,
    Step.COPY: Stage.COLLECTING,
    Step.KEEP: Stage.SAVED,
    Step.DOUBT: Stage.UNCLEAR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the user allows. Times are in seconds, money in dollars; None is no limit.

    `submit` is off for --collect-only, `follow` for --submit-only.
    """

    rate: float = 5.0
    concurrency: int = 10
    max_cost: Decimal | None = None
    retries: int = 1
    grace: float = 120.0
    timeout: float | None = None
    fail_fast: bool = False
    submit: bool = True
    follow: bool = True
    resubmit_doubtful: bool = False
    rerender_expired: bool = False


@dataclass(slots=True)
class Job:
    """A render on its way. Only `Board.move` changes the stage."""

    plan: PlannedRender
    stage: Stage
    submission: Submission | None = None
    tries: int = 0
    fetches: int = 0
    unknown_since: float | None = None  # the service says it has no such task
    reason: str = ""
    final: bool = False  # trying again cannot help

    @property
    def key(self) -> str:
        return self.plan.key

    @property
    def missing(self) -> tuple[str, ...]:
        return self.plan.missing or self.plan.paths

    def known(self) -> Submission:
        """Return the submission, of a job that is beyond waiting."""
        assert self.submission is not None
        return self.submission


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the run ends early. A `hard` stop leaves running tasks alone; a soft one follows them to their end."""

    exit_code: int
    reason: str
    hard: bool
    rank: int


@dataclass(slots=True)
class Session:
    """What this run has done, in counts."""

    submitted: int = 0
    resumed: int = 0
    adopted: int = 0
    kept: int = 0
    downloaded: int = 0
    derived: int = 0


@dataclass(slots=True)
class Board:
    """What the parts of the engine share. They change jobs through it and leave their effects on it."""

    policy: Policy
    jobs: dict[str, Job]
    now: Moment
    effects: list[Effect] = field(default_factory=list)
    by_submission: dict[str, Job] = field(default_factory=dict)
    by_task: dict[str, Job] = field(default_factory=dict)
    claimed: dict[str, str] = field(default_factory=dict)  # the render's key of every task that the lockfile claims
    claimed_at: dict[str, float] = field(default_factory=dict)  # the tick at which this run knew of each of them
    sums: dict[str, set[str]] = field(default_factory=dict)  # by path, of every file that we put there
    stages: Counter[Stage] = field(default_factory=Counter)
    session: Session = field(default_factory=Session)
    stop: Stop | None = None
    hold: float = 0.0  # no call before this moment
    moved: float = 0.0  # when a job last moved
    writing: int = 0
    watermark: int = 0  # the highest task id seen, whoever's task it is
    note: str = ""  # what the run waits for, if that is not a task

    @classmethod
    def of(cls, plan: Plan, history: History, policy: Policy, now: Moment) -> Board:
        jobs = {one.key: Job(plan=one, stage=_BEGIN[one.step], submission=_begun(one)) for one in plan.renders}
        board = cls(policy=policy, jobs=jobs, now=now, moved=now.tick, claimed=history.claimed())
        board.watermark = history.watermark()
        board.claimed_at = dict.fromkeys(board.claimed, now.tick)
        for one in history.submissions.values():
            board.remember(one.files)
        for job in jobs.values():
            board.stages[job.stage] += 1
            if job.submission is not None:
                board.by_submission[job.submission.id] = job
                board.by_task.update(dict.fromkeys(job.submission.tasks[:1], job))
        return board

    def move(self, job: Job, cause: Cause) -> None:
        """Move a job on along the table; KeyError is a fault of this program."""
        self.stages[job.stage] -= 1
        job.stage = MOVES[job.stage, cause]
        self.stages[job.stage] += 1
        if cause not in _STANDING_STILL:
            self.moved = self.now.tick

    def write(self, fact: Submission, job: Job) -> None:
        """Have a fact written, and take it as known: the next step waits for it where the protocol says so."""
        job.submission = fact if job.submission is None or job.submission.id != fact.id else job.submission.join(fact)
        self.by_submission[fact.id] = job
        self.writing += 1
        self.effects.append(Write(fact))

    def write_for_nobody(self, fact: Submission) -> None:
        """Have a fact written about a submission whose render is not part of this run."""
        self.writing += 1
        self.effects.append(Write(fact))

    def halt(self, exit_code: int, reason: str, *, hard: bool = False, rank: int = 0) -> None:
        """Stop the run early, unless it is being stopped for something weightier."""
        if self.stop is None or rank > self.stop.rank or (hard and not self.stop.hard):
            self.stop = Stop(exit_code, reason, hard, rank)

    def hold_back(self, seconds: float) -> None:
        """Leave the endpoint alone for a while, with everything."""
        self.hold = max(self.hold, self.now.tick + seconds)

    def claim(self, task: str, job: Job) -> bool:
        """Take a task for a job; False when some submission has it already."""
        if task in self.claimed:
            return False
        self.claimed[task] = job.key
        self.claimed_at[task] = self.now.tick
        self.by_task[task] = job
        return True

    def give_back(self, task: str) -> None:
        """Take back a claim: the task is another render's."""
        del self.claimed[task], self.claimed_at[task], self.by_task[task]

    def remember(self, files: Mapping[str, FileFact]) -> None:
        for path, fact in files.items():
            self.sums.setdefault(path, set()).add(fact.sha256)

    def known(self, paths: Iterable[str]) -> frozenset[str]:
        """Return the sums of files that are ours to replace at these paths."""
        return frozenset(one for path in paths for one in self.sums.get(path, ()))

    def active(self) -> int:
        """Return how many tasks may be running on the server on our account."""
        return sum(self.stages[stage] for stage in ACTIVE)

    def unresolved(self) -> int:
        return sum(self.stages[stage] for stage in UNRESOLVED)

    def busy(self) -> bool:
        """Say whether some submission or task is on its way, so that waiting may change something."""
        return any(self.stages[stage] for stage in BUSY)


def _begun(one: PlannedRender) -> Submission | None:
    return None if one.step is Step.SUBMIT else one.submission
