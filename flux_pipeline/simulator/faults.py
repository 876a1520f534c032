"""Which faults are wanted, and when: a value read from data, and the dice that decide."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flux_pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_API = frozenset({"run", "detail", "list", "cancel", "kill", "delete", "tool"})
_ANY = _API | {"cdn"}
_RUN, _LIST, _CDN = frozenset({"run"}), frozenset({"list"}), frozenset({"cdn"})
_READ = frozenset({"detail", "list"})

# Every fault: the calls it can strike, and the settings it takes.
FAULTS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "lost_answer": (_ANY, frozenset()),
    "lost_before": (_ANY, frozenset()),
    "http_500_made": (_API, frozenset()),
    "http_500_not_made": (_ANY, frozenset()),
    "http_503": (_ANY, frozenset({"retry_after", "made"})),
    "http_429": (_ANY, frozenset({"retry_after", "made"})),
    "html_502": (_ANY, frozenset({"made"})),
    "code_0_unknown_made": (_API, frozenset({"message"})),
    "code_0_unknown_not_made": (_API, frozenset({"message"})),
    "code_96": (_RUN, frozenset({"message"})),
    "code_97": (_RUN, frozenset({"message"})),
    "malformed": (_API, frozenset()),
    "no_id": (_RUN, frozenset()),
    "duplicate_id": (_RUN, frozenset()),
    "slow": (_ANY, frozenset({"delay"})),
    "hang": (_ANY, frozenset()),
    "balance": (_API, frozenset({"by"})),
    "task_fails": (_RUN, frozenset()),
    "task_error": (_RUN, frozenset()),
    "task_cancelled": (_RUN, frozenset()),
    "no_outputs": (_RUN, frozenset()),
    "no_outputs_charged": (_RUN, frozenset()),
    "moderated": (_RUN, frozenset()),
    "lag": (_LIST, frozenset({"seconds"})),
    "shuffle": (_LIST, frozenset()),
    "drop_page": (_LIST, frozenset()),
    "text_params": (_READ, frozenset()),
    "unknown_status": (_READ, frozenset()),
    "no_pexit": (_READ, frozenset()),
    "no_task": (frozenset({"detail"}), frozenset()),
    "truncated": (_CDN, frozenset()),
    "truncated_silent": (_CDN, frozenset()),
    "wrong_type": (_CDN, frozenset()),
    "wrong_size": (_CDN, frozenset()),
    "html": (_CDN, frozenset()),
    "expired": (_CDN, frozenset({"status"})),
    "gone": (_CDN, frozenset({"status"})),
    "gzip": (_CDN, frozenset()),
    "endless": (_CDN, frozenset()),
    "redirect_private": (_CDN, frozenset({"to"})),
}
_WHEN = ("rate", "every", "first", "nth")
_NUMBERS = frozenset({"delay", "seconds", "by", "status"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One fault. At most one of `rate`, `every`, `first` and `nth` is set; none means at each matching call.

    `match` names parameters: a part of the prompt, or the exact value of any other parameter. Calls are counted from 1,
    for each rule by itself, and only those that match.
    """

    on: str
    what: str
    rate: float | None = None
    every: int | None = None
    first: int | None = None
    nth: frozenset[int] = frozenset()
    match: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def matches(self, call: str, parameters: Mapping[str, Any]) -> bool:
        if call != self.on:
            return False
        return all(
            wanted in str(parameters.get(name, "")) if name == "prompt" else str(parameters.get(name, "")) == wanted
            for name, wanted in self.match.items()
        )

    def strikes(self, number: int, seed: str) -> bool:
        if self.rate is not None:
            return random.Random(f"{seed}:{number}").random() < self.rate
        if self.every is not None:
            return number % self.every == 0
        if self.first is not None:
            return number <= self.first
        return not self.nth or number in self.nth


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    rules: tuple[Rule, ...]
    seed: int = 0

    @classmethod
    def from_data(cls, data: object) -> Faults:
        """Read `{"seed": 7, "faults": [rule, …]}`, or the list of rules alone.

        Raises:
            UsageError: with every rule that cannot be understood, and what would be right.
        """
        if isinstance(data, list):
            data = {"faults": data}
        if not isinstance(data, dict) or not isinstance(data.get("faults"), list):
            raise UsageError("faults: expected a list of rules, or a mapping with the key `faults`")
        problems = [f"faults: unknown key `{key}`" for key in data.keys() - {"faults", "seed"}]
        seed = data.get("seed", 0)
        if not _whole(seed):
            problems.append("faults: `seed` must be an integer")
        rules = []
        for number, entry in enumerate(data["faults"]):
            wrong = list(_problems(entry))
            problems += [f"faults[{number}]: {problem}" for problem in wrong]
            if not wrong:
                rules.append(_rule(entry))
        if problems:
            raise UsageError(*problems)
        return cls(rules=tuple(rules), seed=seed)


class Dice:
    """Counts the calls of each rule; the draws depend on nothing but the seed and these counts."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._seen = [0] * len(faults.rules)

    def roll(self, call: str, parameters: Mapping[str, Any]) -> list[Rule]:
        """Return the rules that strike this call, in the order in which they were written."""
        struck = []
        for index, rule in enumerate(self._faults.rules):
            if rule.matches(call, parameters):
                self._seen[index] += 1
                if rule.strikes(self._seen[index], f"{self._faults.seed}:{index}"):
                    struck.append(rule)
        return struck


def _problems(entry: object) -> Iterable[str]:
    if not isinstance(entry, dict):
        yield "expected a mapping such as {on: run, what: lost_answer, first: 1}"
        return
    what, on = entry.get("what"), entry.get("on")
    if not isinstance(what, str) or what not in FAULTS:
        yield f"unknown fault `{what}`; known are {', '.join(sorted(FAULTS))}"
        return
    calls, settings = FAULTS[what]
    if not isinstance(on, str) or on not in calls:
        yield f"`{what}` cannot strike `{on}`; it strikes {', '.join(sorted(calls))}"
    for key in sorted(str(key) for key in entry.keys() - {"on", "what", "match", *_WHEN, *settings}):
        yield f"`{what}` has no setting `{key}`"
    if sum(key in entry for key in _WHEN) > 1:
        yield "give only one of rate, every, first and nth"
    yield from _wrong_numbers(entry)
    if not isinstance(entry.get("match", {}), dict):
        yield "`match` must be a mapping from parameters to values"
    elif entry.get("match") and on in {"list", "tool"}:
        yield f"`match` has no meaning for `{on}`, which is about no single task"


def _wrong_numbers(entry: Mapping[str, Any]) -> Iterable[str]:
    rate = entry.get("rate", 0)
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
        yield "`rate` must be a number from 0 to 1"
    for key in ("every", "first"):
        if key in entry and (not _whole(entry[key]) or entry[key] < 1):
            yield f"`{key}` must be an integer of at least 1"
    nth = entry.get("nth", [1])
    if not isinstance(nth, list) or not nth or not all(_whole(number) and number >= 1 for number in nth):
        yield "`nth` must be a list of call numbers, counted from 1"
    for key in sorted(_NUMBERS & entry.keys()):
        try:
            number = float(entry[key])
        except (TypeError, ValueError):
            number = -1.0
        if not 0 <= number < 1e9:
            yield f"`{key}` must be a number of at least 0"


def _rule(entry: Mapping[str, Any]) -> Rule:
    settings = FAULTS[entry["what"]][1]
    return Rule(
        on=entry["on"],
        what=entry["what"],
        rate=entry.get("rate"),
        every=entry.get("every"),
        first=entry.get("first"),
        nth=frozenset(entry.get("nth", ())),
        match={str(name): str(value) for name, value in entry.get("match", {}).items()},
        settings={name: value for name, value in entry.items() if name in settings},
    )


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
