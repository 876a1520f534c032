"""The program with one safety rule taken out of its real code, by a patch in the forked child.

What each needs to turn red is a world in which the rule matters: an answer that is lost, a power cut, a changed byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kills import explore, warm, worlds


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule taken out. `shows` finds the violation within so many kills, or returns nothing."""

    rule: str
    without: warm.Prepare
    shows: Callable[[warm.Prepare, int, Path], str | None]


def _no_witness() -> None:
    """Take every request without an answer for one that was never sent."""
    from flux_pipeline.wiro.http import Http
    from flux_pipeline.wiro.wire import NoAnswer

    real = Http.post_once

    async def post_once(self: Http, *arguments: Any) -> Any:
        reply = await real(self, *arguments)
        return replace(reply, sent=False) if isinstance(reply, NoAnswer) else reply

    Http.post_once = post_once


def _no_fsync_of(mark: bytes) -> warm.Prepare:
    def prepare() -> None:
        from flux_pipeline.ledger.lockfile import Lockfile

        real = Lockfile._make_durable

        def make_durable(self: Lockfile, data: bytes) -> None:
            if mark not in data:
                return real(self, data)
            self._unchanged()
            return self._write(data)

        Lockfile._make_durable = make_durable

    return prepare


def _no_crc() -> None:
    import orjson

    from flux_pipeline.ledger import facts

    facts.unseal = lambda line: orjson.loads(line.rstrip(b"\r\n")[: -facts._CRC_TAIL] + b"}")


def _no_grace() -> None:
    from flux_pipeline.cli import run

    real = run.policy
    run.policy = lambda work, given: replace(real(work, given), grace=0.0)


def by_kills(without: warm.Prepare, kills: int, root: Path) -> str | None:
    _, broken = explore.kill_many(kills, 0, 6, root, without, first=True)
    return broken[0].splitlines()[0] if broken else None


def _lagging(without: warm.Prepare, _kills: int, root: Path) -> str | None:
    """Lose an answer before a server whose list shows a task only after most of the grace period."""
    world = worlds.World(1, 1.0, without)
    world.faults = [{"on": "run", "what": "lost_answer", "nth": [2]}, {"on": "list", "what": "lag", "seconds": 0.35}]
    world.ends, world.codes = [], frozenset({0})
    world.manifest["run"] = {"rate": "500/s", "concurrency": 1}
    world.manifest["entries"][0]["matrix"]["seed"] = [1, 2, 3]
    try:
        worlds.live(world, root / "lag", worlds.Tally())
    except worlds.Violation as broken:
        return str(broken).splitlines()[0]
    return None


def _flip(without: warm.Prepare, _kills: int, root: Path) -> str | None:
    try:
        changed_by_hand(root / "flip", without)
    except worlds.Violation as broken:
        return str(broken)
    return None


def changed_by_hand(folder: Path, prepare: warm.Prepare) -> None:
    """Change one digit of a task id in a lockfile; the next run has to refuse the file."""
    place = worlds.Place(folder, worlds.World(1, 1.0).manifest)
    with warm.Server(folder) as server:
        warm.call(folder, "run", "manifests/m.yaml", environ=server.environ)
        text = place.lockfile.read_text()
        place.lockfile.write_text(text.replace('"task": "2221"', '"task": "2229"'))
        done = warm.call(folder, "run", "manifests/m.yaml", environ=server.environ, prepare=prepare)
    if done.code != 5:
        raise worlds.Violation(f"a lockfile that was changed by hand is believed: exit {done.code}")


MUTANTS = (
    Mutant("wire witness", _no_witness, by_kills),
    Mutant("crc", _no_crc, _flip),
    Mutant("fsync of intent", _no_fsync_of(b'"intended_at"'), by_kills),
    Mutant("fsync of id", _no_fsync_of(b'"task"'), by_kills),
    Mutant("grace", _no_grace, _lagging),
)
