"""One folder, one hostile server, and a program that is killed there again and again; all of it drawn from a seed.

What has to hold is looked at after every run, and once more after a last run that nobody harms. The server's ledger is
the truth about money, the bytes on disk are the truth about everything else.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from kills import points, warm

from flux_pipeline.ledger import contents
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas

GRACE = 0.4  # seconds; a request that was sent is carried out within milliseconds, and the list lags by less
LAG = 0.15
RUN = ("run", "manifests/m.yaml", "--grace", f"{GRACE}s")
_LAST_RUNS = 12  # at most, where tasks fail, or requests that made none get lost, and are submitted again
_LONGEST = 20.0  # seconds for a run that is to be killed at a moment of its own

# Each is struck at a rate of its own; what it takes to know the end of a request is there or can be found out.
_ON_RUN = (
    *({"what": what} for what in ("lost_answer", "lost_before", "http_500_made", "http_500_not_made", "malformed")),
    *({"what": what} for what in ("code_0_unknown_made", "code_0_unknown_not_made", "no_id")),
    *({"what": what, "made": made} for what in ("http_503", "html_502") for made in (True, False)),
    {"what": "http_429", "retry_after": 0},
    {"what": "slow", "delay": 0.2},
)
_LOSES = ("lost_before", "http_500_not_made", "code_0_unknown_not_made", "http_503", "html_502")
_ON_READS = (
    {"on": "list", "what": "lag", "seconds": LAG},
    {"on": "detail", "what": "http_500_not_made"},
    {"on": "detail", "what": "text_params"},
    {"on": "list", "what": "text_params"},
    {"on": "detail", "what": "lost_answer"},
)


class Violation(Exception):
    """A promise that did not hold."""


@dataclass(frozen=True, slots=True)
class End:
    """How one run is ended: at a moment of its own, or so many seconds after its start; perhaps with the power."""

    point: points.Point | None
    at: float
    power: bool

    def __str__(self) -> str:
        where = str(self.point) if self.point else f"after {self.at:.3f} s"
        return f"{where}{' with a power cut' if self.power else ''}"


@dataclass(slots=True)
class World:
    """What a seed gives. `length` is how many seconds an unharmed run takes here."""

    seed: int
    length: float
    prepare: warm.Prepare = lambda: None  # makes the mutants
    faults: list[dict[str, object]] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    manifest: dict[str, object] = field(default_factory=dict)
    codes: frozenset[int] = frozenset()  # of the last runs

    def __post_init__(self) -> None:
        dice = random.Random(self.seed)
        fails = dice.random() < 0.25
        chosen = [one | {"on": "run"} for one in dice.sample(_ON_RUN, dice.randint(0, 4))]
        chosen += dice.sample(_ON_READS, dice.randint(0, 2))
        self.faults = [one | {"rate": round(dice.uniform(0.05, 0.3), 2)} for one in chosen]
        if dice.random() < 0.1:
            self.faults.append({"on": "list", "what": "html_502", "nth": [dice.randint(1, 4)]})
        if dice.random() < 0.1:
            self.faults.append({"on": "cdn", "what": "truncated", "nth": [1]})
        if fails:
            self.faults.append({"on": "run", "what": dice.choice(("task_fails", "task_error")), "rate": 0.2})
        # A canary that gets lost as well leaves its render doubtful: its task has not shown what the list shows. A later
        # run has to come to the end all the same.
        lost = any(one["what"] in _LOSES for one in self.faults if one["on"] == "run")
        self.codes = frozenset({0, *([1] if fails else []), *([4] if lost else [])})
        self.ends = [self._end(dice) for _ in range(dice.choice((0, 4, 5, 6, 6, 6, 6)))]
        self.manifest = _manifest(dice)

    def _end(self, dice: random.Random) -> End:
        power = dice.random() < 0.4
        if dice.random() < 0.5:
            return End(None, dice.uniform(0.0, self.length * 1.3), power)
        kind = dice.choice(points.KINDS)
        return End(points.Point(kind, dice.randint(1, dice.randint(1, _MOST[kind.split()[-1]]))), _LONGEST, power)

    def __str__(self) -> str:
        ends = "; ".join(map(str, self.ends)) or "no kills"
        return f"world {self.seed}: faults {json.dumps(self.faults)}; {ends}"


_MOST = {"fsync": 16, "write": 10, "rename": 4, "unlink": 4, "link": 1, "POST": 4, "answer": 3}


def _manifest(dice: random.Random) -> dict[str, object]:
    seeds = list(range(1, dice.randint(1, 4) + 1))
    matrix = {"seed": seeds, "size": ["64x64"], "format": [dice.choice(("png", "jpeg"))]}
    entries = [{"id": "hero", "prompt": "A red bottle", "matrix": matrix}]
    if dice.random() < 0.2:
        entries.append(entries[0] | {"id": "twin"})
    run = {"rate": dice.choice(("500/s", "20/s")), "concurrency": dice.randint(1, 4)}
    return {"version": 1, "output": "outputs/{{ entry }}/{{ seed }}.{{ ext }}", "run": run, "entries": entries}


class Place:
    """The folder of a world, with its manifest; remembers every task id that was ever durable in its lockfile."""

    def __init__(self, folder: Path, manifest: dict[str, object]) -> None:
        self.folder = folder
        self.lockfile = folder / "manifests" / "m.lock"
        self.lockfile.parent.mkdir(parents=True)
        self.renders: dict[str, str] = {}
        self.paths: dict[str, str] = {}
        self.known: set[str] = set()
        self.story: list[str] = []
        self._manifest = manifest
        self.write()

    def write(self) -> None:
        source = json.dumps(self._manifest).encode()
        (self.folder / "manifests" / "m.yaml").write_bytes(source)
        cells = expand(source, file="m", schemas=Schemas((Path("schemas"),)), max_cells=None, place=None).cells
        self.renders = {cell.render.key: warm._name(dict(cell.render.params)) for cell in cells}
        self.paths = {cell.path: cell.render.key for cell in cells}

    def grow(self) -> None:
        """Want two pictures more, so that the next run has something to do."""
        for matrix in {id(entry["matrix"]): entry["matrix"] for entry in self._manifest["entries"]}.values():
            matrix["seed"] += [len(matrix["seed"]) + 1, len(matrix["seed"]) + 2]
        self.write()

    def look(self) -> None:
        """Read the lockfile, which has to be readable and to know every task id that it has ever known."""
        if not self.lockfile.exists():
            if self.known:
                raise Violation("the lockfile is gone")
            return
        told = {line["task"] for line in self.lines() if "task" in line}
        if not self.known <= told:
            raise Violation(f"the lockfile has lost the tasks {sorted(self.known - told)}")
        self.known |= told
        contents.read(self.lockfile)

    def lines(self) -> list[dict[str, object]]:
        """Return what the whole lines say, without the program's own parser."""
        whole, _, _ = self.lockfile.read_bytes().rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines()[1:]]

    def announced(self, rows: list[warm.Row]) -> None:
        """Make sure that the server has no task that the lockfile did not announce, after whatever has happened."""
        intents = {line["id"]: self.renders[line["key"]] for line in self.lines()} if self.lockfile.exists() else {}
        allowed = Counter(intents.values())
        made = Counter(row.render for row in rows)
        if made - allowed:
            raise Violation(f"sent before its intent was durable: {dict(made - allowed)}")

    def polled(self) -> None:
        """Make sure that no task was followed whose id could still be lost."""
        journal = self.folder / points.POLLED
        asked = set(journal.read_text().split()) if journal.exists() else set()
        if not asked <= self.known:
            raise Violation(f"followed before it was durable: {sorted(asked - self.known)}")

    def money(self, rows: list[warm.Row]) -> Counter[str]:
        """Make sure that nothing was charged twice; return what was charged."""
        charged = Counter(row.render for row in rows if row.charge)
        if twice := {render: count for render, count in charged.items() if count > 1}:
            raise Violation(f"paid more than once: {twice}")
        return charged

    def rest(self, rows: list[warm.Row], *, whole: bool) -> None:
        """Judge what the last run left behind; `whole` when every picture has to be there."""
        charged = self.money(rows)
        found = contents.read(self.lockfile)
        if found is None or found.torn:
            raise Violation("the lockfile is not whole")
        submissions = found.history.submissions.values()
        if len(self.lines()) != len(found.history.submissions):
            raise Violation("the lockfile is not in its resting form")
        claimed = {task for one in submissions for task in one.tasks}
        if orphans := {row.task for row in rows if row.charge} - claimed:
            raise Violation(f"charged, and no line claims them: {sorted(orphans)}")
        facts = {path: fact for one in submissions for path, fact in one.files.items()}
        for path, key in self.paths.items():
            self._picture(path, facts, needed=whole)
            if whole and charged[self.renders[key]] != 1:
                raise Violation(f"{path} was charged {charged[self.renders[key]]} times")
        self._no_left_overs()
        sums = {(self.paths[path], fact.sha256) for path, fact in facts.items() if path in self.paths}
        if len({one for _, one in sums}) != len(sums):
            raise Violation("two renders have one picture: one of them is another's")

    def _picture(self, path: str, facts: dict[str, contents.FileFact], *, needed: bool) -> None:
        file = self.folder / path
        if not file.exists():
            if needed or path in facts:
                raise Violation(f"{path} is not on disk")
            return
        if path not in facts:
            raise Violation(f"{path} is on disk, and the lockfile does not know it")
        data = file.read_bytes()
        if (hashlib.sha256(data).hexdigest(), len(data)) != (facts[path].sha256, facts[path].bytes):
            raise Violation(f"{path} is not what the lockfile says")

    def _no_left_overs(self) -> None:
        pictures = [path for path in (self.folder / "outputs").rglob("*") if path.is_file()]
        odd = [path.name for path in pictures if str(path.relative_to(self.folder)) not in self.paths]
        odd = [name for name in odd if ".kept-" not in name]  # moved aside when the run was killed, and no harm
        beside = {path.name for path in self.lockfile.parent.iterdir()}
        odd += [name for name in beside if name not in {"m.yaml", "m.lock", "m.lock.held"} and ".torn-" not in name]
        if odd:
            raise Violation(f"left over: {sorted(odd)}")


def cut_power(place: Place, before: dict[int, int], dice: random.Random) -> None:
    """Take from the disk what no fsync had made durable; of what was only appended, some part may stay.

    `before` is how long each file was when the run began, by inode.
    """
    durable = dict(before)
    for line in (place.folder / points.JOURNAL).read_text().splitlines():
        inode, size = map(int, line.split())
        durable[inode] = max(durable.get(inode, 0), size)
    outputs = [path for path in (place.folder / "outputs").rglob("*") if path.is_file()]
    for path in (place.lockfile, *outputs):
        if path.exists():
            status = path.stat()
            kept = durable.get(status.st_ino, 0)
            if status.st_size > kept:
                os.truncate(path, dice.randint(kept, status.st_size) if path == place.lockfile else kept)


def sizes(place: Place) -> dict[int, int]:
    files = (path.stat() for path in place.folder.rglob("*") if path.is_file())
    return {status.st_ino: status.st_size for status in files}


@dataclass(slots=True)
class Tally:
    """What was done, in counts."""

    worlds: int = 0
    kills: int = 0
    runs: int = 0
    cuts: int = 0

    def add(self, other: Tally) -> None:
        for name in ("worlds", "kills", "runs", "cuts"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def live(world: World, folder: Path, tally: Tally) -> list[str]:
    """Live through a world; raise Violation, with the story so far, where a promise is broken."""
    place = Place(folder, world.manifest)
    tally.worlds += 1
    with warm.Server(folder, world.faults, seed=world.seed) as server:
        try:
            for number, end in enumerate(world.ends):
                _harmed(world, place, server, end, number, tally)
            _unharmed(world, place, server, tally)
        except Violation as broken:
            rows = "\n".join(map(str, server.rows()))
            story = "\n".join(place.story)
            raise Violation(f"{broken}\n{world}\n{story}\n{rows}\n{place.lockfile.read_text()}") from None
    return place.story


def _harmed(world: World, place: Place, server: warm.Server, end: End, number: int, tally: Tally) -> None:
    before = sizes(place)
    (place.folder / points.JOURNAL).write_bytes(b"")
    done = _run(world, place, server, end)
    tally.runs += 1
    tally.kills += done.killed
    place.story.append(f"{end}: exit {done.code}, signal {done.signal}, {done.seconds:.3f} s\n{done.err}")
    if done.killed and end.power:
        tally.cuts += 1
        cut_power(place, before, random.Random(f"{world.seed}:{number}"))
    if done.signal not in {0, signal.SIGKILL}:
        raise Violation(f"ended by signal {done.signal}")
    if done.ugly:
        raise Violation(done.ugly)
    place.look()
    rows = server.rows()
    place.announced(rows)
    place.polled()
    place.money(rows)
    if not done.killed:
        place.grow()


def _unharmed(world: World, place: Place, server: warm.Server, tally: Tally) -> None:
    for _ in range(_LAST_RUNS):
        done = _run(world, place, server, None)
        tally.runs += 1
        place.story.append(f"unharmed: exit {done.code}, signal {done.signal}, {done.seconds:.3f} s\n{done.err}")
        if done.signal or done.code not in world.codes:
            raise Violation(f"the unharmed run ended with exit {done.code}, signal {done.signal}")
        if done.ugly:
            raise Violation(done.ugly)
        place.look()
        rows = server.rows()
        place.announced(rows)
        place.polled()
        place.rest(rows, whole=done.code == 0)
        if done.code == 0:
            return
    raise Violation(f"{_LAST_RUNS} unharmed runs were not enough")


def complete(place: Place, server: warm.Server) -> None:
    """End what a harmed run began, without harm; everything has to be there then, and paid for once."""
    for emergency in (place.folder / "state").rglob("*.lock"):
        merged = warm.call(place.folder, "merge", str(place.lockfile), str(emergency), "-o", str(place.lockfile))
        if merged.code:
            raise Violation(f"merge did not take the emergency file: exit {merged.code}\n{merged.err}")
    done = warm.call(place.folder, *RUN, environ=server.environ)
    if done.code or done.ugly:
        raise Violation(f"the next run ended with exit {done.code}\n{done.err}")
    place.look()
    rows = server.rows()
    place.announced(rows)
    place.rest(rows, whole=True)


def _run(world: World, place: Place, server: warm.Server, end: End | None) -> warm.Done:
    def prepare() -> None:
        points.Moments(end.point if end else None).install()
        world.prepare()

    signals = [(end.at, signal.SIGKILL)] if end else []
    return warm.call(place.folder, *RUN, environ=server.environ, prepare=prepare, signals=signals)
