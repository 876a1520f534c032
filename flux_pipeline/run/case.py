"""An unclear submission: what is known of it, when the list is read for it, and what is said of it in the end."""

from __future__ import annotations

from dataclasses import dataclass

from flux_pipeline.ledger.facts import Submission

LOOKS = (0.0, 5.0, 15.0, 30.0, 60.0)  # seconds after the request ended at which the list is read
_FURTHER = 5.0  # seconds between looks when those are over
_GIVE_UP = 60.0  # seconds beyond the grace period, and for a canary to show; twice the grace where that is less
_GIVE_UP_EARLIEST = 5.0


@dataclass(slots=True)
class Case:
    """An unclear submission. `since` is the tick after which its request cannot have been under way any more."""

    submission: Submission
    since: float
    foreign: bool  # sent with another API key: this account's list proves nothing about it
    clean: int = 0  # complete sweeps in a row without a match
    ripe: bool = False  # the last of them came after the grace period, and not as the first
    named: str | None = None  # a task that the answer named, and that the service does not know
    lookalike: str | None = None  # a task that may be the one, though its parameters are not quite those

    @property
    def watermark(self) -> int:
        mark = self.submission.watermark or ""
        return int(mark) if mark.isdigit() else 0

    def next_look(self, now: float, grace: float) -> float:
        """Return the tick at which the list is to be read for it again."""
        looks = (self.since + look for look in (*(one for one in LOOKS if one < grace), grace))
        return next((time for time in looks if time > now), now + min(_FURTHER, max(grace, 0.2)))

    def absence(self, now: float) -> str:
        """Return what speaks for its request having made no task."""
        seconds = now - self.since
        return (
            f"{self.clean} complete sweeps of the task list in a row, the last {seconds:.0f} s after the request ended"
        )

    def doubt(self) -> str:
        """Return why nobody knows what came of it, and what can be done."""
        if self.named is not None:
            return f"the service does not know task {self.named}: is this the account that submitted it?"
        why = (
            "it was sent with another API key"
            if self.foreign
            else f"task {self.lookalike} looks like it, with a prompt that was changed on the way"
            if self.lookalike
            else "the service's task list neither shows nor excludes it"
        )
        return (
            f"nobody knows whether the submission of {self.submission.intended_at} made a task: {why}. Look at your "
            "tasks on Wiro; --resubmit-doubtful submits it again, and may pay twice"
        )


def patience(grace: float) -> float:
    """Return how many seconds beyond the grace period a decision, and a canary, is waited for."""
    return min(_GIVE_UP, max(_GIVE_UP_EARLIEST, 2 * grace))
