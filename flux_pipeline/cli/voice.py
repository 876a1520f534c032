"""What the program says leaves through here, and no secret does, nor anything that a terminal would act on.

On stderr that is words, or by `run --log-format json` JSON Lines; on stdout words, or by --json one document.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import zip_longest
from typing import Any, Literal

import click

from flux_pipeline.cli import streams, terminal
from flux_pipeline.report.controls import plain
from flux_pipeline.report.widths import width, wrapped

Level = Literal["debug", "info", "warning", "error"]
_ROLES: dict[Level, str] = {"warning": "warning", "error": "error"}
_SECRETS = ("WIRO_API_KEY", "WIRO_API_SECRET")
_LOG = "flux-pipeline"  # the name of the one handler that is ours
_SHORTEST_SECRET = 8  # a shorter one cannot be a key, and would blot out ordinary words
_STYLE = re.compile("(\x1b\\[[0-9]{1,2}m)")  # what `terminal.paint` puts around words
_COMMAND = re.compile(r"^\s*:(?=:)|##(?=\[|vso\[)")  # what a CI log would take for an order
_YES = ("1", "true", "t", "yes", "y", "on")  # what click takes for a flag that is set


@dataclass(slots=True)
class Debt:
    """Whether stdout is still to become one JSON document. It is changed in place: a coroutine has a copy of the context."""

    document: bool = False


@dataclass(frozen=True, slots=True)
class Voice:
    """How to say things; `color` None leaves it to the stream."""

    as_json: bool = False
    color: bool | None = None
    debt: Debt = field(default_factory=Debt)


_PLAINLY = Voice()
_voice: ContextVar[Voice] = ContextVar("voice", default=_PLAINLY)


def begin(arguments: Sequence[str]) -> None:
    """Choose how to speak until the command line is understood: its mistakes have to be told too."""
    _end_log()
    environ = os.environ
    asked = environ.get("FLUX_PIPELINE_LOG_FORMAT") == "json" and "--log-format=text" not in arguments
    for word, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        if word == "--log-format" or word.startswith("--log-format="):
            asked = (word.partition("=")[2] or following) == "json"
    color = terminal.color(environ.get("FLUX_PIPELINE_COLOR", "auto"), environ)
    document = "--json" in arguments or environ.get("FLUX_PIPELINE_JSON", "").strip().lower() in _YES
    _voice.set(Voice(as_json=asked and list(arguments[:1]) == ["run"], color=color, debt=Debt(document)))


def speaks_json() -> bool:
    return _voice.get().as_json


def color() -> bool | None:
    """Return whether colour is wanted; None leaves it to the stream."""
    return _voice.get().color


def owes_document() -> bool:
    """Tell whether a JSON document was asked for, and not printed yet."""
    return _voice.get().debt.document


def owe_nothing() -> None:
    """Take it back that a document was asked for."""
    _voice.get().debt.document = False


def use_color(choice: str) -> None:
    _voice.set(replace(_voice.get(), color=terminal.color(choice, os.environ)))


def use_format(form: str) -> None:
    """Speak in `text` or in `json`; in the latter, what libraries log goes the same way."""
    _voice.set(replace(_voice.get(), as_json=form == "json"))


def say(
    message: str | Sequence[str],
    *,
    event: str = "note",
    level: Level = "info",
    head: str = "",
    styled: bool = False,
    fit: bool = False,
    **fields: Any,
) -> None:
    """Say something on stderr; what is to be several lines is given as such.

    `head` stands before it in words, as in `warning: …`; `styled` is as for `echo`. What has to `fit` is broken at the
    edge of a terminal, but for what is quoted on further lines. The other fields are for JSON alone: plain values, and
    dollars as Decimal or None.
    """
    lines = [message] if isinstance(message, str) else message
    if _voice.get().as_json:
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        named = {"time": at, "level": level, "event": event, "message": click.unstyle("\n".join(lines)), **fields}
        _to_stderr(masked(json.dumps(named, default=_plain)))
        return
    told = [_harmless(line, styled=styled) for line in lines]
    if head:
        told[0] = f"{head}: {told[0]}"
    if fit:
        told = [*_fitted(told[0], 2 if head else 0), *told[1:]]
    if head and told[0].startswith(f"{head}:"):
        told[0] = terminal.paint(_ROLES.get(level, ""), f"{head}:") + told[0].removeprefix(f"{head}:")
    _to_stderr("\n".join(told))


def exactly(line: bytes) -> None:
    """Put a line of a lockfile on stderr as it is: a changed one would be none."""
    text = line.decode().removesuffix("\n")
    if _voice.get().as_json:
        say(text, level="error", event="unwritten")
    else:
        _to_stderr(text)


def _to_stderr(text: str, *, nl: bool = True) -> None:
    """Write to stderr; where it is full, that is no reason to end what may have paid for something."""
    try:
        click.echo(text, err=True, nl=nl, color=_voice.get().color)
    except BrokenPipeError:
        raise
    except OSError:
        streams.let_go(sys.stderr)


def echo(text: str, *, err: bool = False, styled: bool = False, lines: bool = False, orders: bool = False) -> None:
    """Print a line for people.

    `styled` is text with colours by `terminal.paint`, in which nothing foreign is left. `lines` is text that ends its lines
    itself. `orders` lets through what a CI log acts on.
    """
    told = [_harmless(line, styled=styled, orders=orders) for line in (text.split("\n") if lines else [text])]
    if err:
        _to_stderr("\n".join(told), nl=not lines)
    else:
        click.echo("\n".join(told), nl=not lines, color=_voice.get().color)


def document(data: bytes) -> None:
    """Print a JSON document on stdout, in UTF-8 whatever the locale says."""
    _voice.get().debt.document = False
    text = data.decode()
    if masked(text) != text:
        text = json.dumps(_without_secrets(json.loads(text)), indent=2, ensure_ascii=False)
    click.echo(text.encode())


def _without_secrets(value: Any) -> Any:
    """Mask the texts in a document: numbers stay numbers, and names of fields what they are."""
    if isinstance(value, dict):
        return {name: _without_secrets(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_secrets(inner) for inner in value]
    return masked(value) if isinstance(value, str) else value


def _fitted(line: str, hanging: int) -> list[str]:
    """Return a line as those that a terminal has room for, no path in it broken; as it is where there is no terminal."""
    columns = terminal.columns(sys.stderr)
    if columns is None or width(line) <= columns:
        return [line]
    return [*wrapped(line, columns, hanging=hanging, whole=True)]


def _harmless(line: str, *, styled: bool = False, orders: bool = False) -> str:
    """Return a text on one line, without secrets and without what a terminal or a CI log would act on."""
    line = masked(line.encode(errors="backslashreplace").decode())  # names of files may hold half characters
    parts = _STYLE.split(line) if styled else [line]
    line = "".join(part if index % 2 else plain(part) for index, part in enumerate(parts))
    return line if orders or os.environ.get("GITHUB_ACTIONS") != "true" else _COMMAND.sub(r"\g<0> ", line)


def masked(text: str) -> str:
    """Return a text without the account's secrets, wherever they may have come from."""
    for name in _SECRETS:
        secret = os.environ.get(name, "")
        if len(secret) >= _SHORTEST_SECRET:
            for written in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
                text = text.replace(written, "***")
    return text


def log(verbose: int) -> None:
    """Say what the rooms log: in words if --verbose asks for it, in JSON warnings in any case."""
    if not verbose and not speaks_json():
        return
    import logging

    levels: dict[int, Level] = {logging.DEBUG: "debug", logging.WARNING: "warning"}

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            words = record.getMessage() if speaks_json() else self.format(record)
            said = words.split("\n") if record.exc_info else words
            level = "error" if record.levelno >= logging.ERROR else levels.get(record.levelno, "info")
            say(said, event="log", level=level, logger=record.name)

    handler = Handler()
    handler.name = _LOG
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])
    for name in ("httpx", "httpcore", "aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _end_log() -> None:
    if "logging" in sys.modules:
        root = sys.modules["logging"].getLogger()
        for handler in [one for one in root.handlers if one.name == _LOG]:
            root.removeHandler(handler)


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)
