"""The protocol with one rule taken out, to see that the simulation misses it.

A mutant that lies about the disk, or has no grace period, is made by the world; the others are patches of the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from flux_pipeline.run import evidence
from flux_pipeline.run.case import Case
from flux_pipeline.run.reconcile import Reconcile
from flux_pipeline.run.submitting import Submitting
from flux_pipeline.run.sweep import Sweep


def _submit_again(self: Submitting, job: Any, outcome: Any) -> None:
    self._deny(job, outcome.reason)


def _everyone(self: Reconcile, left: list[Case]) -> None:
    for case in left if self.board.policy.submit and self.board.stop is None else ():
        self._deny(case, "all at once")


_begin = Reconcile.begin


def _look_at_nothing(self: Reconcile, unclear: Any, *, submits: bool) -> None:
    _begin(self, unclear, submits=submits)
    self.looked = True


_PATCHES: dict[str, tuple[Any, str, Any]] = {
    "one_per_key": (Submitting, "_unknown", _submit_again),
    "watermark": (Case, "watermark", property(lambda _: 0)),
    "positive_control": (evidence, "control", lambda *_: 1 << 62),
    "canary": (Reconcile, "_send_canary", _everyone),
    "adopt_before_submit": (Reconcile, "begin", _look_at_nothing),
    "look_again": (Reconcile, "look", lambda _: None),
    "nothing_missing": (Reconcile, "_vanished", lambda *_: False),
}
_OF_THE_WORLD = frozenset({"intent_fsync", "task_fsync", "grace"})
# Without this rule nothing is lost, because the next run finds the task again: only the rule's own check sees it.
HARMLESS = frozenset({"task_fsync"})
NAMES = _OF_THE_WORLD | _PATCHES.keys()


WHERE = {"look_again": frozenset({"rollback"}), "nothing_missing": frozenset({"usual"})}  # the worlds that can show it


FROM = {"nothing_missing": 108_000}  # the seed to begin with, where it takes 70,000 schedules from 0 to meet the harm


@contextmanager
def applied(name: str) -> Iterator[None]:
    if name in _OF_THE_WORLD:
        yield
        return
    owner, attribute, replacement = _PATCHES[name]
    with ExitStack() as patches:
        patches.enter_context(patch.object(owner, attribute, replacement))
        if name == "nothing_missing":  # four ways of seeing that the list leaves tasks out
            patches.enter_context(patch.object(evidence, "hidden", lambda *_: 0))
            patches.enter_context(patch.object(Sweep, "_torn", lambda *_: False))
            patches.enter_context(patch.object(Sweep, "_beyond", lambda *_: "complete"))
        yield


Find = Callable[[str, int], object]
