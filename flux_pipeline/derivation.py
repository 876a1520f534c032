"""What has to be derived of which picture, and why; what that saves. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from flux_pipeline.ledger.facts import DerivedFact, FileFact, Submission
from flux_pipeline.ledger.history import History
from flux_pipeline.ledger.keys import Render
from flux_pipeline.manifest.cell import Cell
from flux_pipeline.manifest.derive import Derived, Recipe

State = Literal["made", "missing", "changed", "outdated"]

_AGAIN = "`flux-pipeline run` makes it again"
_WHY: Mapping[State, str] = {
    "made": "",
    "missing": f"it was derived and is not there any more: {_AGAIN}",
    "changed": f"it is not the file that was derived: its sha256 differs; {_AGAIN} and keeps this one beside",
    "outdated": f"it was made of another picture, or by another recipe: {_AGAIN}",
}
_WHY_AT_FIRST: Mapping[State, str] = {
    "missing": "it was never derived: `flux-pipeline run` makes it",
    "changed": "the lockfile knows nothing of this file: `flux-pipeline run` derives its own and keeps this one beside",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """One file that is to be derived, and how it stands.

    `master` is the path of its picture, and `picture` the fact about it that `submission` has; both are None while the
    picture is not on disk as it was saved. `sha256` is the sum of what lies at `path`, empty where no file does. `reason` is
    empty for a file that is made.
    """

    cell: str
    render: Render
    master: str
    path: str
    recipe: Recipe
    picture: FileFact | None
    submission: Submission | None
    sha256: str
    state: State
    reason: str

    @property
    def task(self) -> str | None:
        return self.submission.task if self.submission else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """How many files are derived, how many of them are still to be made, and how many renders that saves.

    `dollars` is what those renders would cost, None if nobody knows.
    """

    files: int = 0
    to_make: int = 0
    renders: int = 0
    dollars: Decimal | None = Decimal(0)


def paths_to_survey(cells: Iterable[Cell]) -> frozenset[str]:
    """Return every path whose file decides what is to be derived."""
    deriving = [cell for cell in cells if cell.derived]
    wanted = (one.path for cell in deriving for one in cell.derived)
    return frozenset(wanted) | {cell.path for cell in deriving}


def derivations(cells: Iterable[Cell], history: History, present: Mapping[str, str]) -> tuple[Derivation, ...]:
    """Say how every file stands that these cells want derived.

    `present` maps a path that exists to the SHA-256 of its file (empty where it is no regular file).
    """
    found: dict[str, Derivation] = {}
    for cell in cells:
        for derived in cell.derived:
            if derived.path not in found:  # several manifests may want the same
                found[derived.path] = _derivation(cell, derived, history, present)
    return tuple(found.values())


def ours(history: History, paths: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the sums of all files that were ever ours at these paths, which may be replaced."""
    sums: dict[str, set[str]] = {path: set() for path in paths}
    for one in history.submissions.values():
        for facts in (one.files, one.derived):
            for path in sums.keys() & facts.keys():
                sums[path].add(facts[path].sha256)
    return {path: frozenset(each) for path, each in sums.items()}


def saving(found: Iterable[Derivation], price: Callable[[Derivation], Decimal | None]) -> Saving:
    """Sum up; `price` tells what a render of a file would cost."""
    found = tuple(found)
    renders = {(one.render.key, one.recipe): one for one in found}
    prices = [price(one) for one in renders.values()]
    known = [one for one in prices if one is not None]
    return Saving(
        files=len(found),
        to_make=sum(one.state != "made" for one in found),
        renders=len(renders),
        dollars=sum(known, Decimal(0)) if len(known) == len(prices) else None,
    )


def _derivation(cell: Cell, derived: Derived, history: History, present: Mapping[str, str]) -> Derivation:
    submissions = history.of(cell.key)
    recorded = {fact.sha256: (fact, one) for one in reversed(submissions) for fact in one.files.values()}
    picture, submission = recorded.get(present.get(cell.path, ""), (None, None))
    masters = recorded.keys() if picture is None else {picture.sha256}
    known = [one.derived[derived.path] for one in submissions if derived.path in one.derived]
    state = _state(known, derived.recipe.digest(), masters, present.get(derived.path))
    return Derivation(
        cell=cell.id,
        render=cell.render,
        master=cell.path,
        path=derived.path,
        recipe=derived.recipe,
        picture=picture,
        submission=submission,
        sha256=present.get(derived.path, ""),
        state=state,
        reason=(_WHY if known else _WHY_AT_FIRST)[state],
    )


def _state(known: Iterable[DerivedFact], recipe: str, masters: Iterable[str], there: str | None) -> State:
    if there is None:
        return "missing"
    same = [fact for fact in known if fact.sha256 == there]
    if not same:
        return "changed"
    return "made" if any(fact.recipe == recipe and fact.master in masters for fact in same) else "outdated"
