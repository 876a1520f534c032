"""A simulator on loopback with a clock that only the test moves, and a plain HTTP client in front of it."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import httpx
import pytest

from flux_pipeline.simulator.faults import Faults
from flux_pipeline.simulator.life import Latency
from flux_pipeline.simulator.server import Settings, Simulator, SimulatorThread

PRO = "/Run/black-forest-labs/flux-2-pro-t2i"


class Clock:
    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds


class Wiro:
    """What a client can do by hand; one second in the queue and two in the model, exactly."""

    def __init__(self, thread, clock):
        self.simulator, self.base_url, self.clock = thread.simulator, thread.base_url, clock
        self.origin = thread.base_url.removesuffix("/v1")
        self.http = httpx.Client(trust_env=False, headers={"x-api-key": "key"}, timeout=5)

    def post(self, path, body=None, **options):
        if body is not None:
            options["json"] = body
        return self.http.post(self.base_url + path, **options)

    def run(self, prompt="A teal bottle", **parameters):
        return self.post(PRO, {"prompt": prompt, "width": 256, "height": 192, **parameters})

    def made(self, prompt="A teal bottle", **parameters):
        return self.run(prompt, **parameters).json()["taskid"]

    def task(self, task_id):
        return self.post("/Task/Detail", {"taskid": task_id}).json()["tasklist"][0]

    def finished(self, prompt="A teal bottle", **parameters):
        task_id = self.made(prompt, **parameters)
        self.clock.advance(10)
        return self.task(task_id)

    def file(self, task, **options):
        return self.http.get(task["outputs"][0]["url"], **options)

    def statuses(self):
        return [row.status for row in self.simulator.ledger()]

    def paid(self):
        return sum((row.charged for row in self.simulator.ledger()), Decimal(0))


@pytest.fixture
def start():
    """Start a simulator: `start(faults=[…], db=…, clock=…, **settings)`."""
    with contextlib.ExitStack() as stack:

        def starting(*, faults=None, db=None, clock=None, **settings):
            clock = clock or Clock()
            settings.setdefault("latency", Latency(queue=1, run=2, jitter=0))
            settings.setdefault("balance", Decimal(1000))
            if faults is not None:
                settings["faults"] = Faults.from_data(faults)
            simulator = Simulator(Settings(**settings), db, clock=clock)
            stack.callback(simulator.close)
            wiro = Wiro(stack.enter_context(SimulatorThread(simulator)), clock)
            stack.callback(wiro.http.close)
            return wiro

        yield starting


@pytest.fixture
def wiro(start):
    return start()
