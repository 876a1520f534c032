"""A world for the engine: a clock that only the test moves, a server with its own ledger, and a disk that can fail.

Nothing waits and nothing is real. Every effect is carried out after a delay that the world's dice say, and the
promises of the protocol are checked at each of them, from what the server and the disk know and never from what the
engine believes.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count

from flux_pipeline.errors import DiskError
from flux_pipeline.ledger.facts import FileFact
from flux_pipeline.ledger.history import fold
from flux_pipeline.ledger.keys import Render
from flux_pipeline.manifest.cells import Cell
from flux_pipeline.plan import plan
from flux_pipeline.run.engine import Engine, Given
from flux_pipeline.run.events import (
    Answered,
    AskDetail,
    AskList,
    Broke,
    Copied,
    Copy,
    Fetch,
    Fetched,
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
from flux_pipeline.wiro.outcomes import (
    Accepted,
    Gone,
    NoTask,
    NotTaken,
    Refused,
    Tasks,
    Undelivered,
    Unknown,
    Unread,
    Unsent,
)
from flux_pipeline.wiro.tasks import Output, Task

MODEL = "black-forest-labs/flux-2-pro-t2i"
PRICE = Decimal("0.03")
WALL = 1_800_000_000.0  # unix seconds at tick 0
_STUCK = 25  # wake-ups at one moment that bring nothing


class Dice:
    """A world in which everything takes its usual time and nothing goes wrong; tests override what they are about."""

    def delay(self, what: str) -> float:
        return {"write": 0.001, "send": 0.005, "travel": 0.01, "post": 0.05, "read": 0.02, "fetch": 0.1}[what]

    def post(self, number: int, render: Render) -> str:
        """Say what becomes of the POST that is the `number`-th: a name of `Server.post`."""
        return "accepted"

    def fate(self, task: str) -> str:
        """Say how a task ends: finished, failed, moderated, cancelled or charged (without a picture)."""
        return "finished"

    def lasts(self, task: str) -> float:
        return 2.0

    def lag(self, task: str) -> float:
        """Say how many seconds after it was made the list shows a task."""
        return 0.0

    def echo(self, task: str) -> Callable[[str], str]:
        """Say what the service makes of the prompt when it tells of a task."""
        return str

    def read(self, what: str) -> str:
        """Say what becomes of a read: told, no answer, 429, 401 or no task."""
        return "told"

    def fetch(self, number: int) -> str:
        """Say what becomes of a download: saved, unfit, undelivered, gone or disk."""
        return "saved"

    def survives(self, facts: int) -> int:
        """Say how many of the facts that were being written at a death are on the disk all the same."""
        return 0

    def arrives(self) -> float | None:
        """Say how many seconds after a death a request arrives that was under way, None for never."""
        return None

    def write(self, number: int) -> bool:
        """Say whether the `number`-th write becomes durable."""
        return True


@dataclass
class Made:
    """A task as the server has it."""

    id: str
    render: Render
    made: float
    ends: float
    fate: str
    shows: float  # when the list begins to show it
    echo: Callable[[str], str] = str  # what the service makes of the prompt when it tells of the task

    @property
    def worth(self) -> bool:
        """Whether it has cost money, or will."""
        return self.fate in {"finished", "charged"}

    def task(self, now: float) -> Task:
        ended = {
            "finished": {"status": "task_postprocess_end", "pexit": "0", "cost": PRICE, "outputs": (_output(self.id),)},
            "failed": {"status": "task_postprocess_end", "pexit": "1", "cost": Decimal(0), "reason": "out of memory"},
            "moderated": {"status": "task_postprocess_end", "pexit": "1", "cost": Decimal(0), "reason": "Moderated."},
            "cancelled": {"status": "task_cancel", "pexit": "0", "cost": Decimal(0)},
            "charged": {"status": "task_postprocess_end", "pexit": "0", "cost": PRICE},
        }[self.fate]
        state = ended if now >= self.ends else {"status": "task_start"}
        params = self.render.params | {"prompt": self.echo(self.render.params["prompt"])}
        return Task(id=self.id, model=MODEL, params=params, created=WALL + self.made, **state)


def _output(task: str) -> Output:
    return Output(url=f"https://cdn.example/{task}.png", name="0.png", content_type="image/png", size=100)


ANSWERS = {
    "unknown": Unknown(reason="no answer"),
    "redirect": Unknown(reason="HTTP 302", stop=True),
    "unsent": Unsent(reason="connection refused"),
    "certificate": Unsent(reason="certificate", cause="certificate"),
    "429": NotTaken(reason="HTTP 429", wait=7.0),
    "429 without": NotTaken(reason="HTTP 429"),
    "invalid": Refused(code="0", message="Request parameter [width]"),
    "no model": Refused(code="1", message="slug-owner-project-not-exist", scope="model"),
    "no money": Refused(code="97", message="Insufficient balance.", scope="account"),
}


@dataclass
class Server:
    """The truth: what was asked of it, and what it made. It survives every crash of the program."""

    dice: Dice
    tasks: dict[str, Made] = field(default_factory=dict)
    asked: list[tuple[float, str]] = field(default_factory=list)  # (arrival, key) of every POST
    most_active: int = 0

    def active(self, now: float) -> int:
        return sum(made.ends > now for made in self.tasks.values())

    def make(self, render: Render, now: float) -> str:
        alive = [made.id for made in self.tasks.values() if made.render.key == render.key and made.worth]
        assert not alive, f"paid twice: {render.params} has task {alive} already"
        task = str(2221 + len(self.tasks))
        lasts, lag = self.dice.lasts(task), self.dice.lag(task)
        self.tasks[task] = Made(task, render, now, now + lasts, self.dice.fate(task), now + lag, self.dice.echo(task))
        self.most_active = max(self.most_active, self.active(now))
        return task

    def post(self, render: Render, now: float):
        self.asked.append((now, render.key))
        match self.dice.post(len(self.asked), render):
            case "accepted":
                return Accepted(task=self.make(render, now))
            case "same id":
                return Accepted(task=next(iter(self.tasks), None) or self.make(render, now))
            case "wrong id":
                self.make(render, now)
                return Accepted(task="999999")
            case "a stranger's id":
                self.make(render, now)
                return Accepted(task=self.stranger(now))
            case "lost":
                self.make(render, now)
                return Unknown(reason="no answer")
            case "full":
                return NotTaken(reason="code 96", full=True, limit=max(1, self.active(now)))
            case other:
                return ANSWERS[other]

    def stranger(self, now: float) -> str:
        """Make a task of somebody else, with other words."""
        render = Render.of(MODEL, {"prompt": "Somebody else's cat", "seed": 999})
        self.tasks = {"900": Made("900", render, now - 9.0, now - 1.0, "finished", now - 9.0), **self.tasks}
        return "900"

    def detail(self, task: str, now: float):
        match self.dice.read("detail"):
            case "told" if task in self.tasks:
                return Tasks(tasks=(self.tasks[task].task(now),))
            case "told" | "no task":
                return NoTask()
            case "429":
                return Unread(reason="HTTP 429", wait=3.0)
            case "401":
                return Unread(reason="HTTP 401", account=True)
            case _:
                return Unread(reason="no answer")

    def list(self, start: int, now: float):
        match self.dice.read("list"):
            case "told":
                newest = [made for made in reversed(self.tasks.values()) if made.shows <= now]
                return Tasks(tasks=tuple(made.task(now) for made in newest[start : start + 100]))
            case "401":
                return Unread(reason="HTTP 401", account=True)
            case "429":
                return Unread(reason="HTTP 429", wait=3.0)
            case _:
                return Unread(reason="no answer")


@dataclass
class Disk:
    """What survives a crash: the lockfile's lines and the pictures."""

    facts: list = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)  # path → SHA-256
    broken: bool = False
    _folded: tuple[int, object] = (-1, None)

    def history(self):
        if self._folded[0] != len(self.facts):
            self._folded = (len(self.facts), fold(self.facts))
        return self._folded[1]


class Session:
    """One life of the program: an engine over a plan, driven until it is done, or until the test drops it."""

    def __init__(self, world: World, policy: Policy):
        self.world, self.policy, self.dice = world, policy, world.dice
        self.disk, self.server = world.disk, world.server
        self.plan = plan(world.cells, self.disk.history(), self.disk.files, lambda _: world.price)
        ids = (f"{number:032x}" for number in world.numbers)
        given = Given(ids=ids, jitter=lambda: 0.5, identify=identify, account="ours")
        self.engine = Engine(self.plan, self.disk.history(), policy, given, self.moment())
        self.trail = []  # events and effects, in their order
        self.effects = []
        self.events = []
        self.steps = 0
        self._agenda = []
        self._order = count()
        self._to_write = deque()
        self._writing = ()
        self._in_flight: dict[str, str] = {}  # submission → key, until its answer
        self._travelling: dict[str, Render] = {}  # submission → what has not arrived yet
        self._told = dict(self.disk.history().submissions)  # with what was asked to be written since
        self._idle = 0
        self._begun = False
        for at, render in world.underway:
            self.later(at - world.now, lambda render=render: self._late(render))
        world.underway = []

    def moment(self) -> Moment:
        return Moment(self.world.now, f"tick {self.world.now:010.3f}", WALL + self.world.now)

    def run(self, steps: int = 50_000):
        """Drive the engine to its end and return what it says came of it."""
        began = self.world.now
        while self.step():
            assert self.steps < steps, "the run does not end"
        return self.engine.outcome(self.world.now - began)

    def step(self) -> bool:
        """Let the next thing happen; False when the run is over."""
        if not self._begun:
            self._begun = True
            self._perform(self.engine.start(self.moment()))
        elif not self.engine.done:
            self._happen(self._next())
        self.steps += 1
        return not self.engine.done

    def die(self) -> None:
        """End as by kill -9: of what is being written some is durable, and what was sent may still arrive."""
        self.disk.facts += self._writing[: self.dice.survives(len(self._writing))]
        for render in self._travelling.values():
            if (delay := self.dice.arrives()) is not None:
                self.world.underway.append((self.world.now + delay, render))

    def later(self, seconds: float, happening: Callable[[], object]) -> None:
        """Put something on the agenda; it returns the events that the engine is told."""
        heapq.heappush(self._agenda, (self.world.now + seconds, next(self._order), happening))

    def tell(self, seconds: float, event) -> None:
        self.later(seconds, lambda: [event])

    def _next(self):
        alarm = self.engine.wakeup()
        if self._agenda and (alarm is None or self._agenda[0][0] <= alarm):
            self.world.now, _, happening = heapq.heappop(self._agenda)
            self._idle = 0
            return happening()
        assert alarm is not None, "nothing will ever happen again"
        self._idle = 0 if alarm > self.world.now else self._idle + 1
        assert self._idle < _STUCK, "the engine asks to be woken for nothing, again and again"
        self.world.now = max(self.world.now, alarm)
        return [Woken()]

    def _happen(self, events) -> None:
        for event in events:
            if not self.engine.done:
                self.events.append((self.world.now, event))
                self.trail.append((self.world.now, event))
                self._perform(self.engine.handle(event, self.moment()))

    def _perform(self, effects) -> None:
        if effects:
            self._idle = 0
        for effect in effects:
            self.effects.append((self.world.now, effect))
            self.trail.append((self.world.now, effect))
            self._check(effect)
            self._carry_out(effect)

    # --- what the runner would do ---------------------------------------------------------------------------------

    def _carry_out(self, effect) -> None:
        match effect:
            case Write(fact=fact):
                self._to_write.append(fact)
                self._write()
            case Post(submission=submission, render=render):
                self._in_flight[submission] = render.key
                self._travelling[submission] = render
                self.later(self.dice.delay("send"), lambda: self._sent(submission, render))
            case AskDetail(task=task):
                self.later(self.dice.delay("read"), lambda: [Told(task, self.server.detail(task, self.world.now))])
            case AskList(start=start, purpose=purpose):
                self.later(
                    self.dice.delay("read"), lambda: [Listed(start, purpose, self.server.list(start, self.world.now))]
                )
            case Fetch():
                self.later(self.dice.delay("fetch"), lambda: self._fetched(effect))
            case Copy(moves=moves):
                self.later(self.dice.delay("fetch"), lambda: self._copied(moves))
            case _:
                raise AssertionError(f"the world does not know how to {effect}")

    def _write(self) -> None:
        if self._to_write and not self._writing:
            self._writing = facts = (*self._to_write,)
            self._to_write.clear()
            self.later(self.dice.delay("write"), lambda: self._written(facts))

    def _written(self, facts):
        self._writing = ()
        self.world.writes += 1
        if self.disk.broken or not self.dice.write(self.world.writes):
            self.disk.broken = True
            self._write()
            return [Broke("the disk is full", DiskError.exit_code, unwritten=len(facts))]
        self.disk.facts += facts
        self._write()
        return [Written(fact) for fact in facts]

    def _sent(self, submission, render):
        self.later(self.dice.delay("travel"), lambda: self._arrived(submission, render))
        return [Sent(submission)]

    def _arrived(self, submission, render):
        del self._travelling[submission]
        outcome = self.server.post(render, self.world.now)
        self.later(self.dice.delay("post"), lambda: self._answered(submission, outcome))
        return []

    def _late(self, render):
        self.server.post(render, self.world.now)
        return []

    def _answered(self, submission, outcome):
        del self._in_flight[submission]
        return [Answered(submission, outcome)]

    def _fetched(self, effect):
        self.world.fetches += 1
        match self.dice.fetch(self.world.fetches):
            case "saved":
                fact = picture(effect.key)
                self.disk.files |= dict.fromkeys(effect.paths, fact.sha256)
                return [Fetched(effect.key, Saved(dict.fromkeys(effect.paths, fact)))]
            case "unfit":
                return [Fetched(effect.key, Unfit("is not a PNG"))]
            case "gone":
                return [Fetched(effect.key, Gone(reason="HTTP 404"))]
            case "undelivered":
                return [Fetched(effect.key, Undelivered(reason="it broke off"))]
            case _:
                return [Broke("no room for pictures", DiskError.exit_code)]

    def _copied(self, moves):
        sums = {move.source: self.disk.files.get(move.source) for move in moves}
        outcomes = {move: move.fact if sums[move.source] == move.fact.sha256 else "it is gone" for move in moves}
        self.disk.files |= {move.path: move.fact.sha256 for move, it in outcomes.items() if it is move.fact}
        return [Copied(outcomes)]

    # --- the promises -----------------------------------------------------------------------------------------------

    def _check(self, effect) -> None:
        match effect:
            case Post():
                self._check_post(effect, self.disk.history())
            case AskDetail(task=task):
                assert task in self.disk.history().claimed(), "a task is polled before its id is durable"
            case Write(fact=fact):
                known = self._told.get(fact.id)
                self._told[fact.id] = fact if known is None else known.join(fact)
                if fact.intended_at is not None and not fact.adopted and self.policy.max_cost is not None:
                    reserved = sum((one.reserved for one in self._told.values()), Decimal(0))
                    assert reserved <= self.policy.max_cost, "a submission would pass max_cost"

    def _check_post(self, effect, durable) -> None:
        intent = durable.submissions.get(effect.submission)
        assert intent is not None, "a POST before its intent is durable"
        assert intent.key == effect.render.key
        assert not any(isinstance(event, Broke) for _, event in self.events), "a POST after the disk broke"
        assert effect.submission not in self._in_flight, "one intent, two POSTs"
        assert effect.render.key not in self._in_flight.values(), "two POSTs of one render in flight"
        for other in durable.of(effect.render.key):
            resolved = other.refused or other.unsent or other.absent or other.settled
            assert other.id == effect.submission or resolved, "a POST while an earlier one of its render is open"
        busy = len(self._travelling) + 1 + self.server.active(self.world.now)
        assert busy <= self.policy.concurrency, "more active tasks than the concurrency allows"


class World:
    """What stays when the program dies."""

    def __init__(self, renders: int = 1, *, dice: Dice | None = None, price: Decimal | None = PRICE):
        self.dice = dice or Dice()
        self.now = 1000.0
        self.price = price
        self.cells = [cell(number) for number in range(renders)]
        self.server = Server(self.dice)
        self.disk = Disk()
        self.numbers = count(1)
        self.writes = self.fetches = 0
        self.underway: list[tuple[float, Render]] = []  # what a dead program had sent, and when it will arrive

    def session(self, **policy) -> Session:
        """Start the program anew on what is on the disk."""
        self.disk.broken = False
        return Session(self, Policy(**{"rate": 100.0, **policy}))

    def run(self, **policy):
        return self.session(**policy).run()

    def made_per_key(self):
        return Counter(made.render.key for made in self.server.tasks.values())


def cell(number: int, *, path: str | None = None) -> Cell:
    render = Render.of(MODEL, {"prompt": "a kettle", "seed": number})
    return Cell(f"hero/seed={number}", "hero", {}, path or f"outputs/hero/{number}.png", render)


def identify(task: Task) -> frozenset[str]:
    return frozenset() if task.params is None else frozenset({Render.of(MODEL, task.params).key})


def picture(key: str) -> FileFact:
    return FileFact(sha256=f"sum of {key}", bytes=100, width=64, height=64)
