"""What came of a run, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from flux_pipeline.run.jobs import Board, Job, Session
from flux_pipeline.run.stages import Stage

State = Literal["saved", "failed", "doubtful", "pending"]
SIGNALS: Mapping[int, str] = {  # why a run stopped, by the exit code that a signal leads to
    129: "interrupted (SIGHUP)",
    130: "interrupted (SIGINT)",
    143: "interrupted (SIGTERM)",
}
_STATES: dict[Stage, State] = {Stage.SAVED: "saved", Stage.FAILED: "failed", Stage.DOUBTFUL: "doubtful"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Dollars that are known to be gone, and how many charges besides nobody knows."""

    known: Decimal
    unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where one render ended. `reason` says why it is not saved, empty where it is.

    `paid` is whether a failed one was paid for all the same: its picture is made, but was not had.
    """

    key: str
    cells: tuple[str, ...]
    state: State
    task: str | None
    reason: str
    paid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run's end. Money in dollars: `charged` in this run, `spent` over the lockfile's whole life.

    `uncharged` and `unpriced` are how many charges there are besides that nobody knows, in this run and in all.
    `underived` are files that the pictures on disk did not give.
    """

    exit_code: int
    stopped: str
    ends: tuple[End, ...]
    session: Session
    charged: Decimal
    spent: Decimal
    seconds: float
    uncharged: int = 0
    unpriced: int = 0
    underived: tuple[End, ...] = ()

    def count(self, state: State) -> int:
        return sum(end.state == state for end in self.ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A run in a glance, in renders and dollars. `note` says what it waits for, if that is not a task."""

    renders: int
    saved: int
    failed: int
    doubtful: int
    running: int
    charged: Decimal
    uncharged: int
    note: str


def snapshot(board: Board, charged: Spending) -> Snapshot:
    return Snapshot(
        renders=len(board.jobs),
        saved=board.stages[Stage.SAVED],
        failed=board.stages[Stage.FAILED],
        doubtful=board.stages[Stage.DOUBTFUL],
        running=board.stages[Stage.FOLLOWING],
        charged=charged.known,
        uncharged=charged.unknown,
        note=board.note,
    )


def report(board: Board, before: Spending, charged: Spending, seconds: float) -> Outcome:
    """Sum a run up; `before` is what earlier runs had spent."""
    ends = tuple(_end(job) for job in board.jobs.values())
    return Outcome(
        exit_code=_exit_code(board, ends),
        stopped=board.stop.reason if board.stop else "",
        ends=ends,
        session=board.session,
        charged=charged.known,
        spent=before.known + charged.known,
        seconds=seconds,
        uncharged=charged.unknown,
        unpriced=before.unknown + charged.unknown,
    )


def _end(job: Job) -> End:
    state = _STATES.get(job.stage, "doubtful" if job.stage in (Stage.POSTING, Stage.UNCLEAR) else "pending")
    return End(
        key=job.key,
        cells=job.plan.cells,
        state=state,
        task=job.submission.task if job.submission else None,
        reason="" if state == "saved" else job.reason,
        paid=state == "failed" and job.submission is not None and job.submission.finished,
    )


def _exit_code(board: Board, ends: tuple[End, ...]) -> int:
    states = {end.state for end in ends}
    if board.stop is not None and (states != {"saved"} or board.stop.rank >= 4):
        return board.stop.exit_code
    if "doubtful" in states:
        return 4
    if "failed" in states:
        return 1
    return 6 if "pending" in states else 0
