"""A workshop whose pictures were looked at: decisions written as `review` writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from flux_pipeline.ledger import contents
from flux_pipeline.ledger.decisions import Decision, moment
from flux_pipeline.ledger.facts import Submission
from flux_pipeline.ledger.lockfile import Lockfile

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EVE = "Eve <eve@example.org>"


def decide(lockfile, cell, verdict="approved", note=""):
    """Decide on the picture that the lockfile has of a cell."""
    known = contents.read(lockfile)
    (one,) = [one for one in known.history.submissions.values() if one.cell == cell and one.files]
    (fact,) = one.files.values()
    review = Decision(
        verdict=verdict,
        by=EVE,
        at=moment(NOON, [one.review]),
        sha256=fact.sha256,
        note=note,
        cells=(cell,),
    )
    with Lockfile(lockfile, known.endpoint) as held:
        held.append([Submission(id=one.id, key=one.key, review=review)])
        held.rewrite()
