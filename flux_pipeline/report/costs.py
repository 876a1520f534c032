"""What was spent on what: a report from the lockfile, by entry, day or model. Dollars are exact decimals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal

from flux_pipeline.ledger.facts import MODEL, Submission
from flux_pipeline.ledger.history import History
from flux_pipeline.report.controls import plain
from flux_pipeline.report.standing import UNNAMED
from flux_pipeline.report.table import Table, as_csv
from flux_pipeline.report.text import known

By = Literal["entry", "day", "model"]
UNKNOWN = "unknown"
_HEAD = ("renders", "pictures", "failed", "spent", "reserved", "unknown prices")
_CSV = ("in_manifest", "renders", "pictures", "failed", "spent_usd", "reserved_usd", "unknown_prices")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One line of the report. Money in dollars: `spent` is gone, `reserved` may still go.

    `named` tells whether the manifest still names these renders. `pictures` were paid for, `failed` submissions gave
    none; `gone` and `open` are how many amounts nobody knows, of what is spent and of what is reserved.
    """

    name: str
    named: bool
    renders: int
    pictures: int
    failed: int
    spent: Decimal
    reserved: Decimal
    gone: int
    open: int


def costs(
    history: History, by: By, models: Mapping[str, str], owners: Mapping[str, str] = MappingProxyType({})
) -> tuple[Cost, ...]:
    """Return the lines, sorted by name; what the manifest no longer names has lines of its own, after the others.

    `models` has the model of every render that the manifest names, by key, and `owners` the entry that it counts for now.
    """
    groups: dict[tuple[bool, str], list[Submission]] = {}
    for one in history.submissions.values():
        groups.setdefault((one.key not in models, _name(one, by, models, owners)), []).append(one)
    return tuple(_cost(name, groups[unnamed, name], named=not unnamed) for unnamed, name in sorted(groups))


def total(history: History) -> Cost:
    """Return the line of everything."""
    return _cost("total", history.submissions.values(), named=True)


def table(found: Iterable[Cost], whole: Cost, by: By) -> Table:
    """Return the report for people."""
    rows = tuple(_row(f"{plain(one.name)}{'' if one.named else f' {UNNAMED}'}", one) for one in found)
    return Table(head=(by, *_HEAD), rows=rows, total=_row("total", whole), roles=frozenset({"failed"}))


def document(found: Iterable[Cost], whole: Cost, by: By) -> dict[str, Any]:
    """Return the report as a JSON document; amounts are decimals in text, null where nothing of them is known."""
    return {
        "by": by,
        "costs": [{by: one.name, "in_manifest": one.named, **_body(one)} for one in found],
        "total": _body(whole),
    }


def text_csv(found: Iterable[Cost], by: By) -> str:
    """Return the report as CSV, without a total; an amount is empty where nothing of it is known."""
    rows = []
    for one in found:
        spent, reserved = (_exact(*pair) or "" for pair in ((one.spent, one.gone), (one.reserved, one.open)))
        counts = (str(number) for number in (one.renders, one.pictures, one.failed))
        rows.append((one.name, str(one.named).lower(), *counts, spent, reserved, str(one.gone + one.open)))
    return as_csv((by, *_CSV), rows)


def _row(name: str, one: Cost) -> tuple[str, ...]:
    counts = (str(number) for number in (one.renders, one.pictures, one.failed))
    return (name, *counts, known(one.spent, one.gone), known(one.reserved, one.open), str(one.gone + one.open))


def _body(one: Cost) -> dict[str, Any]:
    return {
        "renders": one.renders,
        "pictures": one.pictures,
        "failed": one.failed,
        "spent_usd": _exact(one.spent, one.gone),
        "reserved_usd": _exact(one.reserved, one.open),
        "unknown_prices": one.gone + one.open,
    }


def _exact(amount: Decimal, unknown: int) -> str | None:
    return f"{amount:f}" if amount or not unknown else None


def _cost(name: str, group: Iterable[Submission], *, named: bool) -> Cost:
    group = tuple(group)
    settled = [one for one in group if one.settled is not None]
    waiting = [one for one in group if one.settled is None]
    return Cost(
        name=name,
        named=named,
        renders=len({one.key for one in group}),
        pictures=sum(one.finished for one in group),
        failed=sum(_failed(one) for one in group),
        spent=sum((one.reserved for one in settled), Decimal(0)),
        reserved=sum((one.reserved for one in waiting), Decimal(0)),
        gone=sum(one.unpriced for one in settled),
        open=sum(one.unpriced for one in waiting),
    )


def _failed(one: Submission) -> bool:
    refused = one.refused is not None and not one.tasks
    return not one.finished and (refused or (one.settled is not None and one.settled.state == "failed"))


def _name(one: Submission, by: By, models: Mapping[str, str], owners: Mapping[str, str]) -> str:
    match by:
        case "entry":  # a lockfile keeps the name that it had when it was asked for
            return owners.get(one.key) or (one.cell or "").partition("/")[0] or UNKNOWN
        case "day":
            return _day(one.settled.at if one.settled is not None else "") or _day(one.intended_at or "") or UNKNOWN
        case "model":
            asked = one.extra.get(MODEL)
            return asked if isinstance(asked, str) and asked else models.get(one.key, UNKNOWN)


def _day(moment: str) -> str:
    """Return the day of a moment in UTC; nothing for what is no moment."""
    try:
        at = datetime.fromisoformat(moment)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return at.date().isoformat()
