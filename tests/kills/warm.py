"""The program in forks of a process that has imported it already, so that a run costs what it does and no start-up.

The forking process has a single thread, always: a fork copies no other, only the locks that it held. So the simulator
lives in a fork of its own too, and everything else is waited for through descriptors of processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import json
import logging
import os
import resource
import select
import signal
import sqlite3
import ssl
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Self

import flux_pipeline.cli.merge
import flux_pipeline.cli.run
import flux_pipeline.cli.session  # noqa: F401 -- the three are what makes it warm
from flux_pipeline import cli
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.run import case, engine
from flux_pipeline.run.polling import Polls
from flux_pipeline.simulator.faults import Faults
from flux_pipeline.simulator.life import Latency
from flux_pipeline.simulator.server import Settings, Simulator, serve

KEY = "wk-kills-5d20c4"
_HUNG = 60.0  # seconds that no run of these tests needs
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_libc = ctypes.CDLL(None, use_errno=True)

Prepare = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Done:
    """How one run of the program ended; `signal` is what killed it, 0 for an end of its own."""

    code: int
    signal: int
    out: str
    err: str
    seconds: float

    @property
    def killed(self) -> bool:
        return self.signal == signal.SIGKILL

    @property
    def ugly(self) -> str | None:
        """Return the first thing in what it said that no user should see."""
        for word in (
            "Traceback",
            "internal error",
            "Exception ignored",
            "was never awaited",
            "Fatal Python",
            "Warning",
        ):
            if word in self.err + self.out:
                return f"said `{word}`:\n{self.err}"
        return None


@dataclass(frozen=True, slots=True)
class Running:
    pid: int
    folder: Path
    began: float
    name: str

    def wait(self, signals: Sequence[tuple[float, int]] = ()) -> Done:
        """Wait for the end, and send each signal so many seconds after the start; a hung run is ended, and says where."""
        watched = os.pidfd_open(self.pid)
        ended = select.poll()
        ended.register(watched, select.POLLIN)
        for at, number in (*sorted(signals), (_HUNG, signal.SIGABRT), (_HUNG + 2, signal.SIGKILL)):
            if ended.poll(max(at - (time.monotonic() - self.began), 0.0) * 1000):
                break
            os.kill(self.pid, number)  # not waited for yet, so the number is still its own
        os.close(watched)
        _, status = os.waitpid(self.pid, 0)
        seconds = time.monotonic() - self.began
        code, number = (-1, os.WTERMSIG(status)) if os.WIFSIGNALED(status) else (os.WEXITSTATUS(status), 0)
        out, err = (self._said(what) for what in ("out", "err"))
        return Done(code, number, out, err, seconds)

    def _said(self, what: str) -> str:
        said = self.folder / f"{self.name}.{what}"
        return said.read_text(errors="replace") if said.exists() else ""  # it may be killed before it can say anything


def start(
    folder: Path,
    *arguments: str,
    environ: dict[str, str] | None = None,
    prepare: Prepare = lambda: None,
    closed: Sequence[int] = (),
    name: str = "run",
) -> Running:
    """Run the program in a folder, as `main` would; `prepare` is called in the new process.

    `closed` are descriptors (1, 2) that nobody reads any more.
    """
    for what in ("out", "err"):
        (folder / f"{name}.{what}").unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Running(pid, folder, time.monotonic(), name)
    code = 99
    try:
        _be_a_child(folder, name, closed)
        os.environ.update(environ or {})
        prepare()
        code = cli._run(list(arguments))
        threading._shutdown()
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 -- as the interpreter would at the end
        import traceback

        traceback.print_exc()
        code = 1
    finally:
        os._exit(code)
    raise AssertionError


def call(folder: Path, *arguments: str, signals: Sequence[tuple[float, int]] = (), **how: object) -> Done:
    return start(folder, *arguments, **how).wait(signals)


def _be_a_child(folder: Path, name: str, closed: Sequence[int]) -> None:
    _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    os.chdir(folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for descriptor, what in ((1, "out"), (2, "err")):
        target = os.open(f"{name}.{what}", flags, 0o644)
        if descriptor in closed:
            reader, target = os.pipe()
            os.close(reader)
        os.dup2(target, descriptor)
    faulthandler.enable()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def warm_up() -> None:
    """Do what every run does at its start and what no test here is about, once for all of them.

    Looking for the first time soon after a submission, and waiting less long for a canary, only makes runs shorter.
    """
    for name in [one for one in os.environ if one.startswith(("WIRO_", "FLUX_PIPELINE_"))]:
        del os.environ[name]
    schemas = Schemas((Path("schemas"),))
    manifest = b'{"version": 1, "entries": [{"id": "a", "prompt": "b", "matrix": {"seed": [1], "size": ["64x64"]}}]}'
    expand(manifest, file="warm.yaml", schemas=schemas, max_cells=None, place=None)
    context = ssl.create_default_context()
    ssl.create_default_context = lambda *_, **__: context  # type: ignore[assignment] # one context for all connections
    engine.Polls = partial(Polls, _expected=0.06)  # type: ignore[misc,assignment] # a class with another default
    case._GIVE_UP = 4.0
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Server:
    """A simulator in a process of its own, on a ledger in the folder; usable in a `with` block."""

    def __init__(self, folder: Path, faults: Sequence[object] = (), *, seed: int = 0, speed: float = 40.0) -> None:
        self._db = folder / "server.sqlite3"
        given = Faults.from_data({"seed": seed, "faults": list(faults)}) if faults else None
        latency = Latency(queue=0.9, run=1.6)
        self._settings = Settings(
            api_key=KEY, balance=Decimal(1000), latency=latency, speed=speed, faults=given, seed=seed
        )
        self._pid = 0
        self.environ: dict[str, str] = {}

    def __enter__(self) -> Self:
        reader, writer = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            try:
                _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
                os.close(reader)
                logging.disable()  # of clients that hang up
                simulator = Simulator(self._settings, self._db)
                asyncio.run(serve(simulator, "127.0.0.1", 0, lambda url: os.write(writer, url.encode()) and None))
            finally:
                os._exit(1)
        os.close(writer)
        url = os.read(reader, 200).decode()
        os.close(reader)
        assert url, "the simulator did not start"
        self.environ = {"WIRO_API_BASE_URL": url, "WIRO_API_KEY": KEY}
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def rows(self) -> list[Row]:
        """Return every task that was made, and what it costs once it has ended."""
        with contextlib.closing(sqlite3.connect(self._db)) as db:
            found = db.execute("SELECT id, parameters, outcome, charge, ends FROM task ORDER BY id").fetchall()
        return [
            Row(str(number), _name(json.loads(text)), outcome, charge, ends)
            for number, text, outcome, charge, ends in found
        ]


@dataclass(frozen=True, slots=True)
class Row:
    """A task of the server; `render` is the picture that it was for, `charge` in millionths of a dollar."""

    task: str
    render: str
    outcome: str
    charge: int
    ends: float


def _name(parameters: dict[str, object]) -> str:
    return "{prompt}/{seed}.{outputFormat}".format(**parameters)
