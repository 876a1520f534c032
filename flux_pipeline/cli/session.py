"""One run, put together: plan, lockfile, service, files, progress and signals around the engine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from flux_pipeline.cli import prices, signals, voice
from flux_pipeline.cli.album import Album
from flux_pipeline.cli.deriving import Darkroom
from flux_pipeline.cli.project import Project
from flux_pipeline.cli.reclaim import shelf_of, tell_unwritten
from flux_pipeline.cli.service import Access, opened, shapes_of
from flux_pipeline.cli.sources import read_plan
from flux_pipeline.derivation import Derivation
from flux_pipeline.errors import DiskError, PlanMismatch, UsageError
from flux_pipeline.files.checker import Checker
from flux_pipeline.files.save import Files
from flux_pipeline.ledger.history import History
from flux_pipeline.ledger.shelf import Shelf
from flux_pipeline.plan import Plan, Step
from flux_pipeline.progress import watch
from flux_pipeline.report import text
from flux_pipeline.run.engine import Engine, Given
from flux_pipeline.run.jobs import Policy
from flux_pipeline.run.outcome import Outcome
from flux_pipeline.run.runner import Runner, moment
from flux_pipeline.wiro.auth import Credentials
from flux_pipeline.wiro.client import Wiro
from flux_pipeline.wiro.echo import keys_of
from flux_pipeline.wiro.http import Http

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_END_AFTER = 6.5  # seconds after the first signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """What the user wants to see on stderr."""

    progress: bool
    quiet: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A run that has ended, and what is durable since."""

    outcome: Outcome
    history: History


def carry_out(project: Project, policy: Policy, show: Show, frozen: Path | None) -> Ended:
    """Plan and run under the lockfile's lock, and leave the lockfile in its resting form.

    Raises:
        FluxError: the run could not begin; nothing was sent.
    """
    endpoint = project.endpoint
    credentials = None if project.simulate else Credentials.from_environment(os.environ)
    steps = None if frozen is None else _frozen_steps(frozen)
    checker = Checker()
    files = Files(project.root, checker.inspect)
    with checker, shelf_of(project) as shelf:
        plan, derivations = project.plan(shelf.history), project.derivations(shelf.history)
        if steps is not None:
            _compare(steps, plan, f"{frozen}")
        _prepare(files, plan, derivations)
        with opened(endpoint, credentials) as access:
            plan = prices.limited(plan, policy, access)
            if not show.quiet:
                unsent = "" if policy.submit else "; nothing is submitted, as --collect-only says"
                voice.say(text.summed(plan) + unsent, event="plan", fit=True, counts=plan.counts())
                if derivations:
                    voice.say(text.saved(project.saving(derivations)), event="plan", fit=True)
            engine = Engine(plan, shelf.history, policy, _given(project, access.credentials), moment())
            darkroom = Darkroom(project, files, checker, shelf)
            outcome = asyncio.run(
                _run(engine, access, shelf, lambda wiro: Album(files, wiro, checker.close), darkroom, show)
            )
        history = shelf.now()
        _rest(shelf)
    return Ended(outcome=outcome, history=history)


def _rest(shelf: Shelf) -> None:
    """Leave the lockfiles in their resting form, and say where the task ids are that they could not take."""
    tell_unwritten(shelf)
    try:
        shelf.rewrite()
    except DiskError as error:
        voice.say(f"the lockfile is whole but could not be tidied: {error}", head="note", level="warning")


def _given(project: Project, credentials: Credentials) -> Given:
    shapes = shapes_of(project.schemas, project.models())
    return Given(
        ids=iter(lambda: secrets.token_hex(16), ""),
        jitter=random.random,
        identify=lambda task: keys_of(task, shapes),
        account=credentials.digest(),
    )


def _prepare(files: Files, plan: Plan, derivations: Iterable[Derivation]) -> None:
    """Clear away what dead runs left behind, and make sure that what is bought can be saved."""
    wanted = [path for one in plan.renders if one.step is not Step.KEEP for path in one.missing]
    wanted += [one.path for one in derivations if one.state != "made"]
    files.sweep(wanted)
    files.preflight(wanted)


async def _run(
    engine: Engine, access: Access, shelf: Shelf, album: Callable[[Wiro], Album], darkroom: Darkroom, show: Show
) -> Outcome:
    progress = watch(sys.stderr, wanted=show.progress, tell=voice.say if voice.speaks_json() else None)
    async with Http() as http:
        wiro = Wiro(http, access.url, access.credentials)
        runner = Runner(engine, wiro, shelf, album(wiro), progress)

        def interrupt(exit_code: int) -> None:
            runner.interrupt(exit_code)
            darkroom.interrupt(exit_code)

        with contextlib.closing(progress), _signals(interrupt):
            outcome = await runner.run()
            return await darkroom.develop(outcome, lambda note: progress(replace(engine.snapshot(), note=note)))


@contextmanager
def _signals(interrupt: Callable[[int], None]) -> Iterator[None]:
    """Let the first signal end the run in order; the second one ends the program, which is as safe, only ruder."""
    loop = asyncio.get_running_loop()
    caught = [one for one in _STOPPING if signal.getsignal(one) is not signal.SIG_IGN]

    def stop(number: signal.Signals) -> None:
        for one in caught:
            loop.remove_signal_handler(one)
            signal.signal(one, lambda received, _: os._exit(128 + received))
        _last_resort(128 + number)
        with contextlib.suppress(OSError):  # the terminal may be gone
            again = "stopping: waiting at most 5 s for answers to what was already sent; again to stop now"
            voice.say(again, level="warning", event="stopping")
        interrupt(128 + number)

    for number in caught:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in caught:
            if loop.remove_signal_handler(number):  # after a first signal it is os._exit, and stays so
                signals.listen_to(number)


def _last_resort(exit_code: int) -> None:
    """End the program in time whatever still runs in it: everything that counts is on disk."""
    timer = threading.Timer(_END_AFTER, os._exit, (exit_code,))
    timer.daemon = True
    timer.start()


def _frozen_steps(frozen: Path) -> Mapping[str, str]:
    """Read the steps of a frozen plan, by the render's key."""
    try:
        return {step["key"]: step["step"] for step in orjson.loads(read_plan(frozen))["steps"]}
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{frozen} is not a plan that `flux-pipeline plan -o` has written") from error


def _compare(steps: Mapping[str, str], plan: Plan, name: str) -> None:
    """Refuse to go on when the plan is not the frozen one any more."""
    now = {one.key: str(one.step) for one in plan.renders}
    if steps != now:
        changed = [one.cells[0] for one in plan.renders if steps.get(one.key) != str(one.step)]
        gone = len(steps.keys() - now.keys())
        what = f"{len(changed)} renders differ, the first is {changed[0]}" if changed else f"{gone} renders are gone"
        raise PlanMismatch(f"{name} no longer fits: {what}; nothing was sent. Look at `flux-pipeline plan` again")
