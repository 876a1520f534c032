"""Carries the engine's effects out: the only loop of a run, and the only place in it that waits."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol, assert_never

from flux_pipeline.errors import DiskError, FluxError, StoppedError
from flux_pipeline.ledger.facts import FileFact, Submission
from flux_pipeline.ledger.keys import Render
from flux_pipeline.run.engine import Engine
from flux_pipeline.run.events import (
    Answered,
    AskDetail,
    AskList,
    Broke,
    Copied,
    Copy,
    Effect,
    Event,
    Fetch,
    Fetched,
    Interrupted,
    Listed,
    Moment,
    Move,
    Post,
    Saved,
    Sent,
    Told,
    Unfit,
    Woken,
    Write,
    Written,
)
from flux_pipeline.run.outcome import Outcome, Snapshot
from flux_pipeline.wiro.outcomes import Gone, PostOutcome, ReadOutcome, Undelivered
from flux_pipeline.wiro.tasks import Output


class Service(Protocol):
    """The door to the service."""

    async def submit(self, render: Render, on_sent: Callable[[], None]) -> PostOutcome: ...

    async def detail(self, task: str) -> ReadOutcome: ...

    async def list_tasks(self, start: int) -> ReadOutcome: ...


class Ledger(Protocol):
    """Where facts become durable; `append` blocks until they are. `trouble` says why nothing more may be submitted."""

    @property
    def trouble(self) -> str | None: ...

    def append(self, facts: Iterable[Submission]) -> None: ...


class Album(Protocol):
    """Where pictures go: `fetch` brings one home and checks it, `copy` spreads what is there."""

    async def fetch(
        self, render: Render, output: Output, paths: tuple[str, ...], known: frozenset[str]
    ) -> Saved | Unfit | Gone | Undelivered: ...

    def copy(self, moves: tuple[Move, ...], known: frozenset[str]) -> Mapping[Move, FileFact | str]: ...


Watch = Callable[[Snapshot], None]


def moment() -> Moment:
    """Read both clocks."""
    now = datetime.now(UTC)
    return Moment(time.monotonic(), now.strftime("%Y-%m-%dT%H:%M:%SZ"), now.timestamp())


class Runner:
    """Drives one engine to its end."""

    def __init__(self, engine: Engine, service: Service, ledger: Ledger, album: Album, watch: Watch) -> None:
        self._engine = engine
        self._service = service
        self._ledger = ledger
        self._album = album
        self._watch = watch
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._to_write: asyncio.Queue[Submission] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    def interrupt(self, exit_code: int) -> None:
        """Ask the run to end; to be called on the loop, as signal handlers installed there are."""
        self._events.put_nowait(Interrupted(exit_code))

    async def run(self) -> Outcome:
        """Carry the plan out and return what came of it."""
        began = time.monotonic()
        writer = asyncio.create_task(self._write_facts())
        self._perform(self._engine.start(moment()))
        while not self._engine.done:
            self._perform(self._engine.handle(await self._next_event(), moment()))
            self._watch(self._engine.snapshot())
        await self._end([writer, *self._tasks])
        return self._engine.outcome(time.monotonic() - began)

    async def _next_event(self) -> Event:
        at = self._engine.wakeup()
        if at is None:
            return await self._events.get()
        loop = asyncio.get_running_loop()
        alarm = loop.call_later(max(at - time.monotonic(), 0.0), self._events.put_nowait, Woken())
        try:
            return await self._events.get()
        finally:
            alarm.cancel()

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Write):
                self._to_write.put_nowait(effect.fact)
            else:
                task = asyncio.create_task(self._report(effect))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _report(self, effect: Effect) -> None:
        """Turn the end of an effect, whatever it is, into an event: nothing dies in silence."""
        try:
            event = await self._carry_out(effect)
        except Exception as error:  # noqa: BLE001 -- a fault of ours must end the run, not hang it
            event = _broke(error)
        self._events.put_nowait(event)

    async def _carry_out(self, effect: Effect) -> Event:
        match effect:
            case Post(submission=submission, render=render):
                sent = Sent(submission)
                outcome = await self._service.submit(render, lambda: self._events.put_nowait(sent))
                return Answered(submission, outcome)
            case AskDetail(task=task):
                return Told(task, await self._service.detail(task))
            case AskList(start=start, purpose=purpose):
                return Listed(start, purpose, await self._service.list_tasks(start))
            case Fetch(key=key, render=render, output=output, paths=paths, known=known):
                return Fetched(key, await self._album.fetch(render, output, paths, known))
            case Copy(moves=moves, known=known):
                return Copied(await asyncio.to_thread(self._album.copy, moves, known))
            case Write():
                raise AssertionError("facts go to the writer")
            case _:
                assert_never(effect)

    async def _write_facts(self) -> None:
        """Write what waits, all of it with one fsync, for as long as the run lasts."""
        while True:
            facts = [await self._to_write.get()]
            while not self._to_write.empty():
                facts.append(self._to_write.get_nowait())
            try:
                await asyncio.to_thread(self._ledger.append, facts)
            except Exception as error:  # noqa: BLE001 -- a writer that dies in silence would hang the run
                self._events.put_nowait(replace(_broke(error), unwritten=len(facts)))
            else:
                if self._ledger.trouble is not None:
                    self._events.put_nowait(Broke(self._ledger.trouble, DiskError.exit_code))
                for fact in facts:
                    self._events.put_nowait(Written(fact))

    async def _end(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        """Drop what is still under way: reads and downloads can be repeated, and what cost money is on disk."""
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _broke(error: Exception) -> Broke:
    if isinstance(error, FluxError):
        return Broke(str(error), error.exit_code)
    return Broke(f"internal error: {type(error).__name__}: {error}; please report it", StoppedError.exit_code)
