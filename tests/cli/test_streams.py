"""The streams that a shell gives to the program: closed, full, or nobody reads them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest
from cli.workshop import Workshop, entry


@pytest.fixture
def shell(tmp_path):
    """Return what runs a command line in a shell, in a folder with a manifest; its stdout, stderr and exit code."""
    Workshop(tmp_path).write(entry())

    def run(arguments, redirected, **environ):
        command = f"{shlex.quote(sys.executable)} -m flux_pipeline {arguments} {redirected}"
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("WIRO_", "PYTHONUNBUFFERED"))
        }
        return subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env=clean | environ, capture_output=True, text=True, check=False, timeout=60
        )  # fmt: skip

    return run


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("form", ["", "--json"])
def test_a_full_disk_under_stdout_is_no_mistake_of_the_program(shell, form, unbuffered):
    done = shell(f"status manifests/m.yaml {form}", ">/dev/full", PYTHONUNBUFFERED=unbuffered)
    said = "flux-pipeline: the output could not be written: No space left on device; make room, or send it elsewhere"
    assert (done.returncode, done.stderr.startswith(said), len(done.stderr.splitlines())) == (6, True, 1)


def test_an_error_is_told_where_its_document_cannot_be(shell):
    assert "nobody.yaml: No such file" in shell("status nobody.yaml --json", ">/dev/full").stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_one_that_nobody_wants(shell, closed):
    assert shell("status manifests/m.yaml", closed).returncode == 0


@pytest.mark.parametrize("lost", ["2>/dev/full", "2>&-", ">&-"])
def test_a_run_that_nobody_hears_makes_its_pictures(shell, tmp_path, lost):
    done = shell("run manifests/m.yaml --simulate", lost)
    assert (done.returncode, len([*tmp_path.glob("outputs/simulated/hero/*.png")])) == (0, 3)
    assert (tmp_path / "manifests/m.simulated.lock").read_bytes().startswith(b'{"flux_pipeline_lock"')


def test_a_mistake_keeps_its_exit_code_where_it_cannot_be_told(shell):
    assert [shell(words, "2>/dev/full").returncode for words in ("status nobody.yaml", "status --bogus")] == [2, 2]
