"""SIGKILL at any moment, power cuts, failing disks, signals and closed pipes, against a server with faults.

Everything runs in forks of a warm process, which is a script: pytest itself has threads, and must not be forked.
"""

from __future__ import annotations

import pytest
from kills.scripts import call

CHUNKS, KILLS = 5, 100


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_kill_at_any_moment_pays_twice_loses_a_picture_or_hides_one(chunk):
    call("kills/explore.py", "kills", "--kills", KILLS, "--seed", chunk * 100_000)


def test_no_failure_of_the_disk_loses_a_task_or_lets_anything_more_be_submitted():
    call("kills/explore.py", "disks")


def test_a_signal_or_a_closed_pipe_ends_a_run_in_time_and_the_next_one_completes_it():
    call("kills/explore.py", "stops", "--moments", 30)
