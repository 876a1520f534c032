"""A workshop: the real program in its own processes, against a simulator whose ledger is the truth."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from cli.workshop import Workshop, entry

from flux_pipeline.simulator.faults import Faults
from flux_pipeline.simulator.server import Settings, Simulator, SimulatorThread

KEY, SECRET = "wk-canary-4f1d9c27", "ws-canary-8b3e6a50"


@pytest.fixture
def open_workshop(tmp_path):
    """Open a workshop: `open_workshop(faults=[…], api_secret=…, balance=…, speed=…)`."""
    with contextlib.ExitStack() as stack:

        def opening(*, faults=None, environ=None, **settings):
            settings = {"api_key": KEY, "balance": Decimal(1000), "speed": 25.0, **settings}
            if faults is not None:
                settings["faults"] = Faults.from_data(faults)
            simulator = Simulator(Settings(**settings))
            stack.callback(simulator.close)
            thread = stack.enter_context(SimulatorThread(simulator))
            known = {"WIRO_API_BASE_URL": thread.base_url, "WIRO_API_KEY": KEY}
            if settings.get("api_secret"):
                known["WIRO_API_SECRET"] = settings["api_secret"]
            workshop = Workshop(tmp_path, simulator, known | (environ or {}))
            workshop.write(entry())
            return workshop

        yield opening


@pytest.fixture
def workshop(open_workshop):
    """Yield a workshop in which nothing goes wrong, with a manifest of three pictures."""
    return open_workshop()
