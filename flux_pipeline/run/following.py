"""From a task id to the end of its task, and from there to a picture on disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import assert_never

from flux_pipeline.ledger.facts import FileFact, Settled, Submission
from flux_pipeline.run.budget import Budget
from flux_pipeline.run.events import AskDetail, AskList, Copied, Copy, Fetch, Fetched, Listed, Move, Saved, Told, Unfit
from flux_pipeline.run.evidence import same_words
from flux_pipeline.run.jobs import Board, Job
from flux_pipeline.run.polling import Polls
from flux_pipeline.run.stages import Cause, Stage
from flux_pipeline.run.submitting import Slots
from flux_pipeline.wiro.outcomes import Gone, NoTask, Tasks, Undelivered, Unread
from flux_pipeline.wiro.tasks import Cancelled, Failed, Finished, Output, Running, Task

_DOWNLOADS = 8
_UNKNOWN_AT_MOST = 120.0  # seconds for a task that the service does not (yet) know
_ROUNDS = 4  # fetches of one picture in one run
_PAUSES = (1.0, 4.0, 15.0)
_FINAL = ("moderat", "safety", "nsfw", "content policy", "request parameter")
_PAGE = 100


@dataclass(slots=True)
class Following:
    """Asks after tasks, settles what ended, and brings pictures home."""

    board: Board
    budget: Budget
    polls: Polls
    slots: Slots
    again: Callable[[Job], None]
    identify: Callable[[Task], frozenset[str]]
    unclear: Callable[[Job], None]
    copying: bool = False
    _echoes: bool = False  # a task has come back with the parameters that were sent
    _to_fetch: deque[tuple[Job, Output]] = field(default_factory=deque)
    _fetching: int = 0

    def begin(self, job: Job, *, after: float | None = None) -> None:
        self.polls.follow(job.known().tasks[0], self.board.now.tick, after=after)

    def copy(self, jobs: list[Job]) -> None:
        """Begin with the pictures that are here already, before anything new takes their places."""
        sources = ((job, job.plan.source) for job in jobs if job.plan.source)
        moves = tuple(Move(job.key, path, missing, fact) for job, (path, fact) in sources for missing in job.missing)
        if moves:
            self.copying = True
            self.board.effects.append(Copy(moves, self.board.known(move.path for move in moves)))

    def ask(self) -> None:
        """Ask for what is due, and fetch what is ready, as far as limits and the state of the endpoint allow."""
        now = self.board.now.tick
        if self.board.hold <= now:
            details, sweep = self.polls.next_reads(now)
            self.board.effects += [AskDetail(task) for task in details]
            if sweep:
                self.board.effects.append(AskList(0, "poll"))
        if not self.board.policy.follow or self.copying:
            return
        while self._to_fetch and self._fetching < _DOWNLOADS:
            job, output = self._to_fetch.popleft()
            self._fetching += 1
            known = self.board.known(job.missing)
            self.board.effects.append(Fetch(job.key, job.plan.render, output, job.missing, known))

    def wakeup(self) -> float | None:
        at = self.polls.wakeup(self.board.now.tick)
        return None if at is None else max(at, self.board.hold)

    def told(self, event: Told) -> None:
        self.polls.answered(event.task)
        job = self.board.by_task.get(event.task)
        if job is None or job.stage not in (Stage.FOLLOWING, Stage.COLLECTING):
            return
        match event.outcome:
            case Tasks(tasks=(task,)):
                job.unknown_since = None
                self._judge(job, task)
            case NoTask():
                self._unknown(job, event.task)
            case Unread() as unread:
                self._unread(unread)
                self.polls.running(event.task, self.board.now.tick, unread.wait)
            case Tasks():
                self.polls.running(event.task, self.board.now.tick)

    def listed(self, event: Listed) -> None:
        self.polls.answered(None)
        now = self.board.now.tick
        tasks = event.outcome.tasks if isinstance(event.outcome, Tasks) else ()
        for task in tasks:
            job = self.board.by_task.get(task.id)
            if job is None or job.stage not in (Stage.FOLLOWING, Stage.COLLECTING) or self._misnamed(job, task):
                continue
            if isinstance(task.verdict(), Running):
                self.polls.listed_running(task.id, now)
            else:
                self.polls.ask_now(task.id)
        if isinstance(event.outcome, Unread):
            self._unread(event.outcome)
        failed = not isinstance(event.outcome, Tasks)
        start = self.polls.page({task.id for task in tasks}, full=len(tasks) >= _PAGE, failed=failed, now=now)
        if start is not None:
            self.board.effects.append(AskList(start, "poll"))

    def _unread(self, unread: Unread) -> None:
        if unread.account:
            self.board.halt(3, f"the account cannot read its tasks: {unread.reason}", hard=True, rank=2)
        elif unread.wait is not None:
            self.board.hold_back(unread.wait)

    def _misnamed(self, job: Job, task: Task) -> bool:
        """Say whether an answer named another render's task; then nobody knows what came of this job's submission.

        Only a task that is known to be another's is taken away: one of another render of this run, or a picture with
        quite other words, as soon as some task has shown that parameters come back as they were sent. An echo that fits
        nothing proves nothing.
        """
        keys = self.identify(task) if job.stage is Stage.FOLLOWING and not job.known().adopted else frozenset()
        if job.key in keys:
            self._echoes = True
            return False
        strange = self._echoes and isinstance(task.verdict(), Finished) and not same_words(task, job.plan.render)
        if not keys or not (strange or keys & self.board.jobs.keys()):
            return False
        self.polls.ended(task.id, self.board.now.tick)
        self.board.give_back(task.id)
        self.board.write(Submission(id=job.known().id, key=job.key, misnamed=(task.id,)), job)
        self.board.move(job, Cause.MISNAMED)
        self.unclear(job)
        return True

    def _judge(self, job: Job, task: Task) -> None:
        if self._misnamed(job, task):
            return
        verdict = task.verdict()
        if isinstance(verdict, Running):
            self.polls.running(task.id, self.board.now.tick)
            return
        self.polls.ended(task.id, self.board.now.tick)
        if job.stage is Stage.COLLECTING:
            self._located(job, verdict)
            return
        self.slots.freed()
        match verdict:
            case Finished(outputs=outputs):
                self._settle(job, task, "finished", task.cost)
                self.board.move(job, Cause.FINISHED)
                self._to_fetch.append((job, outputs[0]))
            case Failed(reason=reason) if task.cost:
                self._settle(job, task, "finished", task.cost, reason)
                job.final = True
                self._fail(
                    job, f"task {task.id} was charged ${task.cost} but has no picture ({reason}): ask Wiro about it"
                )
            case Failed(reason=reason):
                job.final = any(word in reason.lower() for word in _FINAL)
                self._settle(job, task, "failed", Decimal(0), reason)
                self._fail(job, f"task {task.id} failed: {reason}")
            case Cancelled():
                job.final = True
                self._settle(job, task, "cancelled", Decimal(0))
                self._fail(job, f"task {task.id} was cancelled; run again to submit it anew")
            case _:
                assert_never(verdict)

    def _settle(self, job: Job, task: Task, state: str, cost: Decimal | None, reason: str = "") -> None:
        submission = job.known()
        self.budget.settle(submission.id, cost)
        # Nobody waits for this fact: were it lost, the next run would ask and be told the same.
        settled = Settled(state=state, pexit=task.pexit, cost=cost, at=self.board.now.stamp, reason=reason)  # type: ignore[arg-type] # one of the three words
        self.board.write(Submission(id=submission.id, key=submission.key, settled=settled), job)

    def _fail(self, job: Job, reason: str) -> None:
        job.reason = reason
        self.board.move(job, Cause.FAILED)
        self.again(job)

    def _unknown(self, job: Job, task: str) -> None:
        now = self.board.now.tick
        job.unknown_since = now if job.unknown_since is None else job.unknown_since
        if now - job.unknown_since < _UNKNOWN_AT_MOST:
            self.polls.running(task, now, 2.0)
            return
        self.polls.ended(task, now)
        if job.stage is Stage.COLLECTING:
            self._expired(job, "the service does not know the task any more")
            return
        self.board.move(job, Cause.MISNAMED)
        self.unclear(job)

    def _located(self, job: Job, verdict: Finished | Failed | Cancelled) -> None:
        if isinstance(verdict, Finished):
            self._to_fetch.append((job, verdict.outputs[0]))
        else:
            self._expired(job, "the service has no file of it any more")

    def fetched(self, event: Fetched) -> None:
        self._fetching -= 1
        job = self.board.jobs[event.key]
        job.fetches += 1
        match event.outcome:
            case Saved(files=files):
                self.board.session.downloaded += 1
                self._record(job, files)
            case Unfit(reason=reason):
                self._once_more(job, f"{reason}; the file is kept beside its place as .rejected, and not bought again")
            case Undelivered(reason=reason):
                job.fetches += 1  # it has been tried several times by now
                self._once_more(job, f"paid for, but not downloaded: {reason}; run again to fetch it")
            case Gone(reason=reason):
                if job.fetches >= _ROUNDS:
                    self._expired(job, f"the link to its file does not work ({reason})")
                else:
                    self.begin(job, after=_PAUSES[min(job.fetches, len(_PAUSES)) - 1])
            case _:
                assert_never(event.outcome)

    def _once_more(self, job: Job, reason: str) -> None:
        if job.fetches < _ROUNDS - 1:
            self.begin(job, after=_PAUSES[min(job.fetches, len(_PAUSES)) - 1])
        else:
            job.final = True
            self._fail(job, reason)

    def _expired(self, job: Job, why: str) -> None:
        review = job.known().review
        rejected = review is not None and review.verdict == "rejected"  # nobody wants to pay for that one again
        job.final = rejected or not self.board.policy.rerender_expired
        price = f" for ${job.plan.estimate}" if job.plan.estimate is not None else ""
        hint = "it is rendered again" if not job.final else f"--rerender-expired renders it again{price}"
        if rejected:
            hint = "it was rejected, so it is not rendered again: change its seed or prompt"
        self._fail(job, f"task {job.known().task} was paid for, but {why}: {hint}")

    def copied(self, event: Copied) -> None:
        """Record the copies that succeeded; fetch the pictures of those that did not."""
        self.copying = False
        by_key: dict[str, dict[str, FileFact | str]] = {}
        for move, outcome in event.outcomes.items():
            by_key.setdefault(move.key, {})[move.path] = outcome
        for key, outcomes in by_key.items():
            job = self.board.jobs[key]
            if any(isinstance(outcome, str) for outcome in outcomes.values()):
                self.begin(job, after=0.0)
            else:
                self.board.session.kept += 1
                self._record(job, {path: fact for path, fact in outcomes.items() if isinstance(fact, FileFact)})

    def _record(self, job: Job, files: Mapping[str, FileFact]) -> None:
        submission = job.known()
        taken = {path: _with_take(submission.files.get(path), fact) for path, fact in files.items()}
        self.board.move(job, Cause.FETCHED)
        self.board.remember(taken)
        self.board.write(Submission(id=submission.id, key=submission.key, files=taken), job)


def _with_take(before: FileFact | None, now: FileFact) -> FileFact:
    if before is None or before.sha256 == now.sha256:
        return now if before is None else before
    return replace(now, take=before.take + 1)
