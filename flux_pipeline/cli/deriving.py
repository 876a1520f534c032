"""Further sizes and formats, made of the pictures on disk once a run has nothing else to do; nothing here is paid."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from flux_pipeline.cli.project import Project
from flux_pipeline.derivation import Derivation, ours
from flux_pipeline.errors import FluxError, LockfileError
from flux_pipeline.files.checker import Checker
from flux_pipeline.files.derive import Order
from flux_pipeline.files.image import Expect, Picture, Rejected
from flux_pipeline.files.save import Files
from flux_pipeline.ledger.facts import DerivedFact, Submission
from flux_pipeline.ledger.shelf import Shelf
from flux_pipeline.run.outcome import SIGNALS, End, Outcome

_log = logging.getLogger(__name__)
_AT_ONCE = 3  # one more than there are children, so that none of them waits for a disk


@dataclass(frozen=True, slots=True)
class _Made:
    """A file that has its name; `fact` is None where the lockfile says all of it already."""

    fact: Submission | None


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why a picture gives no such file; `error` is set where that is no fault of the picture."""

    reason: str
    error: FluxError | None = None


class Darkroom:
    """Makes the files that the cells of a project want derived, and records them."""

    def __init__(self, project: Project, files: Files, checker: Checker, shelf: Shelf) -> None:
        self._project = project
        self._root = project.root.absolute()
        self._files = files
        self._checker = checker
        self._shelf = shelf
        self._busy = False
        self._signal = 0
        self._error: FluxError | None = None

    def interrupt(self, exit_code: int) -> None:
        """Begin nothing more, and give up what is under way; to be called on the loop."""
        self._signal = exit_code
        if self._busy:
            self._checker.close()

    async def develop(self, outcome: Outcome, say: Callable[[str], None]) -> Outcome:
        """Derive what is missing or not as it should be, and return the outcome of the run with that in it."""
        if not self._project.derives or (outcome.stopped and outcome.exit_code >= LockfileError.exit_code):
            return outcome
        self._busy = True
        made, failures = await self._all(say)
        self._busy = False
        outcome = replace(
            outcome,
            session=replace(outcome.session, derived=made),
            underived=failures,
            exit_code=outcome.exit_code or int(bool(failures)),
        )
        if self._signal:
            return replace(outcome, exit_code=self._signal, stopped=SIGNALS.get(self._signal, "a signal"))
        if self._error is not None:
            return replace(outcome, exit_code=self._error.exit_code, stopped=str(self._error))
        return outcome

    async def _all(self, say: Callable[[str], None]) -> tuple[int, tuple[End, ...]]:
        """Return how many files were made, and an end for each that could not be."""
        history = self._shelf.now()
        found = await asyncio.to_thread(self._project.derivations, history)
        waiting = deque(one for one in found if one.state != "made" and one.picture is not None)
        if waiting:
            say(f"deriving {len(waiting)} file{'s' if len(waiting) > 1 else ''}")
        known = ours(history, (one.path for one in waiting))
        made, failures = 0, []
        running: dict[asyncio.Task[_Made | _Failed], Derivation] = {}
        while running or (waiting and not self._ends):
            while waiting and len(running) < _AT_ONCE and not self._ends:
                one = waiting.popleft()
                running[asyncio.create_task(asyncio.to_thread(self._make, one, known[one.path]))] = one
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            outcomes = [(running.pop(task), task.result()) for task in done]
            facts = [end.fact for _, end in outcomes if isinstance(end, _Made) and end.fact is not None]
            if await self._record(facts):
                made += sum(isinstance(end, _Made) for _, end in outcomes)
            for one, end in outcomes:
                if isinstance(end, _Failed) and end.error is None:
                    failures.append(_end(one, end.reason))
                elif isinstance(end, _Failed):
                    self._error = self._error or end.error
        return made, tuple(failures)

    @property
    def _ends(self) -> bool:
        return bool(self._signal) or self._error is not None

    async def _record(self, facts: list[Submission]) -> bool:
        """Make facts durable, and say whether they are."""
        try:
            if facts:
                await asyncio.to_thread(self._shelf.append, facts)
        except FluxError as error:
            self._error = self._error or error
            return False
        return True

    def _make(self, one: Derivation, known: frozenset[str]) -> _Made | _Failed:
        try:
            return self._made(one, known)
        except FluxError as error:
            return _Failed(str(error), error)

    def _made(self, one: Derivation, known: frozenset[str]) -> _Made | _Failed:
        assert one.picture is not None
        width, height = one.recipe.size(one.picture.width, one.picture.height)
        order = Order(
            format=one.recipe.format,
            width=width,
            height=height,
            cover=one.recipe.fit == "cover",
            quality=one.recipe.quality,
            master=one.picture.sha256,
        )
        data = self._checker.derive(self._root / one.master, order)
        if isinstance(data, Rejected):
            return _Failed(f"{one.path} cannot be derived: {one.master} {data.reason}")
        expect = Expect(format=order.format, width=width, height=height, bytes=len(data), derived=True)
        with self._files.part(one.path) as part:
            part.write(data)
            verdict = part.finish(expect, ours=known)
        for name in part.kept:
            _log.warning("%s was not a file of ours and is kept beside as %s", one.path, name)
        if isinstance(verdict, Rejected):
            return _Failed(f"{one.path} {verdict.reason}")
        return _Made(_fact(one, verdict))


def _fact(one: Derivation, made: Picture) -> Submission | None:
    assert one.submission is not None
    assert one.picture is not None
    fact = DerivedFact(
        master=one.picture.sha256,
        recipe=one.recipe.digest(),
        sha256=made.sha256,
        bytes=made.bytes,
        width=made.width,
        height=made.height,
    )
    before = one.submission.derived.get(one.path)
    if before is not None and before == replace(fact, take=before.take):
        return None
    fact = replace(fact, take=1 if before is None else before.take + 1)
    return Submission(id=one.submission.id, key=one.submission.key, derived={one.path: fact})


def _end(one: Derivation, reason: str) -> End:
    return End(key=one.render.key, cells=(one.cell,), state="failed", task=one.task, reason=reason)
