"""A thousand renders as fast as allowed, and no faster: measured by a server that does nothing but look at its watch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from cli.workshop import Workshop, entry
from tempo import PATIENCE

RATE, CONCURRENCY, RENDERS = 200, 200, 1000


@pytest.fixture
def instant():
    """Yield the base URL of an instant server in a process of its own."""
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("instant_server.py")], stdout=subprocess.PIPE, text=True
    )
    yield server.stdout.readline().strip()
    server.kill()
    server.communicate()


def busiest_second(arrivals):
    """Return the most arrivals in any half-open second."""
    most = first = 0
    for last, arrival in enumerate(arrivals):
        while arrival - arrivals[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.alone
def test_a_thousand_renders_take_at_most_1_3_times_the_ideal_and_never_pass_rate_or_concurrency(tmp_path, instant):
    workshop = Workshop(tmp_path, environ={"WIRO_API_KEY": "key", "WIRO_API_BASE_URL": instant})
    workshop.write(entry(seeds=range(1, RENDERS + 1)))
    done = workshop.run("--json", "--rate", f"{RATE}/s", "--concurrency", CONCURRENCY, "--no-progress")
    record = httpx.get(instant.removesuffix("/v1") + "/record", trust_env=False).json()
    arrivals = sorted(record["arrivals"])
    seconds = done.document["seconds"]
    assert done.code == 0
    assert len(arrivals) == len(workshop.pictures()) == RENDERS
    assert busiest_second(arrivals) <= RATE
    assert record["most_active"] <= CONCURRENCY
    assert seconds <= (1 + 0.3 * PATIENCE) * RENDERS / RATE
