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
    done = shell("status nobody.yaml --json", ">/dev/full")
    assert (done.returncode, "nobody.yaml: No such file" in done.stderr, len(done.stderr.splitlines())) == (2, True, 1)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_one_that_nobody_wants(shell, closed):
    assert shell("status manifests/m.yaml", closed).returncode == 0


@pytest.mark.parametrize("lost", ["2>/dev/full", "2>&-", ">&-"])
def test_a_run_that_nobody_hears_makes_its_pictures(shell, tmp_path, lost):
    done = shell("run manifests/m.yaml --simulate", lost)
    assert (done.returncode, len([*tmp_path.glob("outputs/simulated/hero/*.png")])) == (0, 3)
    assert (tmp_path / "manifests/m.simulated.lock").read_bytes().startswith(b'{"flux_pipeline_lock"')


@pytest.mark.parametrize(
    "command",
    ["merge manifests/m.simulated.lock torn.lock -o both.lock", "gallery manifests/m.yaml --simulate"],
)
def test_a_command_whose_notes_nobody_hears_does_its_work(shell, tmp_path, command):
    assert shell("run manifests/m.yaml --simulate", "2>/dev/null").returncode == 0
    lockfile = (tmp_path / "manifests/m.simulated.lock").read_bytes()
    (tmp_path / "torn.lock").write_bytes(lockfile + b'{"id": "')
    assert shell(command, "2>/dev/full").returncode == 0
    made = [tmp_path / name for name in ("both.lock", "gallery.html")]
    assert sum(one.exists() for one in made) == 1


@pytest.mark.parametrize(("words", "code"), [("", 2), ("run", 2), ("run --junit", 2), ("run --json", 2)])
def test_words_that_are_missing_are_said_to_be(shell, words, code):
    done = shell(words, "")
    assert (done.returncode, "internal error" in done.stderr, "Traceback" in done.stderr) == (code, False, False)


def test_without_a_word_the_help_is_shown_as_help(shell):
    done = shell("", "")
    assert done.stderr.strip().splitlines() == shell("--help", "").stdout.strip().splitlines()
    assert len(done.stderr.splitlines()) > 20


def test_a_mistake_keeps_its_exit_code_where_it_cannot_be_told(shell):
    assert [shell(words, "2>/dev/full").returncode for words in ("status nobody.yaml", "status --bogus")] == [2, 2]
