"""A universe for the real engine: a virtual clock, a server with its own ledger, a disk, and dice for all that happens.

Nothing waits and nothing is real, and everything follows from one seed. A life is a run of the program: it ends when
the engine is done, or in the middle of anything, and then only the durable facts, the files and the server are left.
"""

from __future__ import annotations

import heapq
from collections import deque
from decimal import Decimal
from random import Random
from typing import Any

from simulation.invariants import Promises, Violation
from simulation.schedules import PRICE, Life, Schedule, draw

from flux_pipeline.ledger.facts import FileFact, Submission
from flux_pipeline.ledger.history import fold
from flux_pipeline.ledger.keys import Render
from flux_pipeline.manifest.cell import Cell
from flux_pipeline.plan import plan
from flux_pipeline.run.engine import Engine, Given
from flux_pipeline.run.events import (
    Answered,
    AskDetail,
    AskList,
    Broke,
    Copied,
    Copy,
    Effect,
    Event,
    Fetch,
    Fetched,
    Interrupted,
    Listed,
    Moment,
    Post,
    Saved,
    Sent,
    Told,
    Unfit,
    Woken,
    Write,
    Written,
)
from flux_pipeline.run.jobs import Policy
from flux_pipeline.run.outcome import Outcome
from flux_pipeline.wiro.echo import Shape, keys_of
from flux_pipeline.wiro.outcomes import (
    Accepted,
    Gone,
    NoTask,
    NotTaken,
    PostOutcome,
    ReadOutcome,
    Refused,
    Tasks,
    Undelivered,
    Unknown,
    Unread,
    Unsent,
)
from flux_pipeline.wiro.tasks import Output, Task

MODEL = "black-forest-labs/flux-2-pro-t2i"
_MOST = 9  # renders
_TRACE = 40  # of the last events
_STEPS = 6000  # in one life
_SPIN = 40  # steps without time going on
_DAY = 86400.0
_BORN = 1_700_000_000.0  # the server's clock at tick 0
_WOKEN = Woken()
_NOTHING = Decimal(0)

SHAPE = Shape(model=MODEL, types={"prompt": "string", "seed": "integer", "width": "integer"}, defaults={"width": 1024})
_PARAMS = [{"prompt": 'a "kettle"\nat dusk', "seed": number, "width": 1024} for number in range(_MOST)]
RENDERS = [Render.of(MODEL, one) for one in _PARAMS]
_CELLS = [
    [Cell(f"hero/seed={number}", "hero", {}, f"out/{number}{name}.png", render) for name in ("", "-copy")]
    for number, render in enumerate(RENDERS)
]
_NUMBER = {render.key: number for number, render in enumerate(RENDERS)}
_PICTURES = {
    one.key: FileFact(sha256=f"sum of {number}", bytes=9, width=8, height=8) for number, one in enumerate(RENDERS)
}


def _echoes(params: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return what the service may make of parameters."""
    text = {name: str(value) for name, value in params.items()}
    without = {name: value for name, value in params.items() if name != "width"}
    dressed = {**params, "prompt": "a &quot;kettle&quot;\r\nat dusk", "callbackUrl": "https://x.example/", "steps": ""}
    return (params, text, without, dressed)


_ECHOES = [_echoes(params) for params in _PARAMS]
_FOREIGN = {"prompt": "somebody else's", "seed": 7}
_KEYS: dict[int, frozenset[str]] = {}


def identify(task: Task) -> frozenset[str]:
    """Do what a run does, once for every set of parameters in the universe."""
    known = _KEYS.get(id(task.params))
    if known is None:
        known = _KEYS[id(task.params)] = keys_of(task, (SHAPE,))
    return known


class Crashed(Exception):
    """The program dies here."""


class Made:
    """A task, as the server has it."""

    __slots__ = ("_ended", "_running", "ends", "fate", "id", "key", "known", "made", "params", "shown")

    def __init__(self, number: int, key: str, params: dict[str, Any], made: float, ends: float, fate: str) -> None:
        self.id = str(number)
        self.key = key
        self.params = params
        self.made = made
        self.ends = ends
        self.fate = fate
        self.shown = made  # from then on the list has it
        self.known = made  # from then on Detail knows it
        self._running: Task | None = None
        self._ended: Task | None = None

    @property
    def worth(self) -> bool:
        """Whether it has cost money, or will."""
        return self.fate in {"finished", "charged"}

    def task(self, now: float) -> Task:
        if now < self.ends:
            if self._running is None:
                self._running = self._say({"status": "task_start"})
            return self._running
        if self._ended is None:
            self._ended = self._say(_FATES[self.fate])
        return self._ended

    def _say(self, state: dict[str, Any]) -> Task:
        return Task(id=self.id, model=MODEL, params=self.params, created=_BORN + self.made, **state)


_OUTPUT = Output(url="https://cdn.example/0.png", name="0.png", content_type="image/png", size=9)
_END = "task_postprocess_end"
_FATES: dict[str, dict[str, Any]] = {
    "finished": {"status": _END, "pexit": "0", "cost": PRICE, "outputs": (_OUTPUT,)},
    "failed": {"status": _END, "pexit": "1", "cost": _NOTHING, "reason": "out of memory"},
    "moderated": {"status": _END, "pexit": "1", "cost": _NOTHING, "reason": "Moderated."},
    "error": {"status": "task_error"},
    "cancelled": {"status": "task_cancel", "pexit": "0", "cost": _NOTHING},
    "charged": {"status": _END, "pexit": "0", "cost": PRICE},
}
_BAD_FATES = ("failed", "failed", "moderated", "error", "cancelled", "charged")

# The agenda's kinds. A request on its way outlives the program; everything else dies with it.
_ARRIVE, _SEND, _ANSWER, _READ, _PAGE, _FETCH, _COPY, _DISK = range(8)


class World:
    """Everything that there is, under one seed."""

    def __init__(self, seed: int, mutant: str | None = None, only: frozenset[str] | None = None) -> None:
        self.seed = seed
        self.mutant = mutant
        self.dice = Random(seed)
        self.schedule: Schedule = draw(self.dice)
        self.now = 1000.0
        self.wall = 0.0  # by which our clock is wrong
        self.trace: deque[tuple[float, Any]] = deque(maxlen=_TRACE)
        self.durable: list[Submission] = []
        self.files: dict[str, str] = {}
        self.tasks: list[Made] = []  # in the order of their ids
        self.ours: list[Made] = []
        self.faults = self.schedule.faults
        self.limit: int | None = None  # of the account, under that of the user
        self.limited = self.dice.random() < 0.2
        self.rolled_back = False
        self.exits: list[int | None] = []  # of every life; None is a crash
        self.agenda: list[tuple[float, int, int, Any]] = []
        self.inbox: deque[Event] = deque()
        self.to_write: list[Submission] = []
        self.batch: list[Submission] = []
        self.life = 0
        self._order = 0
        self._next_task = 5000
        self._hid = False  # whether the last page left tasks out without a trace
        self.manifest(self.schedule.renders)
        self.policy = Policy()
        self.promises = Promises(self, only)
        self._others()

    def manifest(self, renders: int) -> None:
        paths = 2 if self.schedule.two_paths else 1
        self.cells = [cell for cells in _CELLS[:renders] for cell in cells[:paths]]
        self.wanted = {one.key for one in RENDERS[:renders]}

    def _others(self) -> None:
        """Put tasks into the account that no lockfile knows, older than a day."""
        if self.schedule.ancient:
            for number in range(self.schedule.renders):
                self._new(RENDERS[number].key, _ECHOES[number][0], self.now - 2 * _DAY, self.now - 2 * _DAY, "finished")
        else:
            self._new("", _FOREIGN, self.now - 3600.0, self.now - 3600.0, "finished")

    # --- a whole schedule -------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Live every life of the schedule, and then runs without a fault until one has nothing left to do."""
        schedule, promises = self.schedule, self.promises
        for life in schedule.lives:
            self.manifest(life.wanted)
            self.live(life)
            self._between(life)
        self.faults = 0
        self.limit = None
        self.limited = False
        self.wall = 0.0
        self.manifest(schedule.renders)
        self.now += schedule.late + schedule.lag + 1.0
        for attempt in range(4):
            outcome = self.live(Life(policy={"rate": 100.0, "retries": 2}, wanted=schedule.renders))
            assert outcome is not None
            self.now += schedule.late + schedule.lag + 1.0
            if outcome.exit_code == 0 or attempt == 3:
                break
        if self.agenda:
            self._let_arrive(self.now)
        promises.last(outcome)
        if self.seed % 8 == 0:
            promises.same_plan()

    def live(self, life: Life) -> Outcome | None:
        """Run the program once; None when it died."""
        self.life += 1
        self._dies_at, self._left = life.dies_at, life.nth
        self._breaks = life.breaks
        self._disk_is_broken = False
        self._writes = 0
        self.wall = life.wall
        schedule = self.schedule
        self.policy = Policy(
            **life.policy,
            concurrency=schedule.concurrency,
            max_cost=schedule.max_cost,
            grace=0.0 if self.mutant == "grace" else schedule.grace,
        )
        self.promises.born()
        outcome = None
        try:
            outcome = self._drive(life)
            self.promises.ended(outcome)
        except Crashed:
            self.trace.append((self.now, "the program dies"))
        self.exits.append(outcome.exit_code if outcome else None)
        self._leave(crashed=outcome is None)
        return outcome

    def _drive(self, life: Life) -> Outcome:
        history = fold(self.durable)
        the_plan = plan(self.cells, history, self.files, lambda _: PRICE)
        ids = iter(lambda: f"{self.dice.getrandbits(48):012x}", "")
        given = Given(ids=ids, jitter=self.dice.random, identify=identify, account="us")
        began = self.now
        engine = Engine(the_plan, history, self.policy, given, self._read_clock())
        self.trace.append((self.now, "the program starts"))
        self._perform(engine.start(self._read_clock()))
        inbox = self.inbox
        still, since, steps = 0, self.now, 0
        while not engine.done:
            if steps == life.interrupted:
                inbox.append(Interrupted(130))
            if steps == life.frozen:
                self.now += self.dice.choice((5.0, 90.0, 3600.0))
            event = inbox.popleft() if inbox else self._next(engine)
            steps += 1
            if event is None:
                continue
            self.trace.append((self.now, event))
            kind = type(event)
            if kind is Broke or kind is Interrupted:
                self.promises.barred = True
            effects = engine.handle(event, self._read_clock())
            if self._dies_at == "step":
                self._tick("step")
            if effects:
                self._perform(effects)
            if self.now > since:
                still, since = 0, self.now
            elif (still := still + 1) > _SPIN * (1 + self.schedule.renders):
                self.promises.broken("I12", "the program spins")
                raise Crashed
            if steps > _STEPS:
                self.promises.broken("I12", "the run does not end")
                raise Crashed
        outcome = engine.outcome(self.now - began)
        self.trace.append((self.now, f"the run ends with {outcome.exit_code} {outcome.stopped}"))
        return outcome

    def _leave(self, *, crashed: bool) -> None:
        """End a life: of what was being written, some is durable; what is under way to the server may arrive."""
        dice, late = self.dice, self.schedule.late
        under_way = self.batch + (self.to_write if crashed else [])
        if self._disk_is_broken:
            under_way = []
        for fact in under_way[: dice.randint(0, len(under_way))]:
            self._durable(fact)
        self.batch, self.to_write = [], []
        self.inbox.clear()
        left = []
        for due, order, kind, what in self.agenda:
            at = due
            if kind == _FETCH and dice.random() < 0.3:
                self.files.update(dict.fromkeys(what.paths, _PICTURES[what.key].sha256))
            if kind != _ARRIVE:
                continue
            if what[3] == self.life:
                if what[2] == "normal" and dice.random() < 0.3:
                    continue
                slow = self.now + dice.random() * late
                at = max(at, slow) if dice.random() < 0.5 else min(at, slow)
                at = min(at, self.now + late)
            left.append((at, order, kind, what))
        heapq.heapify(left)
        self.agenda = left
        self.life += 1  # nobody hears the answers any more

    def _between(self, life: Life) -> None:
        """Let time go by between two lives, with whatever the user does meanwhile."""
        gap = life.gap
        if life.rolled_back is not None:
            gap += self.schedule.late + self.schedule.lag + 1.0
            self.durable = self.durable[: int(len(self.durable) * life.rolled_back)]
            self.rolled_back = True
            self.trace.append((self.now, f"the lockfile is cut to {len(self.durable)} lines"))
        if life.deleted and self.files:
            del self.files[self.dice.choice(sorted(self.files))]
        self.now += gap
        self._let_arrive(self.now)

    def _let_arrive(self, until: float) -> None:
        while self.agenda and self.agenda[0][0] <= until:
            at, _, _, what = heapq.heappop(self.agenda)
            self._arrive(at, what)

    # --- one step ---------------------------------------------------------------------------------------------------

    def _read_clock(self) -> Moment:
        now = self.now
        return Moment(now, f"{now:07.0f}", _BORN + now + self.wall)

    def _tick(self, what: str) -> None:
        if what == self._dies_at:
            self._left -= 1
            if self._left <= 0:
                raise Crashed

    def later(self, seconds: float, kind: int, what: Any) -> None:
        self._order += 1
        heapq.heappush(self.agenda, (self.now + seconds, self._order, kind, what))

    def _next(self, engine: Engine) -> Event | None:
        alarm = engine.wakeup()
        agenda = self.agenda
        if not agenda or (alarm is not None and alarm < agenda[0][0]):
            if alarm is None:
                self.promises.broken("I12", "nothing will ever happen again")
                raise Crashed
            self.now = max(self.now, alarm)
            return _WOKEN
        at, _, kind, what = heapq.heappop(agenda)
        self.now = max(self.now, at)
        return self._happen(kind, what, at)

    def _happen(self, kind: int, what: Any, at: float) -> Event | None:
        if kind == _READ:
            return Told(what, self._detail(what))
        if kind == _DISK:
            return self._written()
        if kind == _ARRIVE:
            self._tick("arrive")
            self._arrive(at, what)
            return None
        if kind == _ANSWER:
            self._tick("answer")
            self.promises.answered(what[1])
            return Answered(what[0], what[2])
        if kind == _SEND:
            return self._send(what)
        if kind == _PAGE:
            self._tick("listed")
            return Listed(what.start, what.purpose, self._list(what.start))
        if kind == _FETCH:
            return self._fetch(what)
        return self._copy(what)

    def _perform(self, effects: tuple[Effect, ...]) -> None:
        dice = self.dice
        for effect in effects:
            self._tick("effect")
            self.trace.append((self.now, effect))
            kind = type(effect)
            if kind is Write:
                self._write(effect.fact)
            elif kind is AskDetail:
                self.promises.detail(effect)
                self.later(0.01 + 0.2 * dice.random(), _READ, effect.task)
            elif kind is Post:
                self.promises.post(effect)
                self.later(0.02 * dice.random(), _SEND, effect)
            elif kind is AskList:
                self.later(0.01 + 0.2 * dice.random(), _PAGE, effect)
            elif kind is Fetch:
                self.later(0.3 * dice.random(), _FETCH, effect)
            elif kind is Copy:
                self.later(0.1 * dice.random(), _COPY, effect)

    def _fault(self, odds: float) -> bool:
        if self.faults and self.dice.random() < odds:
            self.faults -= 1
            return True
        return False

    # --- the disk ---------------------------------------------------------------------------------------------------

    def _write(self, fact: Submission) -> None:
        self.promises.asked_to_write(fact)
        if self._hasty(fact):
            self.inbox.append(Written(fact))
        self.to_write.append(fact)
        if not self.batch:
            self._begin_write()

    def _begin_write(self) -> None:
        self.batch, self.to_write = self.to_write, []
        self.later(self.schedule.fsync * self.dice.random(), _DISK, None)

    def _hasty(self, fact: Submission) -> bool:
        """Say whether a mutant takes a fact as durable before it is."""
        if self.mutant == "intent_fsync":
            return fact.intended_at is not None and not fact.tasks
        return self.mutant == "task_fsync" and bool(fact.tasks)

    def _written(self) -> Event | None:
        facts, self.batch = self.batch, []
        self._writes += 1
        breaks = self._writes == self._breaks + 1 > 0
        if breaks and self.dice.random() < 0.3:  # these few lines still found room
            self._disk_is_broken = True
            return self._made_durable(facts, Broke("the disk is full", 6))
        if self._disk_is_broken or breaks:
            if not self._disk_is_broken:  # the lockfile refuses everything after the first failure
                for fact in facts[: self.dice.randint(0, len(facts))]:
                    self._durable(fact)
            self._disk_is_broken = True
            if self.to_write:
                self._begin_write()
            return Broke("the disk is full", 6, unwritten=sum(not self._hasty(fact) for fact in facts))
        return self._made_durable(facts, None)

    def _made_durable(self, facts: list[Submission], event: Event | None) -> Event | None:
        for fact in facts:
            self._durable(fact)
            self._tick("durable")
        if self.to_write:
            self._begin_write()
        self.inbox.extend(Written(fact) for fact in facts if not self._hasty(fact))
        return event

    def _durable(self, fact: Submission) -> None:
        self.durable.append(fact)
        self.promises.durable(fact)

    # --- a POST, and what becomes of it -----------------------------------------------------------------------------

    def _send(self, effect: Post) -> Event:
        """Let the first byte leave, unless it does not."""
        dice, schedule = self.dice, self.schedule
        key = effect.render.key
        fault = "normal"
        if self._fault(schedule.odds):
            faults = _HIDDEN_FAULTS if schedule.kind == "hiding" else _POST_FAULTS
            fault = dice.choice(faults)
        if fault == "unsent":
            self.promises.answered(key)
            return Answered(effect.submission, _UNSENT[dice.randrange(len(_UNSENT))])
        self._tick("effect")
        travel = 0.01 + 0.1 * dice.random()
        request = (effect.submission, key, fault, self.life)
        if fault in {"lost before", "lost after", "late"}:
            patience = 0.2 + dice.random() * dice.choice((1.0, 120.0))
            outcome = _UNCLEAR[dice.randrange(len(_UNCLEAR))]
            self.later(patience, _ANSWER, (effect.submission, key, outcome))
            if fault == "late":
                travel = patience + dice.random() * schedule.late
        if fault != "lost before":
            self.later(travel, _ARRIVE, request)
        return Sent(effect.submission)

    def _arrive(self, at: float, request: tuple[str, str, str, int]) -> None:
        submission, key, fault, life = request
        self.trace.append((at, ("POST arrives", submission[:6], fault)))
        if fault in {"lost after", "late"}:
            self._make(key, at)
            return
        outcome = self._judge(key, fault, at)
        if life == self.life:
            self.later(0.01 + 0.2 * self.dice.random(), _ANSWER, (submission, key, outcome))

    def _judge(self, key: str, fault: str, at: float) -> PostOutcome:
        dice = self.dice
        if self.limited and self.faults:
            if dice.random() < 0.3:
                self.limit = dice.randint(0, 3)
            active = sum(one.ends > at for one in self.ours)
            if self.limit is not None and active >= self.limit:
                self.faults -= 1
                return NotTaken(reason="code 96", full=True, limit=dice.choice((None, max(self.limit, 1))))
        match fault:
            case "normal":
                return Accepted(task=self._make(key, at).id)
            case "429":
                return NotTaken(reason="HTTP 429", wait=dice.choice((None, 0.0, 7.0)))
            case "invalid":
                return Refused(code="0", message="Request parameter [width]")
            case "no model":
                return Refused(code="1", message="slug-owner-project-not-exist", scope="model")
            case "no money":
                return Refused(code="97", message="Insufficient balance.", scope="account")
            case "redirect":
                return Unknown(reason="HTTP 302", stop=True)
            case "same id":
                return self._same_id(key, at)
            case _:
                raise AssertionError(fault)

    def _same_id(self, key: str, at: float) -> PostOutcome:
        claimed = sorted(self.promises.owner)
        made = self._make(key, at) if not claimed or self.dice.random() < 0.5 else None
        return Accepted(task=self.dice.choice(claimed) if claimed else made.id)  # type: ignore[union-attr] # nothing claimed: a task was made

    def _make(self, key: str, at: float) -> Made:
        dice, schedule = self.dice, self.schedule
        fate = dice.choice(_BAD_FATES) if self._fault(schedule.odds / 3) else "finished"
        params = _ECHOES[_NUMBER[key]][dice.randrange(4)]
        task = self._new(key, params, at, at + schedule.slow * dice.random(), fate)
        if schedule.kind == "hiding":
            task.shown = at + 1e9
        elif schedule.lag and self.faults:
            task.shown = at + schedule.lag * dice.random()
        if self._fault(schedule.odds / 5):
            task.known = at + 20.0 * dice.random()
        self.ours.append(task)
        self.trace.append((at, ("task made", task.id, fate, f"render {_NUMBER[key]}", f"listed from {task.shown:.1f}")))
        self.promises.made(task)
        return task

    def _new(self, key: str, params: dict[str, Any], made: float, ends: float, fate: str) -> Made:
        self._next_task += self.dice.randint(1, self.schedule.step)
        task = Made(self._next_task, key, params, made, ends, fate)
        self.tasks.append(task)
        return task

    def travelling(self, key: str) -> bool:
        """Say whether a request for a render is on its way to the server."""
        return any(kind == _ARRIVE and what[1] == key for _, _, kind, what in self.agenda)

    # --- reads ------------------------------------------------------------------------------------------------------

    def _detail(self, task: str) -> ReadOutcome:
        if self._fault(self.schedule.odds / 4):
            return _BAD_READS[self.dice.randrange(len(_BAD_READS))]
        for made in reversed(self.tasks):
            if made.id == task:
                return Tasks(tasks=(made.task(self.now),)) if made.known <= self.now else NoTask()
        return NoTask()

    def _list(self, start: int) -> ReadOutcome:
        now, size = self.now, self.schedule.page
        shown = [one.task(now) for one in reversed(self.tasks) if one.shown <= now]
        page = shown[start : start + size]
        if self._fault(self.schedule.odds / 3):
            return self._bad_page(page, shown[start + size : start + 2 * size])
        self._hid = False
        return Tasks(tasks=tuple(page))

    def _bad_page(self, page: list[Task], following: list[Task]) -> ReadOutcome:
        # A first look that shows too little teaches too low a watermark, and no lockfile makes up for it here.
        seen = self.rolled_back or self.schedule.ancient or self._hid
        ways = _BAD_PAGES_SEEN if seen else _BAD_PAGES
        way = self.dice.choice(ways)
        self._hid = way in {"skipped", "empty"}
        match way:
            case "unread":
                return Unread(reason="no answer")
            case "429":
                return Unread(reason="HTTP 429", wait=3.0)
            case "swapped" if len(page) > 1:
                page[0], page[1] = page[1], page[0]
            case "short":
                page = page[: self.dice.randint(1, len(page))] if page else page
            case "skipped":
                page = following
            case "empty":
                page = []
        return Tasks(tasks=tuple(page))

    # --- pictures ---------------------------------------------------------------------------------------------------

    def _fetch(self, effect: Fetch) -> Event:
        if self._fault(self.schedule.odds / 3):
            bad = self.dice.choice(_BAD_FETCHES)
            return bad if isinstance(bad, Broke) else Fetched(effect.key, bad)
        fact = _PICTURES[effect.key]
        self.files.update(dict.fromkeys(effect.paths, fact.sha256))
        self._tick("durable")
        return Fetched(effect.key, Saved(dict.fromkeys(effect.paths, fact)))

    def _copy(self, effect: Copy) -> Event:
        sums = {move: self.files.get(move.source) for move in effect.moves}
        outcomes = {move: move.fact if sums[move] == move.fact.sha256 else "it is gone" for move in effect.moves}
        for move, outcome in outcomes.items():
            if outcome is move.fact:
                self.files[move.path] = move.fact.sha256
        return Copied(outcomes)


_POST_FAULTS = (
    *("lost after",) * 6,
    *("lost before",) * 4,
    *("late",) * 5,
    *("unsent",) * 3,
    *("429",) * 2,
    *("same id",) * 2,
    "invalid",
    "no model",
    "no money",
    "redirect",
)
_HIDDEN_FAULTS = ("lost after", "lost after", "lost before")
_UNCLEAR = (Unknown(reason="no answer"), Unknown(reason="HTTP 502"), Unknown(reason="code 0: server error"))
_UNSENT = (
    *(Unsent(reason="connection refused"),) * 4,
    Unsent(reason="certificate", cause="certificate"),
    Unsent(reason="proxy", cause="proxy"),
)
_BAD_READS = (Unread(reason="no answer"), Unread(reason="HTTP 429", wait=3.0), NoTask(), Tasks(tasks=()))
_BAD_PAGES_SEEN = ("unread", "429", "swapped", "short")
_BAD_PAGES = (*_BAD_PAGES_SEEN, "skipped", "empty")
_BAD_FETCHES = (
    Unfit("is not a PNG"),
    Gone(reason="HTTP 404"),
    Undelivered(reason="it broke off"),
    Undelivered(reason="it broke off"),
    Broke("no room for pictures", 6),
)


def violation(
    seed: int, mutant: str | None = None, only: frozenset[str] | None = None
) -> tuple[Violation, World] | None:
    """Run one schedule; return what it broke, and the world as it was then."""
    world = World(seed, mutant, only)
    try:
        world.run()
    except Violation as found:
        return found, world
    except (KeyError, AssertionError, AttributeError, IndexError, TypeError, ValueError) as error:
        return Violation("I8", f"{type(error).__name__}: {error}"), world
    return None
