"""The scripts of these proofs, as the tests call them: processes of their own, with a single thread and no coverage."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def call(script, *arguments):
    """Run a script to its end and return what it printed; AssertionError shows that, where it found something."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "WIRO_", "FLUX_"))}
    command = [sys.executable, str(TESTS / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=TESTS.parent, env=ours, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-12000:]}\n{done.stderr[-4000:]}"
    return done.stdout
