"""What the lockfile says of files: the checked pictures of a render, and what was derived of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFact:
    """A checked file. `take` grows when the service gives other bytes for the same picture a second time."""

    sha256: str
    bytes: int
    width: int
    height: int
    take: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedFact:
    """A file made of a picture. `master` is the picture's sha256, `recipe` the digest of how it was made.

    `take` grows when another file takes its path.
    """

    master: str
    recipe: str
    sha256: str
    bytes: int
    width: int
    height: int
    take: int = 1


_Fact = TypeVar("_Fact", FileFact, DerivedFact)


def join(one: Mapping[str, _Fact], other: Mapping[str, _Fact]) -> Mapping[str, _Fact]:
    """Return what both say of each path together: the highest take, and the same one from either side."""
    if not one or not other:
        return one or other
    joined = dict(one)
    for path, fact in other.items():
        mine = joined.get(path)
        joined[path] = fact if mine is None else max(mine, fact, key=_order)
    return joined


def _order(one: FileFact | DerivedFact) -> tuple[Any, ...]:
    made = (one.master, one.recipe) if isinstance(one, DerivedFact) else ()
    return (one.take, one.sha256, one.bytes, one.width, one.height, *made)


def body(facts: Mapping[str, _Fact]) -> dict[str, Any] | None:
    """Return the facts as a line holds them, None where there are none."""
    return {path: _body(fact) for path, fact in sorted(facts.items())} or None


def _body(fact: FileFact | DerivedFact) -> dict[str, Any]:
    made = {"from": fact.master, "recipe": fact.recipe} if isinstance(fact, DerivedFact) else {}
    picture = {"sha256": fact.sha256, "bytes": fact.bytes, "width": fact.width, "height": fact.height}
    return made | picture | ({} if fact.take == 1 else {"take": fact.take})


def read_files(value: Any) -> Mapping[str, FileFact]:
    """Read what a line says of pictures; ValueError says what is wrong with it."""
    return _read(value, "files", lambda one: FileFact(**one))


def read_derived(value: Any) -> Mapping[str, DerivedFact]:
    """Read what a line says of derived files; ValueError says what is wrong with it."""
    return _read(value, "x-derived", lambda one: DerivedFact(master=one["from"], **_without(one, "from")))


def _without(one: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != name}


def _read(value: Any, where: str, make: Callable[[Any], _Fact]) -> Mapping[str, _Fact]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is not an object")
    return {path: _read_one(one, where, make) for path, one in value.items()}


def _read_one(one: Any, where: str, make: Callable[[Any], _Fact]) -> _Fact:
    try:
        sound = all(isinstance(value, str) if name in _TEXTS else type(value) is int for name, value in one.items())
        fact = make(one)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{where} has an entry that this version does not know") from error
    if not sound:
        raise ValueError(f"{where} has an entry whose values are of the wrong kind")
    return fact


_TEXTS = frozenset({"sha256", "from", "recipe"})
