"""A folder with a manifest in it, and the real program run there as a user would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

FAST = {"rate": "500/s", "concurrency": 20}


@dataclass(frozen=True)
class Done:
    """How one call of the program ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def document(self):
        return json.loads(self.out)

    @property
    def said(self):
        return self.out + self.err


class Workshop:
    """One manifest in one folder, against one server; `wiro` is the server's truth."""

    def __init__(self, folder, wiro=None, environ=None):
        self.folder, self.wiro = folder, wiro
        self.environ = dict(environ or {})
        self.manifest = folder / "manifests" / "m.yaml"
        self.lockfile = folder / "manifests" / "m.lock"
        self.manifest.parent.mkdir(exist_ok=True)

    def write(self, *entries, run=FAST, **rest):
        """Write a manifest of these entries; every YAML parser reads JSON."""
        document = {"version": 1, "output": "outputs/{{ entry }}/{{ seed }}.{{ ext }}", "run": dict(run), **rest}
        self.manifest.write_text(json.dumps(document | {"entries": list(entries)}, indent=1))

    def call(self, *arguments, timeout=60, **environ):
        """Run the program to its end."""
        began = time.monotonic()
        process = self.start(*arguments, **environ)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
        return Done(process.returncode, out, err, time.monotonic() - began)

    def start(self, *arguments, **environ):
        """Begin a call of the program; its environment holds nothing of ours."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("WIRO_", "FLUX_PIPELINE_"))}
        return subprocess.Popen(
            [sys.executable, "-m", "flux_pipeline", *map(str, arguments)],
            cwd=self.folder,
            env=clean | self.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *flags, **environ):
        return self.call("run", "manifests/m.yaml", *flags, **environ)

    def run_json(self, *flags, **environ):
        done = self.run("--json", *flags, **environ)
        return done.document

    def plan(self, *flags):
        """Return (step, cell) of every render."""
        done = self.call("plan", "manifests/m.yaml", "--json", *flags)
        return [(step["step"], step["cell"]) for step in done.document["steps"]]

    def pictures(self, root="outputs"):
        """Return every file below the output root, by path."""
        folder, found = self.folder / root, {}
        for path in folder.rglob("*"):
            with suppress(FileNotFoundError):  # a run that goes on gives files their names
                if path.is_file():
                    found[str(path.relative_to(folder))] = path.read_bytes()
        return found

    def lines(self, lockfile=None):
        return [json.loads(line) for line in (lockfile or self.lockfile).read_text().splitlines()[1:]]

    def task_ids(self):
        return {line["task"] for line in self.lines() if "task" in line}

    def made(self):
        """Return how many tasks the server has made."""
        return len(self.wiro.ledger())

    def renders_made(self):
        """Return how often the server was asked for each picture, by (prompt, seed)."""
        return Counter((row.parameters["prompt"], str(row.parameters["seed"])) for row in self.wiro.ledger())

    def charged(self):
        return sum((row.charged for row in self.wiro.ledger()), Decimal(0))

    def wait_for(self, condition, seconds=40.0):
        """Wait until the world outside has come so far."""
        until = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < until, "it never came to that"
            time.sleep(0.01)
        return found


def entry(name="hero", seeds=(1, 2, 3), prompt="A red bottle", **rest):
    """Return an entry of small pictures."""
    return {"id": name, "prompt": prompt, "matrix": {"seed": list(seeds), "size": ["64x64"]}, **rest}
