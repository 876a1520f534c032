"""What a render is expected to cost, from the price list of its model."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

_TIER_PIXELS = 1_048_576


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


def _matches(entry: Any, params: Mapping[str, Any]) -> bool:
    inputs = entry.get("inputs") if isinstance(entry, dict) else None
    return isinstance(inputs, dict) and all(str(params.get(name)) == str(value) for name, value in inputs.items())


def _by_pixels(entry: Any, amount: Decimal | None, params: Mapping[str, Any]) -> Decimal | None:
    width, height = params.get("width"), params.get("height")
    extra = _amount(entry.get("priceExtra", entry.get("price")))
    if amount is None or extra is None or not isinstance(width, int) or not isinstance(height, int):
        return None
    return amount + extra * (-(-width * height // _TIER_PIXELS) - 1)


def _amount(value: Any) -> Decimal | None:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None
