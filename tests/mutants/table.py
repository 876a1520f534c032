"""Take out each safety rule and see what notices: `python tests/mutants/table.py`; exit 1 when nothing does."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kills import warm
from kills.explore import tell
from kills.scripts import TESTS
from mutants import real

_SIMULATED = {
    "fsync of intent": "intent_fsync",
    "fsync of id": "task_fsync",
    "grace": "grace",
    "one request per key": "one_per_key",
    "watermark": "watermark",
    "positive control": "positive_control",
    "canary": "canary",
    "adopt before submit": "adopt_before_submit",
}


def show(rule: str, where: str, found: str | None) -> bool:
    tell(f"{rule:<22} {where:<12} {found or '— NOTHING NOTICED'}")
    return found is not None


def simulated(mutant: str, schedules: int) -> str | None:
    """Return what the simulation finds without a rule of the engine."""
    script = TESTS / "simulation" / "explore.py"
    command = [sys.executable, str(script), "--schedules", str(schedules), "--mutant", mutant]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    if done.returncode != 1 or "schedule " not in done.stdout:
        raise SystemExit(f"{script} --mutant {mutant} did not work:\n{done.stderr}")
    return next(line for line in done.stdout.splitlines() if line.startswith("schedule "))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="that a mutant may survive")
    parser.add_argument("--schedules", type=int, default=50_000, help="that one of the engine's may survive")
    parser.add_argument("--only", action="append", help="these rules of the real code, and nothing else")
    given = parser.parse_args()
    warm.warm_up()
    noticed = [_sound()]
    tell(f"{'rule removed':<22} {'proof':<12} what turned red")
    for mutant in real.MUTANTS:
        if not given.only or mutant.rule in given.only:
            with tempfile.TemporaryDirectory(prefix="mutant-") as root:
                noticed.append(show(mutant.rule, "real kills", mutant.shows(mutant.without, given.kills, Path(root))))
    if not given.only and (TESTS / "simulation" / "explore.py").exists():
        noticed += [show(rule, "simulation", simulated(name, given.schedules)) for rule, name in _SIMULATED.items()]
    return 0 if all(noticed) else 1


def _sound() -> bool:
    """Make sure that the proofs which need no luck are silent when nothing is removed."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as root:
        proofs = {mutant.shows for mutant in real.MUTANTS} - {real.by_kills}
        found = [proof(lambda: None, 0, Path(root)) for proof in proofs]
    for one in filter(None, found):
        tell(f"the whole program fails too: {one}")
    return not any(found)


if __name__ == "__main__":
    raise SystemExit(main())
