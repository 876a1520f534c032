"""How fast, how many, how much: the `run:` section, and the flags of the same names."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from flux_pipeline.errors import UsageError

_NUMBER: Final = r"([0-9]{1,15}(?:\.[0-9]{1,15})?|\.[0-9]{1,15})"
_RATE: Final = re.compile(_NUMBER + r"(?:\s*/\s*(s|sec|m|min|h))?")
_DURATION: Final = re.compile(_NUMBER + r"\s*(ms|s|sec|m|min|h)?")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What `run:` says, None where it says nothing. `rate` is per second; `grace` and `timeout` are seconds."""

    rate: float | None = None
    concurrency: int | None = None
    max_cost: Decimal | None = None
    retries: int | None = None
    grace: float | None = None
    timeout: float | None = None
    max_cells: int | None = None


def strictest(settings: Iterable[RunSettings]) -> RunSettings:
    """Return what several manifests allow together: the least of each limit, and the longest grace."""
    known = tuple(settings)

    def chosen(name: str, choose: Callable[[list[Any]], Any]) -> Any:
        said = [value for one in known if (value := getattr(one, name)) is not None]
        return choose(said) if said else None

    least = {name: chosen(name, min) for name in ("rate", "concurrency", "max_cost", "retries", "timeout", "max_cells")}
    return RunSettings(**least, grace=chosen("grace", max))


def parse_rate(text: str) -> float:
    """Return how many per second `text` asks for: `5/s`, `300/min`, `3600/h`; a bare number is per second.

    Raises:
        UsageError: it is not a rate, or not above 0.
    """
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise UsageError(f'"{text[:40]}" is not a rate; write a number per s, min or h, such as 5/s or 300/min')
    rate = float(found[1]) / _SECONDS[found[2] or "s"]
    if rate <= 0:
        raise UsageError(f'"{text[:40]}" is not above 0, and nothing would ever be sent; write such as 5/s')
    return rate


def parse_duration(text: str | float) -> float:
    """Return the seconds that `text` names: `120s`, `30m`, `2h`, `500ms`; a bare number is seconds.

    Raises:
        UsageError: it is not a duration, or it is negative or without end.
    """
    found = None if isinstance(text, bool) else _DURATION.fullmatch(_plain(text).strip())
    if found is None:
        raise UsageError(f'"{str(text)[:40]}" is not a duration; write such as 120s, 30m or 2h')
    return float(found[1]) * _SECONDS[found[2] or "s"]


def _plain(text: str | float) -> str:
    """Write 1e-05 as 0.00001, so that one pattern reads texts and numbers."""
    return text if isinstance(text, str) else f"{text:.15f}".rstrip("0").rstrip(".")


def parse_timeout(text: str | float) -> float:
    """Return a duration above 0.

    Raises:
        UsageError: it is not a duration, or 0.
    """
    seconds = parse_duration(text)
    if seconds <= 0:
        raise UsageError(f'"{text}" is not above 0; write such as 30m')
    return seconds


def parse_money(value: str | float) -> Decimal:
    """Return an amount in dollars, exactly as written.

    Raises:
        UsageError: it is not a finite number of 0 or more.
    """
    try:
        amount = Decimal(str(value).strip().removeprefix("$"))
    except ArithmeticError:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise UsageError(f'"{str(value)[:40]}" is not an amount in dollars; write such as 20.00')
    return amount


def _rate(value: str | float) -> float:
    return parse_rate(_plain(value))


def _count(least: int) -> Callable[[Any], int]:
    def read(value: float) -> int:
        if isinstance(value, bool) or not math.isfinite(value) or value != int(value) or value < least:
            raise UsageError(f"{value} is not a whole number of at least {least}")
        return int(value)

    return read


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "rate": _rate,
    "concurrency": _count(1),
    "max_cost": parse_money,
    "retries": _count(0),
    "grace": parse_duration,
    "timeout": parse_timeout,
    "max_cells": _count(1),
}


def read_settings(section: Mapping[str, Any]) -> tuple[RunSettings, dict[str, str]]:
    """Return the settings, and what is wrong with those left out, by name."""
    sound: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, value in section.items():
        if name in _READERS:
            try:
                sound[name] = _READERS[name](value)
            except UsageError as problem:
                wrong[name] = str(problem)
    return RunSettings(**sound), wrong
