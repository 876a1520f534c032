"""Explore more than the tests do: `python tests/model/explore.py --renders 4 --crashes 3`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model.protocol import Rules, explore


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--renders", type=int, default=4)
    parser.add_argument("--crashes", type=int, default=3)
    given = parser.parse_args()
    bad = 0
    for rules in (Rules(), Rules(losing=True)):
        began = time.perf_counter()
        verdict = explore(given.renders, given.crashes, rules)
        print(f"{rules}: {verdict} in {time.perf_counter() - began:.1f} s")  # noqa: T201 -- a script
        bad += verdict.paid_twice + verdict.lost + verdict.stuck
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
