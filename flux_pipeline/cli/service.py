"""The service as the commands open it: the real one, or a rehearsal's; and walks through its list of tasks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from flux_pipeline.cli.project import Project
from flux_pipeline.cli.signals import Stopped
from flux_pipeline.errors import AccountError, LockfileForeign, ServiceError
from flux_pipeline.ledger import contents
from flux_pipeline.ledger.history import History
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.run.sweep import Sweep
from flux_pipeline.wiro.auth import Credentials, Secret
from flux_pipeline.wiro.client import Wiro
from flux_pipeline.wiro.echo import Shape
from flux_pipeline.wiro.outcomes import ReadOutcome, Tasks, Unread
from flux_pipeline.wiro.retry import patiently
from flux_pipeline.wiro.tasks import Task

T = TypeVar("T")
_STATE = Path(".flux-pipeline")  # what a rehearsal's server remembers, in the directory that the command runs in
_ATTEMPTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the service is, and who asks."""

    url: str
    credentials: Credentials


def credentials_of(project: Project) -> Credentials | None:
    """Return who asks, None in a rehearsal; to be called before anything is written."""
    return None if project.simulate else Credentials.from_environment(os.environ)


@contextmanager
def opened(endpoint: str, credentials: Credentials | None, *, remember: bool = True) -> Iterator[Access]:
    """Open the service at `endpoint`, or without credentials the rehearsal's server.

    Where no task will be made, that one need not `remember` any, and leaves nothing on disk.
    """
    if credentials is not None:
        yield Access(url=endpoint, credentials=credentials)
        return
    from flux_pipeline.simulator.server import REHEARSAL_BALANCE, Settings, Simulator, SimulatorThread

    if remember:
        _STATE.mkdir(exist_ok=True)
        (_STATE / ".gitignore").write_text("*\n")
    place = _STATE / "simulator.sqlite3" if remember else None
    key = Secret("rehearsal")  # no secret at all, but the same account in every rehearsal
    simulator = Simulator(Settings(api_key=key.reveal(), balance=REHEARSAL_BALANCE), place)
    with contextlib.closing(simulator), SimulatorThread(simulator) as server:
        yield Access(url=server.base_url, credentials=Credentials(key))


def shapes_of(schemas: Schemas, models: Iterable[str]) -> tuple[Shape, ...]:
    """Return what the parameters of these models look like, to recognise their tasks."""
    known = ((name, schemas.model(name)) for name in sorted(models))
    return tuple(Shape(model=name, types=one.types, defaults=one.defaults) for name, one in known if one)


def history_of(project: Project) -> History:
    """Read the lockfiles without holding them, and make sure that they are this server's.

    Raises:
        LockfileError: one is damaged, of a newer version, or of another server.
    """
    for part in project.parts:
        found = contents.read(part.lockfile)
        if found is not None and found.endpoint != project.endpoint:
            raise LockfileForeign(
                f"{part.lockfile} belongs to {found.endpoint}, but this command talks to {project.endpoint}: "
                "set WIRO_API_BASE_URL to that server, or name another lockfile with --lockfile"
            )
    return project.history()


def conduct(work: Coroutine[Any, Any, T]) -> T:
    """Do the work; a signal ends it between two steps, and the program with 128 plus its number."""

    async def until_stopped() -> T:
        loop, me = asyncio.get_running_loop(), asyncio.current_task()
        received: list[int] = []

        def stop(number: int) -> None:
            received.append(number)
            assert me is not None
            me.cancel()

        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, stop, number)
        try:
            return await work
        except asyncio.CancelledError:
            if received:
                raise Stopped(received[0]) from None
            raise

    return asyncio.run(until_stopped())


async def patient(read: Callable[[], Awaitable[ReadOutcome]]) -> ReadOutcome:
    """Read until there is an answer, or there will hardly be one; pauses that the service asks for are kept."""

    async def once() -> ReadOutcome:
        told = await read()
        if isinstance(told, Unread) and told.wait:
            await asyncio.sleep(told.wait)
        return told

    return await patiently(
        once, again=lambda told: isinstance(told, Unread) and not told.account, attempts=_ATTEMPTS, longest=8.0
    )


@dataclass(frozen=True, slots=True)
class Walk:
    """What the service's list of tasks showed, newest first. Unless `complete`, what it did not show proves nothing."""

    tasks: tuple[Task, ...]
    complete: bool


async def walk(wiro: Wiro, deep_enough: Callable[[Task], bool] = lambda _: False) -> Walk:
    """Read the list of tasks down to the first that is deep enough, or to its end.

    Raises:
        AccountError: the account may not read it.
        ServiceError: there is no answer.
    """
    sweep = Sweep(began=time.monotonic(), deep_enough=deep_enough)
    while True:
        told = await patient(lambda: wiro.list_tasks(sweep.start))
        if isinstance(told, Unread):
            raise refusal(told, "the list of tasks cannot be read")
        progress = sweep.page(told.tasks if isinstance(told, Tasks) else ())
        if progress != "going":
            return Walk(tuple(sweep.tasks.values()), complete=progress == "complete")


def refusal(told: Unread, what: str) -> AccountError | ServiceError:
    """Return the error for a read that came to nothing."""
    if told.account:
        return AccountError(f"{what}: {told.reason}; check WIRO_API_KEY and WIRO_API_SECRET, and run this again")
    suspect = "WIRO_API_BASE_URL, which ends in /v1," if told.missing else "the network"
    return ServiceError(f"{what}: {told.reason}; check {suspect} and run this again")
