"""The protocol as a table: where a render stands in a run, and what moves it on.

The engine moves renders only along this table, and the model that proves "paid once" explores the same one.
"""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """Where a render stands. The comment says what is durable by then."""

    WAITING = "waiting"  # nothing, or an outcome that allows another intent
    INTENDING = "intending"  # nothing yet: the intent is being written
    POSTING = "posting"  # the intent
    NAMING = "naming"  # the intent; the task id is being written
    DENYING = "denying"  # the intent; that there is no task is being written
    REFUSING = "refusing"  # the intent; the refusal is being written
    UNCLEAR = "unclear"  # the intent: there may be a task
    FOLLOWING = "following"  # the task id
    COLLECTING = "collecting"  # the task id, and soon its end
    RECORDING = "recording"  # the picture, under its final name
    SAVED = "saved"  # the picture and the fact that it is there
    FAILED = "failed"  # why
    DOUBTFUL = "doubtful"  # the intent


class Cause(StrEnum):
    """What moves a render on."""

    INTEND = "intend"
    DURABLE = "durable"
    ACCEPTED = "accepted"
    NOT_TAKEN = "not taken"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    ADOPTED = "adopted"
    ABSENT = "absent"
    FINISHED = "finished"
    FAILED = "failed"
    AGAIN = "again"
    FETCHED = "fetched"
    MISNAMED = "misnamed"
    DOUBT = "doubt"


MOVES: dict[tuple[Stage, Cause], Stage] = {
    (Stage.WAITING, Cause.INTEND): Stage.INTENDING,
    (Stage.WAITING, Cause.ADOPTED): Stage.NAMING,
    (Stage.WAITING, Cause.FAILED): Stage.FAILED,
    (Stage.INTENDING, Cause.DURABLE): Stage.POSTING,
    (Stage.POSTING, Cause.ACCEPTED): Stage.NAMING,
    (Stage.POSTING, Cause.NOT_TAKEN): Stage.DENYING,
    (Stage.POSTING, Cause.REFUSED): Stage.REFUSING,
    (Stage.POSTING, Cause.UNKNOWN): Stage.UNCLEAR,
    (Stage.NAMING, Cause.DURABLE): Stage.FOLLOWING,
    (Stage.DENYING, Cause.DURABLE): Stage.WAITING,
    (Stage.REFUSING, Cause.DURABLE): Stage.FAILED,
    (Stage.UNCLEAR, Cause.ADOPTED): Stage.NAMING,
    (Stage.UNCLEAR, Cause.ABSENT): Stage.DENYING,
    (Stage.UNCLEAR, Cause.DOUBT): Stage.DOUBTFUL,
    (Stage.FOLLOWING, Cause.FINISHED): Stage.COLLECTING,
    (Stage.FOLLOWING, Cause.FAILED): Stage.FAILED,
    (Stage.FOLLOWING, Cause.MISNAMED): Stage.UNCLEAR,
    (Stage.COLLECTING, Cause.FETCHED): Stage.RECORDING,
    (Stage.COLLECTING, Cause.FAILED): Stage.FAILED,
    (Stage.RECORDING, Cause.DURABLE): Stage.SAVED,
    (Stage.FAILED, Cause.AGAIN): Stage.WAITING,
}

UNRESOLVED = frozenset({Stage.INTENDING, Stage.POSTING, Stage.NAMING, Stage.DENYING, Stage.REFUSING, Stage.UNCLEAR})
ACTIVE = UNRESOLVED | {Stage.FOLLOWING, Stage.DOUBTFUL}  # may be a task on the server, and so takes a slot
BUSY = UNRESOLVED | {Stage.FOLLOWING}  # an event will come that moves it on
ENDED = frozenset({Stage.SAVED, Stage.FAILED, Stage.DOUBTFUL})
