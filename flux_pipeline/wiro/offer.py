"""What the service says of a model: its parameters and its price list; pure, and astonished at nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from flux_pipeline.wiro.outcomes import NoTask, Unread
from flux_pipeline.wiro.wire import Reply, clean, dollars, loads, told

Scalar: TypeAlias = str | int | float | bool
_NO_MODEL: Final = "code 1:"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,79}")
_MOST: Final = 500  # parameters, options of one, or entries of a price list: what is longer is not what it says it is
_DEEPEST: Final = 4  # levels in an entry of a price list
_LONGEST: Final = 2000  # characters of a help text or a default


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One field of a model's form. `kind` is the service's word, such as `number`; None is what it does not tell."""

    name: str
    kind: str = ""
    help: str = ""
    required: bool = False
    options: tuple[str, ...] = ()
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    step: Decimal | None = None
    default: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotOffered(Unread):
    """The service says that it has no such model, or none for this account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model as the service offers it.

    `parameters` is None where the answer does not tell them. `price` is its list in the form that `price.estimate`
    takes, None where it tells none; `flaw` says why a list that it does tell cannot be read. `cps` are the dollars of
    a second, which count where there is no list.
    """

    model: str
    title: str = ""
    description: str = ""
    parameters: tuple[Parameter, ...] | None = None
    price: tuple[Mapping[str, Any], ...] | None = None
    flaw: str = ""
    cps: Decimal | None = None


def body(model: str) -> dict[str, str]:
    """Return what to ask `/Tool/Detail` for a model `owner/name`."""
    owner, _, name = model.partition("/")
    return {"slugowner": owner, "slugproject": name}


def read(reply: Reply, model: str, now: float) -> Offer | Unread:
    """Turn an answer of `/Tool/Detail` into the offer of `model`, or say why it tells none. `now` is in unix seconds."""
    data = told(reply, now)
    if isinstance(data, NoTask):
        return Unread(reason="the service speaks of tasks, not of a model")
    if isinstance(data, Unread):
        return NotOffered(reason=data.reason) if data.reason.startswith(_NO_MODEL) else data
    listed = data.get("tool")
    tools = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not tools:
        nothing = "the answer describes no model"
        return NotOffered(reason=nothing) if listed == [] else Unread(reason=nothing)
    tool = next((one for one in tools if _name(one) in (None, model)), None)
    if tool is None:
        return Unread(reason=f"asked for {model}, told of {clean(_name(tools[0]), most=120)}")
    price, flaw = _price(tool.get("dynamicprice"))
    return Offer(
        model=model,
        title=clean(tool.get("title"), most=120),
        description=clean(tool.get("description"), most=_LONGEST),
        parameters=_parameters(tool.get("parameters")),
        price=price,
        flaw=flaw,
        cps=dollars(tool.get("cps")),
    )


def _name(tool: Mapping[str, Any]) -> str | None:
    owner, name = tool.get("slugowner"), tool.get("slugproject")
    return f"{owner}/{name}" if isinstance(owner, str) and isinstance(name, str) and owner and name else None


def _price(value: object) -> tuple[tuple[Mapping[str, Any], ...] | None, str]:
    """Return the list of `dynamicprice`, which is JSON in a text, and what is wrong with it."""
    if value is None or value == "":
        return None, ""
    listed = _unpacked(value)
    if not isinstance(listed, list) or not all(isinstance(one, dict) and _shallow(one, _DEEPEST) for one in listed):
        return None, "its price list has not the expected shape"
    if len(listed) > _MOST:
        return None, f"its price list has {len(listed)} entries"
    return tuple(MappingProxyType(one) for one in listed) or None, ""


def _shallow(value: object, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not inner or (levels > 0 and all(_shallow(one, levels - 1) for one in inner))


def _parameters(value: object) -> tuple[Parameter, ...] | None:
    """Return every field of every group; None where there are no groups, or too many fields to be true."""
    groups = _unpacked(value)
    if isinstance(groups, dict):
        groups = list(groups.values())
    if not isinstance(groups, list):
        return None
    found: dict[str, Parameter] = {}
    for item in _items(groups):
        name = item.get("id", item.get("name"))
        if isinstance(name, str) and _NAME.fullmatch(name):
            found.setdefault(name, _parameter(name, item))
    return tuple(found.values()) if 0 < len(found) <= _MOST else None


def _items(groups: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for group in groups:
        if isinstance(group, dict):
            inner = group.get("items")
            yield from (one for one in inner if isinstance(one, dict)) if isinstance(inner, list) else (group,)


def _parameter(name: str, item: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        kind=clean(item.get("type"), most=40).lower() if isinstance(item.get("type"), str) else "",
        help=_words(item.get("help")) or _words(item.get("label")),
        required=item.get("required") in (True, "true", "1"),  # 1 equals True
        options=_options(item.get("options")),
        minimum=number(item.get("min")),
        maximum=number(item.get("max")),
        step=number(item.get("step")),
        default=_scalar(item.get("default")),
    )


def _words(value: object) -> str:
    return clean(value, most=_LONGEST) if isinstance(value, str) else ""


def _options(value: object) -> tuple[str, ...]:
    listed = _unpacked(value)
    if not isinstance(listed, list) or len(listed) > _MOST:
        return ()
    values = (one.get("value") if isinstance(one, dict) else one for one in listed)
    scalars = (_scalar(one) for one in values)
    return tuple(dict.fromkeys(str(one) for one in scalars if one is not None))


def _scalar(value: object) -> Scalar | None:
    if isinstance(value, str):
        return clean(value, most=_LONGEST) or None
    return value if isinstance(value, bool | int | float) else None


def number(value: object) -> Decimal | None:
    """Return a number that came as a number or as text; None for what is none, or is beyond all reason."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > 40:
        return None
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found) < 10**18 and abs(found.adjusted()) < 40 else None


def _unpacked(value: object) -> Any:
    """Return a value that may have come as JSON in a text; None where the text is no JSON."""
    if not isinstance(value, str):
        return value
    try:
        return loads(value.encode(errors="replace"))
    except ValueError:
        return None
