"""Kill many runs: `python tests/kills/explore.py kills --kills 10000 --seed 1`; one world again: `--world 1234`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kills import disks, stops, warm, worlds

_SHOWN = 5


def tell(text: str) -> None:
    """Say something to whoever runs the script."""
    print(text, flush=True)  # noqa: T201 -- a script


def spread(jobs: int, work: Callable[[int], Iterable[object]]) -> list[object]:
    """Let so many forks of this process work at once, and return what they yield, as JSON, in no order."""
    pipes = []
    for number in range(jobs):
        reader, writer = os.pipe()
        sys.stdout.flush()
        if not os.fork():
            code = 1
            try:
                os.close(reader)
                with os.fdopen(writer, "w") as told:
                    for one in work(number):
                        told.write(json.dumps(one) + "\n")
                code = 0
            except BaseException:  # noqa: BLE001 -- it has to end here, whatever it was
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(writer)
        pipes.append(reader)
    found = []
    for reader in pipes:
        with os.fdopen(reader) as told:
            found += [json.loads(line) for line in told]
    codes = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(jobs)]
    if any(codes):
        raise SystemExit(f"a worker failed: {codes}")
    return found


def length_of_a_run(folder: Path) -> float:
    """Measure an unharmed run, here and now, with whatever else this machine does."""
    place = worlds.Place(folder, worlds.World(0, 0.0).manifest)
    with warm.Server(folder) as server:
        return warm.call(place.folder, "run", "manifests/m.yaml", environ=server.environ).seconds


def kill_many(
    kills: int, seed: int, jobs: int, root: Path, prepare: warm.Prepare = lambda: None, *, first: bool = False
) -> tuple[worlds.Tally, list[str]]:
    """Live through worlds from this seed on until so many kills were made; return the counts and what was broken.

    With `first` all of it ends at the first violation, which mutants are there for.
    """

    found = root / "found"

    def work(number: int) -> Iterable[object]:
        length = length_of_a_run(root / f"length-{number}")
        tally, one = worlds.Tally(), seed + number
        while tally.kills * jobs < kills and not found.exists():
            folder = root / str(one)
            try:
                worlds.live(worlds.World(one, length, prepare), folder, tally)
            except worlds.Violation as broken:
                yield str(broken)
                if first:
                    found.touch()
            shutil.rmtree(folder)
            one += jobs
        yield asdict(tally)

    total, broken = worlds.Tally(), []
    for told in spread(jobs, work):
        if isinstance(told, dict):
            total.add(worlds.Tally(**told))
        else:
            broken.append(told)
    return total, broken


def each(cases: Sequence[object], live: Callable[[object, Path], None], jobs: int, root: Path) -> list[str]:
    """Live through every case, each in a folder of its own; return what was broken."""

    def work(number: int) -> Iterable[str]:
        for index in range(number, len(cases), jobs):
            folder = root / f"case-{index}"
            try:
                live(cases[index], folder)
            except worlds.Violation as broken:
                yield str(broken)
            shutil.rmtree(folder)

    return spread(jobs, work)


def fail_disks(jobs: int, root: Path) -> tuple[str, list[str]]:
    cases = list(disks.failures(root / "counting"))
    broken = each(cases, disks.fail, jobs, root)
    broken += each(disks.UNWRITABLE, disks.refuse, 1, root)
    return f"{len(cases) + len(disks.UNWRITABLE)} failures of a disk", broken


def stop_runs(moments: int, seed: int, jobs: int, root: Path) -> tuple[str, list[str]]:
    cases = list(stops.stops(moments, seed, length_of_a_run(root / "length")))
    return f"{len(cases)} ways to stop", each(cases, stops.stop, jobs, root)


def kill_runs(kills: int, seed: int, jobs: int, root: Path) -> tuple[str, list[str]]:
    tally, broken = kill_many(kills, seed, jobs, root)
    return f"{tally.kills} kills ({tally.cuts} with a power cut) in {tally.worlds} worlds, {tally.runs} runs", broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("kills", "disks", "stops"), nargs="?", default="kills")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--moments", type=int, default=30, help="at which a run is asked to stop")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--world", type=int, help="live through this one alone, and tell all of it")
    given = parser.parse_args()
    warm.warm_up()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        root = Path(folder)
        if given.world is not None:
            world = worlds.World(given.world, length_of_a_run(root / "length"))
            tell("\n".join([str(world), *worlds.live(world, root / "world", worlds.Tally())]))
            return 0
        began = time.monotonic()
        if given.what == "kills":
            said, broken = kill_runs(given.kills, given.seed, given.jobs, root)
        elif given.what == "disks":
            said, broken = fail_disks(given.jobs, root)
        else:
            said, broken = stop_runs(given.moments, given.seed, given.jobs, root)
    tell("\n\n".join(broken[:_SHOWN]))
    tell(f"{said}, {time.monotonic() - began:.1f} s: {len(broken)} promises broken")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
