"""The models on offer: their parameters, what they accept and what they cost."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

PRICE = Decimal("0.03")

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One row of a model's table; `minimum`, `maximum` and `step` are for numbers, `options` for selects."""

    name: str
    help: str
    kind: Literal["textarea", "number", "select"]
    default: str | int | float | None = None
    integer: bool = True
    minimum: int | float | None = None
    maximum: int | float | None = None
    step: int | None = None
    options: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        return self.default is None

    @property
    def label(self) -> str:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.name).title()

    def accepts(self, value: object) -> bool:
        if self.kind == "textarea":
            return isinstance(value, str) and bool(value.strip())
        if self.kind == "select":
            return isinstance(value, str) and value in self.options
        number = _number(value)
        if number is None or (self.integer and number != int(number)):
            return False
        if self.step is not None and number % self.step:
            return False
        low, high = self.minimum, self.maximum
        return (low is None or number >= low) and (high is None or number <= high)

    @property
    def rule(self) -> str:
        if self.kind == "textarea":
            return "a text that is not empty"
        if self.kind == "select":
            return "one of " + ", ".join(self.options)
        text = "an integer" if self.integer else "a number"
        if self.step is not None:
            text += f", a multiple of {self.step}"
        if self.minimum is not None and self.maximum is not None:
            text += f" between {self.minimum} and {self.maximum}"
        return text

    def item(self) -> dict[str, Any]:
        """Describe the parameter as /Tool/Detail does."""
        item: dict[str, Any] = {
            "id": self.name,
            "type": self.kind,
            "label": self.label,
            "help": self.help,
            "required": self.required,
            "options": [{"value": option, "label": option.upper()} for option in self.options],
            "default": "" if self.default is None else str(self.default),
        }
        bounds = {"min": self.minimum, "max": self.maximum, "step": self.step}
        return item | {name: str(bound) for name, bound in bounds.items() if bound is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    owner: str
    name: str
    id: str
    parameters: tuple[Parameter, ...]

    @property
    def slug(self) -> str:
        return f"{self.owner}/{self.name}"

    def complaint(self, given: Mapping[str, Any]) -> str | None:
        """Say what is wrong with the first parameter that is, in the words of the API."""
        for parameter in self.parameters:
            value = given.get(parameter.name)
            if _absent(value) and not parameter.required:
                continue
            if not parameter.accepts(value):
                return f"Request parameter [{parameter.name}] must be {parameter.rule}"
        return None

    def completed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Write the defaults in and keep everything else as it was sent, unknown keys included."""
        missing = {p.name: p.default for p in self.parameters if _absent(given.get(p.name))}
        return {**given, **missing}

    def tool(self, dollars: Decimal = PRICE) -> dict[str, Any]:
        """Describe the model as /Tool/Detail does, at this price of a run."""
        price = [{"inputs": {}, "price": float(dollars), "priceMethod": "cpr"}]
        return {
            "id": self.id,
            "title": self.name,
            "slugowner": self.owner,
            "slugproject": self.name,
            "categories": ["tool", "bfl", "text-to-image", "partner"],
            "cps": "0.000000000000",
            "dynamicprice": json.dumps(price),
            "parameters": [{"title": "Inputs", "items": [parameter.item() for parameter in self.parameters]}],
        }


def find(owner: str, name: str) -> Model | None:
    return _MODELS.get((owner, name))


def _absent(value: object) -> bool:
    return value is None or value == ""


def _number(value: object) -> int | float | None:
    """Read a number as JSON or a form field carries it; booleans are no numbers."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value if abs(value) < 1e18 else None
    if isinstance(value, str):
        text = value.strip()
        if _INTEGER.fullmatch(text):
            return int(text)
        if _NUMBER.fullmatch(text):
            return float(text)
    return None


def _side(name: str) -> Parameter:
    text = f"{name.title()} in pixels (must be multiple of 16)."
    return Parameter(name=name, help=text, kind="number", default=1024, minimum=64, maximum=2048, step=16)


_COMMON = (
    Parameter(name="prompt", help="Text prompt for image generation.", kind="textarea"),
    _side("width"),
    _side("height"),
    Parameter(
        name="safetyTolerance",
        help="Tolerance level for input and output moderation. Between 0 and 6, 0 being most strict.",
        kind="number",
        default=2,
        minimum=0,
        maximum=6,
    ),
    Parameter(name="seed", help="Seed for reproducible results.", kind="number", default=123),
    Parameter(
        name="outputFormat",
        help="Output format for the generated image.",
        kind="select",
        default="png",
        options=("jpeg", "png"),
    ),
)
_FLEX = (
    Parameter(
        name="guidance",
        help="How closely to follow the prompt.",
        kind="number",
        default=4.5,
        integer=False,
        minimum=1.5,
        maximum=10,
    ),
    Parameter(name="steps", help="Number of inference steps.", kind="number", default=50, minimum=1, maximum=50),
)
_MODELS = {
    (model.owner, model.name): model
    for model in (
        Model(owner="black-forest-labs", name="flux-2-pro-t2i", id="1601", parameters=_COMMON),
        Model(owner="black-forest-labs", name="flux-2-flex-t2i", id="1602", parameters=(*_COMMON, *_FLEX)),
    )
}
