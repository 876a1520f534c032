"""What came of submissions that nobody knows the end of, found out from the service's list of tasks.

A match is proof that the request arrived: its task is adopted. Absence needs more: two complete sweeps in a row
without a match, the second a grace period after the request can last have been under way, and a positive control,
which is a task of ours that the same list does show under the key that we know it by. Where there is no control, one
render is submitted again as a canary and has to show up first. Whatever cannot be decided like this stays doubtful.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from flux_pipeline.ledger.facts import ACCOUNT, MODEL, Submission
from flux_pipeline.run import evidence
from flux_pipeline.run.budget import Budget
from flux_pipeline.run.case import LOOKS, Case, patience
from flux_pipeline.run.events import AskList, Listed
from flux_pipeline.run.evidence import Identify
from flux_pipeline.run.jobs import Board, Job
from flux_pipeline.run.stages import Cause, Stage
from flux_pipeline.run.sweep import Sweep
from flux_pipeline.wiro.outcomes import Tasks, Unread
from flux_pipeline.wiro.tasks import Finished, Task

_BELOW = 1000  # ids below the watermark that are read too


@dataclass(slots=True)
class Reconcile:
    """Decides the unclear submissions of a run, and takes over tasks that no lockfile knows."""

    board: Board
    budget: Budget
    identify: Identify
    account: str
    ids: Callable[[], str]
    room: Callable[[], bool]  # a waiting render can be submitted
    looked: bool = False  # the list has been read once, so that nothing is submitted that is already there
    _cases: dict[str, Case] = field(default_factory=dict)
    _sweep: Sweep | None = None
    _asked: bool = False
    _next: float | None = None
    _failures: int = 0
    _swept: bool = False
    _shown: frozenset[str] = frozenset()  # the tasks of the last complete sweep
    _control_seen: int = 0
    _canary: str | None = None
    _canary_since: float = 0.0

    def begin(self, unclear: Iterable[Submission], *, submits: bool) -> None:
        """Take the unclear submissions of earlier runs; `submits` says whether this run wants to submit anything."""
        now = self.board.now.tick
        for submission in unclear:
            self._cases[submission.id] = Case(submission, now, self._is_foreign(submission))
        self.looked = not submits
        self._next = now if submits or self._cases else None

    def look(self) -> None:
        """Have the list read, from its beginning, before anything more is submitted."""
        now = self.board.now.tick
        self.looked, self._sweep = False, None
        self._next = now if self._next is None else min(self._next, now)

    def open(self, job: Job) -> None:
        """Take a submission that has just become unclear; one that has a task all the same is never called absent."""
        now, submission = self.board.now.tick, job.known()
        case = Case(submission, now, self._is_foreign(submission), named=submission.task)
        self._cases[submission.id] = case
        self._next = now if self._next is None else min(self._next, now)

    def ask(self) -> None:
        """Begin a sweep when it is time for one."""
        now = self.board.now.tick
        if self._next is None or self._asked or self._next > now:
            return
        self._next = None
        self._sweep = Sweep(began=now, deep_enough=self._floor())
        self._read()

    def undecided(self, key: str) -> bool:
        """Say whether a submission of this render is still unclear, so that no other may be made."""
        return any(case.submission.key == key for case in self._cases.values())

    @property
    def pending(self) -> bool:
        """Whether the list has still to be read once for the unclear submissions of earlier runs."""
        return bool(self._cases) and not self._swept

    def wakeup(self) -> float | None:
        return None if self._next is None or self._asked else max(self._next, self.board.hold)

    def listed(self, event: Listed) -> None:
        """Take a page, and conclude when the sweep is over."""
        self._asked = False
        sweep = self._sweep
        if sweep is None:
            return
        if isinstance(event.outcome, Unread) and event.outcome.account:
            self.board.halt(3, f"the account cannot read its tasks: {event.outcome.reason}", hard=True, rank=2)
            return
        if isinstance(event.outcome, Unread):
            self._fail(event.outcome)
            return
        match sweep.page(event.outcome.tasks if isinstance(event.outcome, Tasks) else ()):
            case "going":
                self._read()
            case "complete":
                self._failures = 0
                self._conclude(sweep)
            case "incomplete":
                self._fail(None)

    def _read(self) -> None:
        assert self._sweep is not None
        count = len(self._cases)
        self.board.note = f"looking for {count} unclear submission{'s' if count > 1 else ''}" if count else ""
        self._asked = True
        self.board.effects.append(AskList(self._sweep.start, "reconcile"))

    def _fail(self, unread: Unread | None) -> None:
        """Give up a sweep: the list could not be read, or (None) shows things that cannot be.

        After several, or at once where there is no such list, the run goes on without it: nothing is concluded from it
        any more, and what is unclear stays so.
        """
        wait = unread.wait if unread else None
        self._sweep = None
        self._failures += 1
        for case in self._cases.values():
            case.clean, case.ripe = 0, False
        if wait is not None:
            self.board.hold_back(wait)
        self._control_seen = 0
        if self._failures >= len(LOOKS) or (unread and unread.missing):
            self.looked = self._swept = True
        self._give_up_late()
        self._schedule(wait or min(2.0 ** (self._failures - 1), 30.0))

    def _conclude(self, sweep: Sweep) -> None:
        self._sweep = None
        self._swept = True
        self.board.watermark = max((self.board.watermark, *map(int, sweep.tasks)))
        self._adopt_all(sweep)
        if self._vanished(sweep):
            self._fail(None)
            return
        self.looked = True
        self._judge_absence(sweep)
        self._give_up_late()
        self._schedule(None)

    def _vanished(self, sweep: Sweep) -> bool:
        """Say whether tasks that the sweep before has shown are missing, so that this one did not see everything."""
        shown, self._shown = self._shown, frozenset(sweep.tasks)
        lowest = self._lowest()
        return lowest is not None and any(int(task) >= lowest for task in shown - self._shown)

    # --- presence ----------------------------------------------------------------------------------------------------

    def _adopt_all(self, sweep: Sweep) -> None:
        waiting = {key for key, job in self.board.jobs.items() if job.stage is Stage.WAITING and not self.looked}
        wanted = waiting | {case.submission.key for case in self._cases.values()}
        candidates = self._candidates(sweep, wanted)
        for case in sorted(self._cases.values(), key=lambda one: (one.submission.intended_at or "", one.submission.id)):
            free = self._free(candidates, case.submission.key)
            fitting = [task for task in free if int(task.id) > case.watermark]
            if fitting:
                likeliest = min if case.watermark else max  # without a mark, older tasks of the same render fit as well
                self._adopt(case, likeliest(fitting, key=lambda one: int(one.id)))
        recent = evidence.recent(sweep.tasks, self.board.now.wall)
        for key in waiting:
            fresh = [task for task in self._free(candidates, key) if recent(task)]
            if fresh:
                best = max(fresh, key=lambda one: (isinstance(one.verdict(), Finished), int(one.id)))
                self._take_over(self.board.jobs[key], best)

    def _free(self, candidates: dict[str, list[Task]], key: str) -> list[Task]:
        """Return the candidates of a key that nothing claims, not even since they were gathered."""
        return [task for task in candidates.get(key, ()) if task.id not in self.board.claimed]

    def _candidates(self, sweep: Sweep, wanted: set[str]) -> dict[str, list[Task]]:
        found: dict[str, list[Task]] = {}
        for task in sweep.tasks.values():
            if task.id in self.board.claimed or evidence.unbilled(task):
                continue
            for key in self.identify(task) & wanted:
                found.setdefault(key, []).append(task)
        return found

    def _adopt(self, case: Case, task: Task) -> None:
        """Give an unclear submission its task."""
        del self._cases[case.submission.id]
        job = self.board.jobs.get(case.submission.key)
        misnamed = (case.named,) if case.named else ()
        adopted = Submission(
            id=case.submission.id, key=case.submission.key, tasks=(task.id,), adopted=True, misnamed=misnamed
        )
        for wrong in misnamed:
            self.board.give_back(wrong)
        if job is not None and job.stage is Stage.UNCLEAR:
            job.submission = case.submission
            self._name(job, task, adopted)
        else:
            self.board.claimed[task.id] = adopted.key
            self.board.write_for_nobody(adopted)

    def _take_over(self, job: Job, task: Task) -> None:
        """Give a render a task that no lockfile knows."""
        identity = self.ids()
        self.budget.reserve(identity, job.plan.render.model, job.plan.estimate)
        job.submission = None
        self._name(
            job,
            task,
            Submission(
                id=identity,
                key=job.key,
                cell=job.plan.cells[0],
                intended_at=self.board.now.stamp,
                estimate=job.plan.estimate,
                tasks=(task.id,),
                adopted=True,
                extra={MODEL: job.plan.render.model},
            ),
        )

    def _name(self, job: Job, task: Task, fact: Submission) -> None:
        self.board.claim(task.id, job)
        job.tries += 1
        self.board.session.adopted += 1
        self.board.move(job, Cause.ADOPTED)
        self.board.write(fact, job)

    # --- absence -----------------------------------------------------------------------------------------------------

    def _judge_absence(self, sweep: Sweep) -> None:
        grace = self.board.policy.grace
        board, tasks = self.board, sweep.tasks
        hidden = evidence.hidden(tasks, board.claimed_at, sweep.began - grace)
        taken = evidence.taken(tasks, board.claimed, self.identify)
        garbled = evidence.garbled(tasks, board.claimed, board.jobs.keys(), self.identify)
        for case in self._cases.values():
            case.lookalike = self._lookalike(case, tasks)
            evident = hidden <= case.watermark and case.submission.key not in taken
            evident = evident and not garbled and case.lookalike is None
            case.clean = case.clean + 1 if evident else 0
            case.ripe = case.clean >= 2 and sweep.began >= case.since + grace
        # A control counts from the next sweep on: another one follows before anything is called absent.
        control, self._control_seen = (
            self._control_seen,
            evidence.control(tasks, board.claimed, board.jobs.keys(), self.identify),
        )
        ripe = [case for case in self._cases.values() if case.ripe and not case.foreign and case.named is None]
        for case in ripe:
            if control > case.watermark:
                self._deny(case, f"{case.absence(board.now.tick)}; task {control} of ours was there")
        if self._canary is not None and self._canary_shown(control):
            self._canary = None  # what became unclear since needs another
        left = [case for case in ripe if case.submission.id in self._cases]
        if left and self._canary is None and not self._submitting():
            self._send_canary(left)

    def _lookalike(self, case: Case, tasks: evidence.Listing) -> str | None:
        job = self.board.jobs.get(case.submission.key)
        if job is None:
            return None
        found = evidence.lookalike(tasks, self.board.claimed, (job.plan.render, case.watermark), self.identify)
        return None if found is None else found.id

    def _canary_shown(self, control: int) -> bool:
        """Say whether the list has shown the canary's task, so that one more picture at risk is not a second one."""
        submission = self.board.jobs[self._canary or ""].submission
        return submission is not None and submission.task is not None and control >= int(submission.task)

    def _submitting(self) -> bool:
        """Say whether other submissions are about to give a control, so that no canary is needed."""
        stages = self.board.stages
        return self.room() or any(stages[one] for one in (Stage.INTENDING, Stage.POSTING, Stage.NAMING))

    def _send_canary(self, left: list[Case]) -> None:
        """Submit one render again, so that its task can show whether the list shows ours."""
        may = self.board.policy.submit and self.board.stop is None
        for case in left if may else ():
            job = self._job(case)
            if job is not None:
                self._canary = job.key
                self._canary_since = self.board.now.tick
                self._deny(case, f"{case.absence(self.board.now.tick)}; submitted again as the canary")
                return

    def _deny(self, case: Case, because: str) -> None:
        del self._cases[case.submission.id]
        fact = Submission(id=case.submission.id, key=case.submission.key, absent=because)
        job = self._job(case)
        if job is None:
            self.budget.release(case.submission.id)
            self.board.write_for_nobody(fact)
        else:
            self.board.move(job, Cause.ABSENT)
            self.board.write(fact, job)

    def _job(self, case: Case) -> Job | None:
        job = self.board.jobs.get(case.submission.key)
        mine = job is not None and job.stage is Stage.UNCLEAR and job.known().id == case.submission.id
        return job if mine else None

    # --- doubt -------------------------------------------------------------------------------------------------------

    def _give_up_late(self) -> None:
        """Leave undecided what cannot be decided in reasonable time."""
        now, grace = self.board.now.tick, self.board.policy.grace
        wait = patience(grace)
        canary_ends = self._canary_since + max(grace, wait) if self._canary is not None else 0.0
        for case in list(self._cases.values()):
            too_late = now >= max(case.since + grace + wait, canary_ends)
            hopeless = case.ripe and not self._may_get_control()
            if too_late or hopeless or ((case.foreign or case.named) and case.clean >= 1):
                self._doubt(case)

    def _may_get_control(self) -> bool:
        return self._canary is not None or self._submitting() or self.board.stages[Stage.DENYING] > 0

    def _doubt(self, case: Case) -> None:
        del self._cases[case.submission.id]
        job = self._job(case)
        if job is None:
            return
        if case.named is None and self.board.policy.resubmit_doubtful:
            self.board.move(job, Cause.ABSENT)
            why = "not known; --resubmit-doubtful decided to submit it again"
            self.board.write(Submission(id=case.submission.id, key=job.key, absent=why), job)
            return
        job.reason = case.doubt()
        self.board.move(job, Cause.DOUBT)

    # --- when and how deep -------------------------------------------------------------------------------------------

    def _schedule(self, pause: float | None) -> None:
        now, grace = self.board.now.tick, self.board.policy.grace
        if pause is not None and not self.looked:
            self._next = now + pause
            return
        times = [case.next_look(now, grace) for case in self._cases.values()]
        self._next = None if not times else max(min(times), now + (pause or 0.0))

    def _lowest(self) -> int | None:
        marks = [case.watermark for case in self._cases.values()]
        return min(marks) - _BELOW if marks else None

    def _floor(self) -> Callable[[Task], bool]:
        return evidence.below(self._lowest(), takes_over=not self.looked, wall=self.board.now.wall)

    def _is_foreign(self, submission: Submission) -> bool:
        account = submission.extra.get(ACCOUNT)
        return account is not None and account != self.account
