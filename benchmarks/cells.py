"""How long manifests of many cells take, and how much memory: `python benchmarks/cells.py`.

Every figure is one call of the real program in a process of its own, start-up included, its output thrown away. Of
several calls the fastest counts: what else the machine does can only make a call slower.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Ten values of each of two variables, and seeds until there are enough cells.
_PROMPT = "A {{ color }} bottle on {{ surface }}, number {{ seed }}"
_BOUNDS = {("plan", 10_000): (0.6, 1024), ("plan", 1_000_000): (20.0, 1024)}  # seconds, and mebibytes


def manifest(cells: int) -> str:
    """Return a manifest of so many cells, a multiple of 100; every one is a render of its own."""
    matrix = {
        "color": [f"colour{number}" for number in range(10)],
        "surface": [f"surface{number}" for number in range(10)],
        "seed": list(range(1, cells // 100 + 1)),
    }
    entry = {"id": "many", "prompt": _PROMPT, "matrix": matrix}
    return json.dumps({"version": 1, "entries": [entry]})


def measure(command: str, cells: int, calls: int) -> tuple[float, float, float]:
    """Return the seconds, the seconds of processor time and the mebibytes of the fastest call."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "m.yaml").write_text(manifest(cells))
        for _ in range(calls):
            began = time.perf_counter()
            child = subprocess.Popen(
                [sys.executable, "-m", "flux_pipeline", command, "m.yaml", "--max-cells", str(cells)],
                cwd=folder,
                stdout=subprocess.DEVNULL,
            )
            _, status, used = os.wait4(child.pid, 0)
            seconds = time.perf_counter() - began
            if status:
                raise SystemExit(f"{command} of {cells} cells ended with {os.waitstatus_to_exitcode(status)}")
            found.append((seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024))
    return min(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--calls", type=int, default=3)
    given = parser.parse_args()
    print(f"{'command':<10}{'cells':>10}{'seconds':>10}{'CPU':>10}{'MiB':>8}  bound")
    missed = 0
    for command in ("validate", "plan"):
        for cells in given.cells:
            seconds, used, memory = measure(command, cells, given.calls)
            bound = _BOUNDS.get((command, cells))
            told = f"{bound[0]} s, {bound[1]} MiB" if bound else ""
            if bound and (seconds > bound[0] or memory > bound[1]):
                missed += 1
                told += "  MISSED"
            print(f"{command:<10}{cells:>10,}{seconds:>10.2f}{used:>10.2f}{memory:>8.0f}  {told}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
