"""What renders cost when the service is asked: a limit is kept with the dearer of its price and the schema's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from flux_pipeline.cli import voice
from flux_pipeline.cli.service import Access, conduct
from flux_pipeline.plan import Plan, PlannedRender, Step
from flux_pipeline.price import estimate
from flux_pipeline.report.controls import plain
from flux_pipeline.report.text import money
from flux_pipeline.run.jobs import Policy
from flux_pipeline.wiro.client import Wiro
from flux_pipeline.wiro.http import Http
from flux_pipeline.wiro.offer import NotOffered, Offer
from flux_pipeline.wiro.outcomes import Unread
from flux_pipeline.wiro.retry import patiently

_AT_MOST = 10.0  # seconds for all models together
_ATTEMPTS = 4
_AT_ONCE = 4


def limited(plan: Plan, policy: Policy, access: Access) -> Plan:
    """Return the plan with estimates that a limit can rely on; without a limit, or nothing to pay, nobody is asked.

    A service that has no such call changes nothing. What else goes wrong, and every price that is not the schema's, is
    said on stderr.
    """
    concerned = [one for one in plan.renders if _may_be_paid(one, policy)]
    if policy.max_cost is None or not policy.submit or not concerned:
        return plan
    offers = ask(access, {one.render.model for one in concerned})
    for line in _unread(offers):
        voice.say(line, level="warning", event="price")
    told = {model: offer for model, offer in offers.items() if isinstance(offer, Offer) and not offer.flaw}
    lists = {model: offer.price for model, offer in told.items() if offer.price is not None or offer.cps}
    verdicts = [_Verdict(one, estimate(lists[one.render.model], one.render.params)) for one in _of(concerned, lists)]
    for model in lists:
        differing = [one for one in verdicts if one.render.render.model == model and one.differs]
        if differing:
            voice.say(_difference(model, differing), level="warning", event="price", model=model)
    counting = {one.render.key: one.counts for one in verdicts}
    changed = (replace(one, estimate=counting.get(one.key, one.estimate)) for one in plan.renders)
    return Plan(tuple(changed))


def ask(
    access: Access, models: Iterable[str], *, seconds: float = _AT_MOST, attempts: int = _ATTEMPTS
) -> Mapping[str, Offer | Unread]:
    """Ask the service for each of these models, patiently, but no longer than `seconds` for all of them."""
    return conduct(_asked(access, sorted(models), seconds, attempts))


async def _asked(access: Access, models: Iterable[str], seconds: float, attempts: int) -> Mapping[str, Offer | Unread]:
    told: dict[str, Offer | Unread] = {}
    turn = asyncio.Semaphore(_AT_ONCE)
    async with Http() as http:
        wiro = Wiro(http, access.url, access.credentials)

        async def attempt(model: str) -> Offer | Unread:
            told[model] = answer = await wiro.offer(model)
            if isinstance(answer, Unread) and answer.wait:
                await asyncio.sleep(answer.wait)
            return answer

        async def one(model: str) -> None:
            async with turn:
                await patiently(lambda: attempt(model), again=_again, attempts=attempts, longest=4.0)

        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*map(one, models))
        except TimeoutError:
            pass
    silence = Unread(reason=f"no answer within {seconds:.0f} s")
    return {model: told.get(model, silence) for model in models}


def _again(told: Offer | Unread) -> bool:
    return isinstance(told, Unread) and not (told.account or told.missing or isinstance(told, NotOffered))


def _may_be_paid(one: PlannedRender, policy: Policy) -> bool:
    """Say whether a run may come to submit this render, at once or after its task has failed or is not found."""
    later = (Step.FOLLOW, Step.DOUBT, *([Step.FETCH] if policy.rerender_expired else []))
    return one.step is Step.SUBMIT or one.step in later


def _of(renders: Iterable[PlannedRender], models: Mapping[str, object]) -> Iterator[PlannedRender]:
    return (one for one in renders if one.render.model in models)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A render and what the service's own list says that it costs, None where that cannot be known beforehand."""

    render: PlannedRender
    told: Decimal | None

    @property
    def differs(self) -> bool:
        return self.told != self.render.estimate

    @property
    def counts(self) -> Decimal | None:
        return None if self.told is None else max(self.told, self.render.estimate or self.told)


def _difference(model: str, differing: list[_Verdict]) -> str:
    first = differing[0]
    ours, told, counts = money(first.render.estimate), money(first.told), money(first.counts)
    where = f"{plain(first.render.cells[0])}" + (f" and {len(differing) - 1} more" if len(differing) > 1 else "")
    head = f"note: the price of {model} ({where}): "
    if first.told is None:
        return (
            f"{head}{ours} by its schema, and the service tells none that can be known beforehand; it counts as unknown"
        )
    return f"{head}{ours} by its schema, {told} by the service; for max_cost {counts} counts"


def _unread(offers: Mapping[str, Offer | Unread]) -> Iterator[str]:
    for model, told in offers.items():
        reason = told.flaw if isinstance(told, Offer) else "" if told.missing else told.reason
        if reason:
            yield f"note: the service's price of {model} could not be read ({plain(reason)}); the schema's counts"
