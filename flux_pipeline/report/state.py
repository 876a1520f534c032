"""The word for where a render stands, from its planned step or from the end of a run."""

from __future__ import annotations

from flux_pipeline.plan import PlannedRender, Step
from flux_pipeline.run.outcome import End

STATES = ("saved", "paid", "running", "doubtful", "failed", "cancelled", "pending")
_BY_STEP = {
    Step.KEEP: "saved",
    Step.COPY: "saved",
    Step.FETCH: "paid",
    Step.FOLLOW: "running",
    Step.DOUBT: "doubtful",
}


def state_of(one: PlannedRender) -> str:
    """Return one of STATES: `paid` is finished but not on disk, `pending` was never submitted or not taken."""
    if one.step in _BY_STEP:
        return _BY_STEP[one.step]
    ended = one.submission
    if ended is not None and ended.settled is not None:
        return ended.settled.state
    return "failed" if ended is not None and ended.refused is not None else "pending"


def state_at_end(end: End) -> str:
    """Return the state of an end in the words of `status`: a task that was left to itself is `running`."""
    if end.paid:
        return "paid"
    return "running" if end.state == "pending" and end.task is not None else end.state
