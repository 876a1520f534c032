"""What has happened to every render: the fold of the lockfile's lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from flux_pipeline.ledger.decisions import Decision, latest
from flux_pipeline.ledger.facts import Submission

_NOTHING = 4  # the first of the stages in which no picture is there or can still come


@dataclass(frozen=True, slots=True)
class History:
    """Submissions by id and by render key; both in the order of their first line."""

    submissions: Mapping[str, Submission]
    by_key: Mapping[str, tuple[Submission, ...]]

    def of(self, key: str) -> tuple[Submission, ...]:
        return self.by_key.get(key, ())

    def best(self, key: str) -> Submission | None:
        """Return the most advanced submission of a render: of several pictures the first, of several failures the last."""
        group = self.of(key)
        if alive := [one for one in group if _stage(one) < _NOTHING]:
            return min(alive, key=lambda one: (_stage(one), one.intended_at or "", one.id))
        return max(group, key=_recent, default=None)

    def decision(self, key: str) -> Decision | None:
        """Return what was decided last on a picture of a render."""
        return latest(one.review for one in self.of(key))

    def claimed(self) -> dict[str, str]:
        """Return every task id that some line claims, with the key of its render."""
        return {task: one.key for one in self.submissions.values() for task in one.tasks}

    def spent(self) -> Decimal:
        """Return the dollars that are gone for certain."""
        return sum((one.reserved for one in self.submissions.values() if one.settled), Decimal(0))

    def reserved(self) -> Decimal:
        """Return the dollars that are gone, or may still go."""
        return sum((one.reserved for one in self.submissions.values()), Decimal(0))

    def unpriced(self, *, settled: bool) -> int:
        """Return how many submissions have an amount that nobody knows: of the settled ones, or of the others."""
        return sum(one.unpriced for one in self.submissions.values() if (one.settled is not None) is settled)

    def watermark(self) -> int:
        """Return the highest task id that the lockfile has seen, 0 without any."""
        tasks = (_number(task) for one in self.submissions.values() for task in one.tasks)
        marks = (_number(one.watermark or "") for one in self.submissions.values())
        return max((*tasks, *marks), default=0)


def fold(lines: Iterable[Submission]) -> History:
    """Join what the lines say, in whatever order they come."""
    submissions: dict[str, Submission] = {}
    for line in lines:
        known = submissions.get(line.id)
        submissions[line.id] = line if known is None else known.join(line)
    by_key: dict[str, list[Submission]] = {}
    for one in submissions.values():
        by_key.setdefault(one.key, []).append(one)
    return History(submissions, {key: tuple(group) for key, group in by_key.items()})


def _stage(one: Submission) -> int:
    stages = (bool(one.files), one.finished, one.running, one.unclear, one.settled is not None, one.refused is not None)
    return next((rank for rank, reached in enumerate(stages) if reached), len(stages))


def _recent(one: Submission) -> tuple[str, int, int, str]:
    """Sort by time; within a second, what came further and has the higher task is the later one."""
    return one.intended_at or "", -_stage(one), max(map(_number, one.tasks), default=0), one.id


def _number(task: str) -> int:
    return int(task) if task.isdecimal() else 0
