"""Two schema documents of one model, compared by what they mean: what is here, and what the service now says; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

PRICE: Final = "price"
_BOUNDS: Final = {
    "minimum": "the minimum",
    "maximum": "the maximum",
    "multipleOf": "the step",
    "default": "the default",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that the two say differently; `parameter` is `price` for the price list, None is what is not said."""

    parameter: str
    ours: Any
    theirs: Any
    message: str


def compare(ours: Mapping[str, Any], theirs: Mapping[str, Any], *, complete: bool = False) -> tuple[Difference, ...]:
    """Return every difference that matters to a request or its price, in the order of our parameters.

    What the service leaves unsaid about a parameter is none, and neither is a price that our schema does not claim;
    unless the comparison is to be `complete`. Numbers are compared by value, however they are written.
    """
    return (*_parameters(ours, theirs, complete=complete), *_price(ours, theirs, complete=complete))


def _rules(document: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    rules = document.get("properties")
    found = rules if isinstance(rules, dict) else {}
    return {name: rule if isinstance(rule, dict) else {} for name, rule in found.items()}


def _parameters(ours: Mapping[str, Any], theirs: Mapping[str, Any], *, complete: bool) -> Iterator[Difference]:
    here, there = _rules(ours), _rules(theirs)
    for name, rule in here.items():
        if name not in there:
            yield Difference(parameter=name, ours=rule, theirs=None, message=f"the service has no {name} any more")
            continue
        yield from _rule(name, rule, there[name], complete=complete)
        if name in _required(theirs) and name not in _required(ours) and "default" not in rule:
            yield Difference(parameter=name, ours=False, theirs=True, message=f"the service requires {name}")
    for name, rule in there.items():
        if name not in here:
            yield Difference(parameter=name, ours=None, theirs=rule, message=f"the service also takes {name}")


def _required(document: Mapping[str, Any]) -> frozenset[str]:
    listed = document.get("required")
    return frozenset(one for one in listed if isinstance(one, str)) if isinstance(listed, list) else frozenset()


def _rule(name: str, ours: Mapping[str, Any], theirs: Mapping[str, Any], *, complete: bool) -> Iterator[Difference]:
    for word, words in _BOUNDS.items():
        mine, other = ours.get(word), theirs.get(word)
        if (complete or other is not None) and _value(mine) != _value(other):
            yield _differs(name, f"{words} of {name} is", mine, other)
    mine, other = ours.get("enum"), theirs.get("enum")
    if (complete or isinstance(other, list)) and _values(mine) != _values(other):
        yield _differs(name, f"the options of {name} are", mine, other)
    mine, other = ours.get("type"), theirs.get("type")
    if (complete or other is not None) and _kind(mine) != _kind(other):
        yield _differs(name, f"the type of {name} is", mine, other)


def _differs(name: str, what: str, ours: Any, theirs: Any) -> Difference:
    message = f"{what} {_said(ours)} in the schema, {_said(theirs)} at the service"
    return Difference(parameter=name, ours=ours, theirs=theirs, message=message)


def _price(ours: Mapping[str, Any], theirs: Mapping[str, Any], *, complete: bool) -> Iterator[Difference]:
    mine, other = ours.get(PRICE), theirs.get(PRICE)
    said = complete or (mine is not None and PRICE in theirs)
    if said and _value(mine) != _value(other):
        yield _differs(PRICE, "the price is", mine, other)


def _kind(word: Any) -> Any:
    return "number" if word == "integer" else word


def _values(listed: Any) -> Any:
    return frozenset(str(_value(one)) for one in listed) if isinstance(listed, list) else None


def _value(data: Any) -> Any:
    """Return data with every number in it as its value, whether it is a number or text."""
    if isinstance(data, dict):
        return {name: _value(inner) for name, inner in data.items()}
    if isinstance(data, list):
        return [_value(inner) for inner in data]
    if isinstance(data, bool) or not isinstance(data, int | float | str):
        return data
    try:
        number = Decimal(str(data).strip())
    except InvalidOperation:
        return data
    return number.normalize() + 0 if number.is_finite() else data


def _said(value: Any) -> str:
    """Return a value in words: a price list of one entry as its price."""
    if value is None:
        return "not said"
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) and not value[0].get("inputs"):
        return f"${value[0].get('price')} ({value[0].get('priceMethod')})"
    if isinstance(value, list):
        return "[" + ", ".join(map(_said, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_said(inner)}" for name, inner in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)
