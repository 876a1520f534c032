"""What the tests of cancel, adopt, audit, verify, prune and merge share: quick calls, and accidents on demand."""

from __future__ import annotations

from dataclasses import replace

import httpx
from cli.workshop import Done

from flux_pipeline.cli import main
from flux_pipeline.ledger import contents
from flux_pipeline.ledger.lockfile import replace as put
from flux_pipeline.simulator.life import Latency

MODEL = "/Run/black-forest-labs/flux-2-pro-t2i"
QUEUED = {"latency": Latency(queue=3600, run=1, jitter=0), "speed": 1.0}
WORKING = {"latency": Latency(queue=0, run=3600, jitter=0), "speed": 1.0}


def caller(workshop, monkeypatch, capfd):
    """Return `call(command, *arguments)`, which runs the command line in this process, in the workshop's folder."""
    monkeypatch.chdir(workshop.folder)
    for name, value in workshop.environ.items():
        monkeypatch.setenv(name, value)

    def call(command, *arguments, manifest="manifests/m.yaml"):
        capfd.readouterr()
        before = [manifest] if manifest else []
        code = 0
        try:
            main([command, *before, *map(str, arguments)])
        except SystemExit as end:
            code = end.code
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        assert "internal error" not in err
        return Done(code, out, err, 0.0)

    return call


def post(workshop, seed=1, prompt="A red bottle", **params):
    """Submit a render behind the program's back; return the task's id."""
    asked = {
        "prompt": prompt,
        "seed": seed,
        "width": 64,
        "height": 64,
        "safetyTolerance": 2,
        "outputFormat": "png",
        **params,
    }
    url, key = workshop.environ["WIRO_API_BASE_URL"], workshop.environ["WIRO_API_KEY"]
    answer = httpx.post(url + MODEL, json=asked, headers={"x-api-key": key}, trust_env=False)
    return answer.json()["taskid"]


def history(lockfile):
    return contents.read(lockfile)


def rewrite(lockfile, change):
    """Put every submission of a lockfile through `change`; what becomes None is dropped."""
    found = contents.read(lockfile)
    changed = (change(one) for one in found.history.submissions.values())
    put(lockfile, found.endpoint, [one for one in changed if one is not None])


def killed_before_the_answer(lockfile, which=lambda one: True):
    """Leave a lockfile as a kill leaves it after the POST and before the task's id was written."""
    rewrite(
        lockfile,
        lambda one: replace(one, tasks=(), adopted=False, settled=None, files={}) if which(one) else one,
    )


def statuses(workshop):
    return [row.status for row in workshop.wiro.ledger()]


def snapshot(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}
