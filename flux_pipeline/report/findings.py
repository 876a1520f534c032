"""What an audit found, in words and as a JSON document. Money in the document is in dollars, as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from flux_pipeline.audit import Finding, Kind, cost_of, unpriced
from flux_pipeline.report.controls import plain
from flux_pipeline.report.documents import dollars, total
from flux_pipeline.report.text import known, money


def document(findings: Sequence[Finding], *, complete: bool) -> dict[str, Any]:
    """Return what `audit --json` prints; unless `complete`, there may be more."""
    counted = Counter(one.kind for one in findings)
    return {
        "findings": [
            {
                "kind": str(one.kind),
                "cell": one.cell,
                "key": one.key,
                "task": one.task,
                "cost_usd": dollars(one.cost),
                "reason": one.reason,
            }
            for one in findings
        ],
        "counts": {str(kind): counted[kind] for kind in Kind},
        **total("cost_usd", cost_of(findings), unpriced(findings)),
        "complete": complete,
    }


def text(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield a line a finding, then the counts and what they are about in dollars."""
    for one in findings:
        task = f"  task {one.task}" if one.task else ""
        yield plain(f"{one.kind:<15} {one.cell}{task}  {money(one.cost)}  {one.reason}")
    counted = Counter(one.kind for one in findings)
    kinds = ", ".join(f"{counted[kind]} {kind}" for kind in Kind if counted[kind])
    if findings:
        yield f"{len(findings)} findings: {kinds}; they are about {known(cost_of(findings), unpriced(findings))}"
    else:
        yield "nothing found: lockfile, server and files agree"
