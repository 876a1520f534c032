"""The runner: effects are carried out, waiting facts share one write, and nothing dies in silence."""

from __future__ import annotations

import asyncio
import threading
import time
from itertools import count

import pytest
from run.world import MODEL, PRICE, Disk, cell, identify, picture

from flux_pipeline.errors import DiskError, LockfileError
from flux_pipeline.plan import plan
from flux_pipeline.run.engine import Engine, Given
from flux_pipeline.run.events import Saved
from flux_pipeline.run.jobs import Policy
from flux_pipeline.run.runner import Runner, moment
from flux_pipeline.wiro.outcomes import Accepted, Tasks
from flux_pipeline.wiro.tasks import Output, Task


class Service:
    """Makes a task of every render at once, and finishes it."""

    def __init__(self):
        self.made = {}
        self.posting = self.most_posting = 0

    async def submit(self, render, on_sent):
        self.posting += 1
        self.most_posting = max(self.most_posting, self.posting)
        on_sent()
        await asyncio.sleep(0.01)
        self.posting -= 1
        task = str(2221 + len(self.made))
        self.made[task] = render
        return Accepted(task=task)

    async def detail(self, task):
        output = Output(url="https://cdn.example/0.png", name="0.png", content_type="image/png", size=100)
        return Tasks(
            tasks=(Task(id=task, status="task_postprocess_end", pexit="0", outputs=(output,), cost=PRICE, model=MODEL),)
        )

    async def list_tasks(self, start):
        return Tasks(tasks=())


class Ledger:
    """Takes some time for a write, as a disk does; `batches` is how many facts each of them held."""

    trouble = None

    def __init__(self):
        self.disk = Disk()
        self.batches = []
        self.threads = set()

    def append(self, facts):
        time.sleep(0.02)
        self.threads.add(threading.get_ident())
        self.batches.append(len(facts))
        self.disk.facts += facts


class Album:
    async def fetch(self, render, output, paths, known):
        return Saved(dict.fromkeys(paths, picture(render.key)))

    def copy(self, moves, known):
        return {move: move.fact for move in moves}


class Scene:
    """A runner over fakes that a test may replace one by one."""

    def __init__(self, renders=3, *, service=None, ledger=None, album=None, **policy):
        self.service, self.ledger, self.album = service or Service(), ledger or Ledger(), album or Album()
        cells = [cell(number) for number in range(renders)]
        history = self.ledger.disk.history()
        ids = (f"{number:032x}" for number in count(1))
        engine = Engine(
            plan(cells, history, {}, lambda _: PRICE),
            history,
            Policy(**{"rate": 1000.0, **policy}),
            Given(ids=ids, jitter=lambda: 0.5, identify=identify),
            moment(),
        )
        self.glances = []
        self.runner = Runner(engine, self.service, self.ledger, self.album, self.glances.append)

    def run(self):
        return asyncio.run(asyncio.wait_for(self.runner.run(), 20))


def test_a_plan_is_carried_out_to_its_end_and_watched():
    scene = Scene(5)
    outcome = scene.run()
    assert (outcome.exit_code, outcome.count("saved"), len(scene.service.made)) == (0, 5, 5)
    assert (scene.glances[-1].saved, scene.glances[-1].renders) == (5, 5)
    assert scene.ledger.disk.history().claimed().keys() == scene.service.made.keys()


def test_facts_that_wait_at_the_same_moment_share_one_write_and_never_two_writes_run_at_once():
    class Strict(Ledger):
        writing = threading.Lock()

        def append(self, facts):
            assert self.writing.acquire(blocking=False)
            super().append(facts)
            self.writing.release()

    scene = Scene(40, ledger=Strict(), concurrency=40)
    assert scene.run().exit_code == 0
    assert sum(scene.ledger.batches) == 4 * 40
    assert len(scene.ledger.batches) < 60


def test_a_slow_disk_does_not_hold_up_the_loop():
    scene = Scene(20, concurrency=20)
    assert scene.run().exit_code == 0
    assert threading.get_ident() not in scene.ledger.threads
    assert scene.service.most_posting > 1


@pytest.mark.parametrize("what", ["service", "album"])
def test_a_fault_of_ours_ends_the_run_with_its_name_and_does_not_hang_it(what):
    class Faulty(Service):
        async def detail(self, task):
            raise KeyError("a fault of ours")

    class Clumsy(Album):
        async def fetch(self, render, output, paths, known):
            raise KeyError("a fault of ours")

    outcome = Scene(**{what: {"service": Faulty, "album": Clumsy}[what]()}).run()
    assert outcome.exit_code == 6
    assert "KeyError" in outcome.stopped
    assert "please report it" in outcome.stopped


@pytest.mark.parametrize(
    ("error", "code"), [(DiskError("no room"), 6), (LockfileError("was replaced"), 5), (OSError("broken"), 6)]
)
def test_a_lockfile_that_cannot_be_written_ends_the_run_at_once_with_its_own_exit_code(error, code):
    class Full(Ledger):
        def append(self, facts):
            raise error

    scene = Scene(ledger=Full())
    began = time.monotonic()
    outcome = scene.run()
    assert (outcome.exit_code, scene.service.made) == (code, {})
    assert time.monotonic() - began < 2


def test_an_interrupted_run_leaves_downloads_behind_and_keeps_what_cost_money():
    class Endless(Album):
        cancelled = 0

        async def fetch(self, render, output, paths, known):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise

    scene = Scene(3, album=Endless())

    async def interrupted():
        running = asyncio.create_task(scene.runner.run())
        while len(scene.service.made) < 3:  # noqa: ASYNC110 -- the fake knows nothing of events
            await asyncio.sleep(0.01)
        await asyncio.sleep(1.0)
        scene.runner.interrupt(130)
        return await asyncio.wait_for(running, 5)

    outcome = asyncio.run(interrupted())
    assert outcome.exit_code == 130
    assert scene.album.cancelled == 3
    assert scene.ledger.disk.history().claimed().keys() == scene.service.made.keys()
