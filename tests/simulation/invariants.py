"""The promises, checked at every step from what the server and the disk know, never from what the engine believes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from simulation.schedules import PRICE

from flux_pipeline.ledger.history import fold
from flux_pipeline.plan import Step, plan

if TYPE_CHECKING:
    from simulation.world import Made, World

    from flux_pipeline.ledger.facts import Submission
    from flux_pipeline.run.events import AskDetail, Post
    from flux_pipeline.run.outcome import Outcome

HARM = frozenset({"I1", "I2", "I3"})  # money or pictures, not only a rule that protects them


class Violation(Exception):
    """A broken promise; `rule` is its number in `faults.md`."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule


class Promises:
    """What has to hold in a world, whatever happens in it. `only` limits it to some rules."""

    def __init__(self, world: World, only: frozenset[str] | None = None) -> None:
        self.world = world
        self.only = only
        self.owner: dict[str, str] = {}  # by task, the submission that claims it on disk
        self.intents: dict[str, str] = {}  # by submission on disk, its key
        self.unclear: set[str] = set()  # submissions on disk of which nobody knows what came
        self.reserved: dict[str, Decimal] = {}
        self.posting: dict[str, str] = {}  # by key, the submission whose POST has no answer yet
        self.barred = False
        self.excused = False  # a flag that allows paying twice was given at some time
        self.doubles = 0  # pictures paid for a second time
        self.lives = 0
        self.rules_hold = world.schedule.kind in {"usual", "rollback"}

    def broken(self, rule: str, text: str) -> None:
        if self.only is None or rule in self.only:
            raise Violation(rule, text)

    # --- the disk -------------------------------------------------------------------------------------------------

    def born(self) -> None:
        """Begin a life with what is on disk."""
        world = self.world
        history = fold(world.durable)
        self.owner.clear()
        self.intents.clear()
        self.unclear.clear()
        self.posting.clear()
        for one in history.submissions.values():
            self._durable(one)
        self.unclear = {one.id for one in history.submissions.values() if one.unclear}
        self.reserved = {one.id: one.reserved for one in history.submissions.values()}
        self.barred = False
        self.lives += 1
        policy = world.policy
        self.excused = self.excused or policy.resubmit_doubtful or policy.rerender_expired

    def durable(self, fact: Submission) -> None:
        self._durable(fact)
        if fact.intended_at is not None and fact.unclear:
            self.unclear.add(fact.id)
        elif not fact.unclear:
            self.unclear.discard(fact.id)

    def _durable(self, fact: Submission) -> None:
        if fact.intended_at is not None:
            self.intents[fact.id] = fact.key
        for task in fact.tasks:
            if self.owner.setdefault(task, fact.id) != fact.id:
                self.broken("I3", f"task {task} is claimed by {self.owner[task][:6]} and {fact.id[:6]}")

    def asked_to_write(self, fact: Submission) -> None:
        reserved = self.reserved
        if fact.intended_at is not None:
            reserved[fact.id] = fact.estimate or Decimal(0)
            limit = self.world.policy.max_cost
            if limit is not None and not fact.adopted and sum(reserved.values()) > limit:
                self.broken("I10", f"an intent takes the reservations to {sum(reserved.values())}, past {limit}")
        elif fact.unsent or fact.absent or fact.refused or (fact.settled and fact.settled.state != "finished"):
            reserved[fact.id] = Decimal(0)

    # --- what the engine asks for -----------------------------------------------------------------------------------

    def post(self, effect: Post) -> None:
        world, key = self.world, effect.render.key
        if self.intents.get(effect.submission) != key:
            self.broken("I4", f"a POST before its intent {effect.submission[:6]} is durable")
        if self.barred:
            self.broken("I4", "a POST after the disk broke or a signal came")
        if key in self.posting:
            self.broken("I4", "two POSTs of one render at a time")
        if self.rules_hold and world.travelling(key):
            self.broken("I4", "a POST while an earlier one of that render may still arrive")
        self.posting[key] = effect.submission
        unclear = sum(self.intents.get(one) in world.wanted for one in self.unclear)
        if unclear > world.schedule.concurrency:
            self.broken("I9", f"{unclear} unresolved intents, concurrency {world.schedule.concurrency}")

    def answered(self, key: str) -> None:
        self.posting.pop(key, None)

    def detail(self, effect: AskDetail) -> None:
        if effect.task not in self.owner:
            self.broken("I4", f"task {effect.task} is polled before its id is durable")

    # --- the server -------------------------------------------------------------------------------------------------

    def made(self, task: Made) -> None:
        world = self.world
        earlier = [one.id for one in world.ours if one.key == task.key and one.worth and one is not task]
        if earlier and not self.excused:
            self.doubles += task.worth
            # where the list shows nothing, one canary a run is at risk: it may be sent in the next one
            if self.rules_hold or (world.schedule.kind == "hiding" and self.doubles > self.lives):
                self.broken("I1", f"task {task.id} is paid for although there is {', '.join(earlier)}")
        if not self.rules_hold or self.excused:
            return
        active = sum(one.ends > task.made and one.key in world.wanted for one in world.ours)
        if active > world.schedule.concurrency:
            self.broken("I9", f"{active} active tasks, concurrency {world.schedule.concurrency}")
        limit = world.schedule.max_cost
        if limit is not None and not world.rolled_back and PRICE * sum(one.worth for one in world.ours) > limit:
            self.broken("I10", f"the server charges more than {limit}")

    # --- the end ------------------------------------------------------------------------------------------------------

    def ended(self, outcome: Outcome) -> None:
        """A run that says that all is well has to be right."""
        world = self.world
        if outcome.exit_code == 0:
            now = plan(world.cells, fold(world.durable), world.files, lambda _: PRICE)
            left = [one.cells[0] for one in now.renders if one.step is not Step.KEEP]
            if left:
                self.broken("I5", f"exit 0, but {left} are not on disk")

    def last(self, outcome: Outcome) -> None:
        """After the last, faultless run everything is settled."""
        world = self.world
        fine = {"saved"}
        poor = world.schedule.max_cost is not None and outcome.exit_code == 3
        for end in outcome.ends:
            hollow = any(one.key == end.key and one.fate == "charged" for one in world.ours)
            allowed = end.state in fine or (end.state == "failed" and hollow) or (end.state == "pending" and poor)
            if not allowed and self.rules_hold:
                self.broken("I12", f"a faultless run leaves {end.cells[0]} {end.state}: {end.reason}")
        if not self.rules_hold or self.excused:
            return
        for task in world.ours:
            if task.worth and task.id not in self.owner:
                self.broken("I2", f"task {task.id} was paid for, and nothing claims it")

    def same_plan(self) -> None:
        world = self.world
        shuffled = [*world.durable, *world.durable[::2]]
        world.dice.shuffle(shuffled)
        twice = [plan(world.cells, fold(lines), world.files, lambda _: PRICE) for lines in (world.durable, shuffled)]
        if [(one.key, one.step, one.submission) for one in twice[0].renders] != [
            (one.key, one.step, one.submission) for one in twice[1].renders
        ]:
            self.broken("I11", "the order of the lockfile's lines changes the plan")
