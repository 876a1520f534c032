"""Starting is cheap: heavy imports are late."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tempo import PATIENCE

pytestmark = pytest.mark.alone


def cpu_seconds(*arguments):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    process = subprocess.Popen(
        [sys.executable, "-m", "flux_pipeline", *arguments], env=environ, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def test_help_uses_less_than_a_quarter_of_a_second_of_cpu():
    assert min(cpu_seconds("--help") for _ in range(3)) < 0.25 * PATIENCE


def test_a_command_that_asks_nobody_loads_no_http_client(tmp_path):
    (tmp_path / "m.yaml").write_text("version: 1\nentries: [{id: a, prompt: b}]\n")
    program = "import sys; from flux_pipeline.cli import _run; _run(sys.argv[1:]); print('httpx' in sys.modules)"
    for command in ("validate", "expand", "plan", "status"):
        arguments = [sys.executable, "-c", program, command, str(tmp_path / "m.yaml")]
        assert subprocess.check_output(arguments, text=True).splitlines()[-1] == "False"


def test_help_of_a_command_is_as_cheap():
    assert min(cpu_seconds("run", "--help") for _ in range(3)) < 0.25 * PATIENCE
