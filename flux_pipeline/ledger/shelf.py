"""Several lockfiles held at once, as if they were one: a command may be about several manifests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from flux_pipeline.ledger.facts import Submission
from flux_pipeline.ledger.history import History, fold
from flux_pipeline.ledger.lockfile import Lockfile


@dataclass(frozen=True, slots=True)
class Claim:
    """A lockfile by its path, and the keys of the renders that its manifest wants."""

    path: Path
    keys: frozenset[str]


class Shelf:
    """The one writer of these lockfiles, for as long as it is open.

    What is known of a render is written to every lockfile whose manifest wants it, so that each of them stands alone
    later: a picture that two manifests share is paid for once, whichever of them is run next.
    """

    def __init__(self, claims: Sequence[Claim], endpoint: str) -> None:
        """Take all the locks and read the files, creating them if needed.

        Raises:
            LockfileError, DiskError: one of them cannot be had; then none is held.
        """
        with ExitStack() as stack:
            self.lockfiles = tuple(stack.enter_context(Lockfile(claim.path, endpoint)) for claim in claims)
            self._wanted = tuple(claim.keys for claim in claims)
            self._known = [set(lockfile.history.submissions) for lockfile in self.lockfiles]
            self.history: History = fold(
                one for lockfile in self.lockfiles for one in lockfile.history.submissions.values()
            )
            if len(claims) > 1:
                self.append(self.history.submissions.values(), missing=True)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def trouble(self) -> str | None:
        """Why nothing more may be submitted although everything is durable so far."""
        return next((one.trouble for one in self.lockfiles if one.trouble is not None), None)

    def now(self) -> History:
        """Return what is durable by now: `history`, and all that was written since."""
        return fold(one for lockfile in self.lockfiles for one in lockfile.submissions)

    def append(self, facts: Iterable[Submission], *, missing: bool = False) -> None:
        """Write the facts and return once they are durable in every file that they belong to.

        With `missing` only where their submission is not known yet.

        Raises:
            DiskError, LockfileError: as a single lockfile does; nothing further may be submitted.
        """
        facts = tuple(facts)
        failure: Exception | None = None
        for number, lockfile in enumerate(self.lockfiles):
            mine = [fact for fact in facts if self._belongs(fact, number, missing=missing)]
            if not mine:
                continue
            self._known[number].update(fact.id for fact in mine)
            try:
                lockfile.append(mine)
            except Exception as error:  # noqa: BLE001 -- a task id has to reach the other files all the same
                failure = failure or error
        if failure is not None:
            raise failure

    def rewrite(self) -> None:
        """Bring every file into its resting form.

        Raises:
            DiskError: one of them stays as it is.
        """
        for lockfile in self.lockfiles:
            lockfile.rewrite()

    def keep(self, submissions: Iterable[Submission]) -> None:
        """Rewrite every file with those of these submissions that it has, and no others.

        Raises:
            DiskError: one of them stays as it is.
        """
        submissions = tuple(submissions)
        for lockfile, known in zip(self.lockfiles, self._known, strict=True):
            lockfile.keep(one for one in submissions if one.id in known)

    def _belongs(self, fact: Submission, number: int, *, missing: bool) -> bool:
        known = fact.id in self._known[number]
        if missing:
            return not known and fact.key in self._wanted[number]
        nobody = number == 0 and not any(fact.id in known for known in self._known) and not self._is_wanted(fact.key)
        return known or fact.key in self._wanted[number] or nobody

    def _is_wanted(self, key: str) -> bool:
        return any(key in keys for keys in self._wanted)
