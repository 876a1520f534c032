"""What a render is expected to cost, from the price list of its model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

_TIER_PIXELS = 1_048_576
_LEAST, _MOST = Decimal("1E-12"), Decimal(10**9)


def estimate(price: Any, params: Mapping[str, Any]) -> Decimal | None:
    """Return the dollars that one render will cost, or None where nobody can know beforehand.

    `price` is a list in the form of the service's `dynamicprice`: the first entry whose `inputs` all match the
    parameters applies, and `{}` matches everything. Methods: `cpr` a run, `cpo` an output (a render has one),
    `cp-pixel` a started 1,048,576 pixels, `priceExtra` for each further; `cps` a second, which nobody knows beforehand.
    """
    entry = next((one for one in price or () if _matches(one, params)), None)
    amount = None if entry is None else _amount(entry.get("price"))
    match (amount, entry and entry.get("priceMethod")):
        case (Decimal(), "cpr" | "cpo"):
            return amount
        case (Decimal(), "cp-pixel"):
            return _by_pixels(entry, amount, params)
        case _:
            return None


def estimator(price: Any) -> Callable[[Mapping[str, Any]], Decimal | None]:
    """Return `estimate` for one list; where that asks for no parameter, it is worked out only once."""
    first = next(iter(price or ()), None)
    inputs = first.get("inputs") if isinstance(first, Mapping) else None
    if first is not None and (not isinstance(inputs, Mapping) or inputs or first.get("priceMethod") == "cp-pixel"):
        return partial(estimate, price)
    amount = estimate(price, {})
    return lambda _: amount


def _matches(entry: Any, params: Mapping[str, Any]) -> bool:
    inputs = entry.get("inputs") if isinstance(entry, Mapping) else None
    return isinstance(inputs, Mapping) and all(_same(params.get(name), value) for name, value in inputs.items())


def _same(ours: Any, theirs: Any) -> bool:
    """Compare as the service may have written it: numbers and truth as text, and absent as empty."""
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return str(ours).lower() == str(theirs).lower()
    numbers = _number(ours), _number(theirs)
    if None not in numbers:
        return numbers[0] == numbers[1]
    return ("" if ours is None else str(ours)) == ("" if theirs is None else str(theirs))


def _by_pixels(entry: Any, amount: Decimal | None, params: Mapping[str, Any]) -> Decimal | None:
    width, height = params.get("width"), params.get("height")
    extra = _amount(entry.get("priceExtra", entry.get("price")))
    if amount is None or extra is None or not isinstance(width, int) or not isinstance(height, int):
        return None
    return amount + extra * (-(-width * height // _TIER_PIXELS) - 1)


def _amount(value: Any) -> Decimal | None:
    """Return dollars; None for what is no price, among it what is below a millionth of a millionth or beyond reason."""
    amount = _number(value)
    return amount if amount == 0 or (amount is not None and _LEAST <= amount <= _MOST) else None


def _number(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
