"""What is said on stderr: in words, or by `run --log-format json` as JSON Lines. Both go through here, and no secret does."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import click

from flux_pipeline.cli import streams, terminal

Level = Literal["debug", "info", "warning", "error"]
_ROLES: dict[Level, str] = {"warning": "warning", "error": "error"}
_SECRETS = ("WIRO_API_KEY", "WIRO_API_SECRET")
_LOG = "flux-pipeline"  # the name of the one handler that is ours
_SHORTEST_SECRET = 8  # a shorter one cannot be a key, and would blot out ordinary words


@dataclass(frozen=True, slots=True)
class Voice:
    """How to say things; `color` None leaves it to the stream."""

    as_json: bool = False
    color: bool | None = None


_PLAINLY = Voice()
_voice: ContextVar[Voice] = ContextVar("voice", default=_PLAINLY)


def begin(arguments: Sequence[str]) -> None:
    """Choose how to speak until the command line is understood: its mistakes have to be told too."""
    _end_log()
    environ = os.environ
    asked = environ.get("FLUX_PIPELINE_LOG_FORMAT") == "json" and "--log-format=text" not in arguments
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word == "--log-format" or word.startswith("--log-format="):
            asked = (word.partition("=")[2] or following) == "json"
    color = terminal.color(environ.get("FLUX_PIPELINE_COLOR", "auto"), environ)
    _voice.set(Voice(as_json=asked and list(arguments[:1]) == ["run"], color=color))


def speaks_json() -> bool:
    return _voice.get().as_json


def color() -> bool | None:
    """Return what `click.echo` is to be told of colour."""
    return _voice.get().color


def use_color(choice: str) -> None:
    _voice.set(replace(_voice.get(), color=terminal.color(choice, os.environ)))


def use_format(form: str) -> None:
    """Speak in `text` or in `json`; in the latter, what libraries log goes the same way."""
    _voice.set(replace(_voice.get(), as_json=form == "json"))


def say(message: str, *, event: str = "note", level: Level = "info", head: str = "", **fields: Any) -> None:
    """Say something on stderr.

    `head` stands before it in words, as in `warning: …`. The other fields are for JSON alone: plain values, and dollars as
    Decimal or None.
    """
    try:
        _say(message, event, level, head, fields)
    except BrokenPipeError:
        raise
    except OSError:  # stderr is full or gone: no reason to end a run that may have paid for something
        streams.let_go(sys.stderr)


def _say(message: str, event: str, level: Level, head: str, fields: Mapping[str, Any]) -> None:
    voice = _voice.get()
    if voice.as_json:
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        named = {"time": at, "level": level, "event": event, "message": click.unstyle(message), **fields}
        click.echo(masked(json.dumps(named, default=_plain)), err=True)
    else:
        before = f"{terminal.paint(_ROLES.get(level, ''), f'{head}:')} " if head else ""
        click.echo(f"{before}{masked(message)}", err=True, color=voice.color)


def masked(text: str) -> str:
    """Return a text without the account's secrets, wherever they may have come from."""
    for name in _SECRETS:
        secret = os.environ.get(name, "")
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***").replace(json.dumps(secret)[1:-1], "***")
    return text


def log(verbose: int) -> None:
    """Say what the rooms log: in words if --verbose asks for it, in JSON warnings in any case."""
    if not verbose and not speaks_json():
        return
    import logging

    levels: dict[int, Level] = {logging.DEBUG: "debug", logging.WARNING: "warning"}

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said = record.getMessage() if speaks_json() else self.format(record)
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
