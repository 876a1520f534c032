"""How much: dollars that are gone or may still go, against the limit."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from flux_pipeline.ledger.facts import MODEL, Submission
from flux_pipeline.ledger.history import History

# How much dearer than expected a charge may be before the limit can be passed: the first of a model in a run, and later.
_AT_FIRST = 10
_LATER = 2
_NOTHING = Decimal(0)


class Budget:
    """Reservations by submission, and what the charges have taught about the estimates of each model.

    A charge above its estimate makes every estimate of that model dearer. Near the limit little may be under way at
    once, least of all until a run knows a model's first charge, so that a price that the service raised is noticed in
    time.
    A price that nobody knows fits no limit, and reserves nothing where there is none.
    """

    def __init__(self, limit: Decimal | None, history: History) -> None:
        """Start from what earlier runs have spent and reserved."""
        self._limit = limit
        self._gone = _NOTHING
        self._open: dict[str, tuple[str, Decimal | None]] = {}  # by submission: its model and estimate
        self._at_risk: defaultdict[str, Decimal] = defaultdict(Decimal)  # the sums of these by model
        self._factors: dict[str, Decimal] = {}  # how far a charge has been above its estimate, at worst, by model
        self._seen: set[str] = set()  # models with a charge in this run
        self.charged = _NOTHING  # in this run
        self.uncharged = 0  # how many more there were of which nobody knows what they cost
        for one in history.submissions.values():
            if one.settled is None:
                self._hold(one.id, _model(one), None if one.unpriced else one.reserved)
            else:
                self._gone += one.reserved
                if one.settled.state == "finished":
                    self._learn(_model(one), one.estimate, one.settled.cost)

    def fits(self, model: str, estimate: Decimal | None, *, alone: bool) -> bool:
        """Say whether one more may be submitted; `alone` says that none is under way whose charge could be awaited."""
        if self._limit is None or estimate is None:
            return self._limit is None
        if self._gone + self._dearest(model, estimate, cautious=False) > self._limit:
            return False
        return alone or self._gone + self._dearest(model, estimate, cautious=True) <= self._limit

    @property
    def passed(self) -> bool:
        """Whether more is gone than the limit allows: the service charged more than anybody could know."""
        return self._limit is not None and self._gone > self._limit

    def reserve(self, submission: str, model: str, estimate: Decimal | None) -> None:
        self._hold(submission, model, estimate)

    def release(self, submission: str) -> None:
        """Give back what was reserved for what made no task."""
        self._let_go(submission)

    def settle(self, submission: str, cost: Decimal | None) -> None:
        """Replace a reservation by what was charged; None where nobody said what, and the estimate has to stand."""
        model, expected = self._let_go(submission)
        if cost:
            self._seen.add(model)
        self._learn(model, expected, cost)
        amount = expected if cost is None else cost
        self._gone += amount or _NOTHING
        self.charged += amount or _NOTHING
        self.uncharged += amount is None

    def _dearest(self, model: str, estimate: Decimal, *, cautious: bool) -> Decimal:
        """Return what all that is under way and this may come to."""
        held = sum((self._factor(one, cautious=cautious) * sum_ for one, sum_ in self._at_risk.items()), _NOTHING)
        return held + self._factor(model, cautious=cautious) * estimate

    def _factor(self, model: str, *, cautious: bool) -> Decimal:
        known = self._factors.get(model, Decimal(1))
        return known * (_LATER if model in self._seen else _AT_FIRST) if cautious else known

    def _hold(self, submission: str, model: str, estimate: Decimal | None) -> None:
        self._let_go(submission)
        self._open[submission] = (model, estimate)
        self._at_risk[model] += estimate or _NOTHING

    def _let_go(self, submission: str) -> tuple[str, Decimal | None]:
        model, estimate = self._open.pop(submission, ("", None))
        self._at_risk[model] -= estimate or _NOTHING
        return model, estimate

    def _learn(self, model: str, estimate: Decimal | None, cost: Decimal | None) -> None:
        if estimate and cost:
            self._factors[model] = max(self._factors.get(model, Decimal(1)), cost / estimate)


def _model(one: Submission) -> str:
    return str(one.extra.get(MODEL, ""))
