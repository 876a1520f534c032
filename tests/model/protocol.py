"""The protocol as a small machine, and every order in which its parts and the world can move.

A state is a handful of renders, each with its stage, what is durable, what is on the wire and what the server made of
it. The program moves renders only along `MOVES`, which is the engine's own table. The world may lose or delay a
request, lose an answer, hide a task from the list for a while, and kill the program, which then knows only what is
durable: of the facts that were being written, any may be.

Time has no numbers. That the grace period is long enough means that it ends only when nothing of the render is under
way or hidden any more, so `absent` waits for that; without a grace period it does not wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import NamedTuple

from flux_pipeline.run.stages import ACTIVE, ENDED, MOVES, Cause, Stage

_AT_MOST = 2  # tasks and stray requests of one render that are told apart; more is as bad

_NOTHING, _INTENT, _NAMED, _SAVED = range(4)  # what is durable
_IDLE, _SENT, _YES, _NO = range(4)  # the wire of a POST that the program still waits for

_WAKES = {_NOTHING: Stage.WAITING, _INTENT: Stage.UNCLEAR, _NAMED: Stage.FOLLOWING, _SAVED: Stage.SAVED}
_WRITES = {
    Stage.INTENDING: _INTENT,
    Stage.NAMING: _NAMED,
    Stage.DENYING: _NOTHING,
    Stage.REFUSING: _NOTHING,
    Stage.RECORDING: _SAVED,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the program keeps to: without `look` it posts an unclear render again, as many tools do.

    The last two are the world's: where it is `hiding` the list never shows a task, which breaks its own promise; where
    it is `losing` the lockfile may be lost or rolled back between two runs, once all tasks are in the list.
    """

    intent: bool = True
    look: bool = True
    grace: bool = True
    canary: bool = True
    adopt: bool = True
    hiding: bool = False
    losing: bool = False


class Render(NamedTuple):
    """One render. `stray` requests may still arrive, `hidden` and `shown` tasks are claimed by nothing durable."""

    stage: Stage = Stage.WAITING
    disk: int = _NOTHING
    wire: int = _IDLE
    stray: int = 0
    hidden: int = 0
    shown: int = 0
    claimed: int = 0

    @property
    def paid(self) -> int:
        return self.hidden + self.shown + self.claimed

    def by(self, cause: Cause) -> Render:
        return self._replace(stage=MOVES[self.stage, cause])


class Move(NamedTuple):
    """A move of one render; what it `needs` of the others: nothing, a free slot, or that no canary was sent."""

    needs: str
    to: Render


@cache
def moves(one: Render, rules: Rules) -> tuple[Move, ...]:
    """Return what may happen to one render next, short of a crash."""
    told = (*_of_the_program(one, rules), *_of_the_wire(one), *_of_the_server(one, rules))
    return tuple(dict.fromkeys(move for move in told if max(move.to.paid, move.to.stray) <= _AT_MOST))


def _of_the_program(one: Render, rules: Rules) -> list[Move]:
    match one.stage:
        case Stage.WAITING if one.shown and rules.adopt:
            return [Move("", one.by(Cause.ADOPTED))]
        case Stage.WAITING:
            return [Move("a slot", one.by(Cause.INTEND)), Move("", one.by(Cause.FAILED))]
        case Stage.INTENDING:
            return [Move("", one.by(Cause.DURABLE)._replace(disk=_INTENT if rules.intent else one.disk, wire=_SENT))]
        case Stage.NAMING | Stage.DENYING | Stage.REFUSING | Stage.RECORDING:
            return [Move("", _written(one).by(Cause.DURABLE))]
        case Stage.UNCLEAR:
            return _reconciled(one, rules)
        case Stage.FOLLOWING:
            # The service does not know the task, nor does its list show another one.
            unknown = one.by(Cause.MISNAMED).by(Cause.DOUBT)
            ended = [Move("", one.by(Cause.FAILED)._replace(claimed=0)), Move("", unknown)]
            return ended + ([Move("", one.by(Cause.FINISHED))] if one.claimed else [])
        case Stage.COLLECTING:
            return [Move("", one.by(Cause.FETCHED)), Move("", one.by(Cause.FAILED))]
        case Stage.FAILED if not one.claimed:
            return [Move("", one.by(Cause.AGAIN))]
        case _:
            return []


def _reconciled(one: Render, rules: Rules) -> list[Move]:
    if not rules.look:
        return [Move("", one.by(Cause.ABSENT))]
    if one.shown:
        return [Move("", one.by(Cause.ADOPTED))]
    over = one.stray == 0 and (one.hidden == 0 or rules.hiding)
    if rules.grace and not over:
        return []
    needs = "the canary" if rules.hiding and rules.canary else ""  # elsewhere a control or the canary does not matter
    return [Move(needs, one.by(Cause.ABSENT)), Move("", one.by(Cause.DOUBT))]


def _of_the_wire(one: Render) -> list[Move]:
    """A POST that the program waits for: what it comes to hear, or gives up on."""
    if one.stage is not Stage.POSTING:
        return []
    quiet = one._replace(wire=_IDLE)
    unknown = quiet.by(Cause.UNKNOWN)
    match one.wire:
        case wire if wire == _SENT:
            arrives = [one._replace(wire=_YES, hidden=one.hidden + 1), one._replace(wire=_NO)]
            return [
                Move("", to)
                for to in (*arrives, quiet.by(Cause.NOT_TAKEN), unknown, unknown._replace(stray=one.stray + 1))
            ]
        case wire if wire == _YES:
            return [Move("", quiet.by(Cause.ACCEPTED)), Move("", unknown)]
        case _:
            return [Move("", to) for to in (quiet.by(Cause.NOT_TAKEN), quiet.by(Cause.REFUSED), unknown)]


def _of_the_server(one: Render, rules: Rules) -> list[Move]:
    told = []
    if one.stray:
        arrived = one._replace(stray=one.stray - 1)
        told += [arrived, arrived._replace(hidden=one.hidden + 1)]
    if one.hidden and not rules.hiding:
        told.append(one._replace(hidden=one.hidden - 1, shown=one.shown + 1))
    if one.shown and one.stage is not Stage.NAMING:
        told.append(one._replace(shown=one.shown - 1))  # it fails, and costs nothing
    return [Move("", to) for to in told]


def _written(one: Render) -> Render:
    """Make durable what is being written. A name claims the task: the one that the answer or the list has told of."""
    written = one._replace(disk=_WRITES[one.stage])
    if one.stage is not Stage.NAMING:
        return written
    if one.shown:
        return written._replace(shown=one.shown - 1, claimed=1)
    if one.hidden:
        return written._replace(hidden=one.hidden - 1, claimed=1)
    return written  # it has failed meanwhile


@cache
def wakes(one: Render, rules: Rules) -> tuple[Render, ...]:
    """Return what a crash may leave of one render, as the next run finds it."""
    disks = [one]
    if one.stage in _WRITES and (rules.intent or one.stage is not Stage.INTENDING):
        disks.append(_written(one))
    wires = [0, 1] if one.wire == _SENT else [0]
    left = [
        disk._replace(stage=_WAKES[disk.disk], wire=_IDLE, stray=one.stray + stray) for disk in disks for stray in wires
    ]
    if rules.losing:
        left += [older for to in left for older in _rolled_back(to)]
    return tuple(dict.fromkeys(to for to in left if to.stray <= _AT_MOST))


def _at_rest(one: Render) -> Render:
    """Return a render as a run leaves it that comes to its end: how a task failed is written down by then."""
    failed = one.stage in {Stage.WAITING, Stage.FAILED} and not one.claimed
    return one._replace(disk=_NOTHING) if failed else one


def _rolled_back(one: Render) -> list[Render]:
    if one.stray or one.hidden:
        return []
    shown = one._replace(claimed=0, shown=one.shown + one.claimed)
    return [shown._replace(disk=disk, stage=_WAKES[disk]) for disk in (_NOTHING, _INTENT) if disk < one.disk]


@dataclass(slots=True)
class Verdict:
    """What an exploration has found out."""

    states: int = 0
    paid_twice: int = 0  # states in which some render is
    lost: int = 0  # states in which all is saved, and a paid task is claimed by nothing
    stuck: int = 0
    most_at_risk: int = 0  # renders paid twice, in runs that the number of crashes allows


State = tuple[int, bool, tuple[Render, ...]]


def explore(renders: int, crashes: int, rules: Rules, *, slots: int | None = None) -> Verdict:
    """Visit every state; renders are alike, so that their order does not count."""
    slots = slots or renders
    verdict = Verdict()
    begin: State = (crashes, False, (Render(),) * renders)
    seen = {begin}
    front = [begin]
    far = _distances(rules)
    while front:
        behind = front
        front = []
        for state in behind:
            _judge(state, rules, verdict, crashes)
            near = sum(far.get(one, 0) for one in state[2])
            goes_on = near == 0
            for to in _after(state, rules, slots):
                goes_on = goes_on or sum(far.get(one, 0) for one in to[2]) < near
                if to not in seen:
                    seen.add(to)
                    front.append(to)
            verdict.stuck += not goes_on
    verdict.states = len(seen)
    return verdict


def _judge(state: State, rules: Rules, verdict: Verdict, crashes: int) -> None:
    left, _, renders = state
    doubles = sum(one.paid > 1 for one in renders)
    verdict.paid_twice += doubles > 0
    saved = all(one.stage is Stage.SAVED and not one.stray for one in renders)
    verdict.lost += saved and any(one.hidden or one.shown for one in renders)
    verdict.most_at_risk = max(verdict.most_at_risk, doubles - (crashes - left))


def _after(state: State, rules: Rules, slots: int) -> list[State]:
    left, canary, renders = state
    told: list[State] = []
    free = sum(one.stage in ACTIVE for one in renders) < slots
    for place, one in enumerate(renders):
        if place and renders[place - 1] == one:
            continue
        others = renders[:place] + renders[place + 1 :]
        for needs, to in moves(one, rules):
            if (needs == "a slot" and not free) or (needs == "the canary" and canary):
                continue
            told.append((left, canary or needs == "the canary", _sorted((*others, to))))
    ended = all(one.stage in ENDED or (one.stage is Stage.WAITING and not free) for one in renders)
    if left or (ended and not rules.hiding):
        left -= not ended or rules.hiding  # the next run after an end is free
        found = [wakes(_at_rest(one) if ended else one, rules) for one in renders]
        told += [(left, False, _sorted(woken)) for woken in product(*found)]
    return told


def _sorted(renders: tuple[Render, ...]) -> tuple[Render, ...]:
    return tuple(sorted(renders))


def _distances(rules: Rules) -> dict[Render, int]:
    """Return for every state of one render how many moves it is from its end, a new run counting as one.

    When from every state of all some move brings the sum of these down, then all of them can always come to their end.
    """
    known = {Render()}
    front = [Render()]
    before: dict[Render, set[Render]] = {}
    while front:
        one = front.pop()
        steps = [move.to for move in moves(one, rules)]
        again = wakes(_at_rest(one), rules) if one.stage in ENDED else wakes(one, rules)
        for to in (*steps, *again):
            if to not in known:
                known.add(to)
                front.append(to)
        for to in (*steps, *(again if one.stage in ENDED else ())):
            before.setdefault(to, set()).add(one)
    far = dict.fromkeys((one for one in known if one.stage is Stage.SAVED), 0)
    front = list(far)
    while front:
        behind, front = front, []
        for one in behind:
            for earlier in before.get(one, ()):
                if earlier not in far:
                    far[earlier] = far[one] + 1
                    front.append(earlier)
    return far
