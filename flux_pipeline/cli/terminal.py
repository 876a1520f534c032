"""The terminal: whether it wants colour, how wide it is, and how the words of the reports are coloured."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

import click

_STYLES: Mapping[str, Mapping[str, Any]] = {
    "saved": {"fg": "green"},
    "failed": {"fg": "red", "bold": True},
    "error": {"fg": "red", "bold": True},
    "doubtful": {"fg": "magenta", "bold": True},
    "warning": {"fg": "yellow"},
    "cancelled": {"fg": "yellow"},
    "paid": {"fg": "cyan"},
    "running": {"fg": "cyan"},
    "pending": {"fg": "yellow"},
    "dim": {"dim": True},
}


def color(choice: str, environ: Mapping[str, str]) -> bool | None:
    """Return whether colour is wanted; None leaves it to each stream, which wants it on a terminal.

    `choice` is what --color says; after it comes NO_COLOR, then FORCE_COLOR and CLICOLOR_FORCE, then a terminal that
    cannot.
    """
    if choice in ("always", "never"):
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return False if environ.get("TERM") == "dumb" or environ.get("CLICOLOR") == "0" else None


def paint(role: str, text: str) -> str:
    """Return a text in the style of its role; `click.echo` takes the style away where it is not wanted."""
    style = _STYLES.get(role)
    return text if style is None else click.style(text, **style)


def columns(stream: TextIO) -> int | None:
    """Return how wide a stream is, None where it is no terminal and nothing has to fit."""
    return size(stream)[0] if stream.isatty() else None


def size(stream: TextIO) -> tuple[int, int]:
    """Return the columns and lines of a terminal; COLUMNS and LINES win."""
    try:
        own = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        own = os.terminal_size((80, 24))
    found = shutil.get_terminal_size((own.columns or 80, own.lines or 24))
    return found.columns or 80, found.lines or 24


def rows(line: str, stream: TextIO) -> int:
    """Return how many lines of a terminal a printed line takes."""
    from flux_pipeline.report.widths import width

    return max(-(-width(click.unstyle(line)) // size(stream)[0]), 1)


def has_size(stream: TextIO) -> bool:
    """Say whether a terminal knows its own size; one of a script or a container may not."""
    try:
        return 0 not in os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return False


@contextmanager
def silent() -> Iterator[None]:
    """Keep off the screen what the terminal answers to a library that asks it something, however late the answer comes."""
    import termios
    import tty

    try:
        handle = sys.stdin.fileno()
        before = termios.tcgetattr(handle)
    except (OSError, ValueError, termios.error):  # nothing can be answered
        yield
        return
    tty.setcbreak(handle)
    try:
        yield
    finally:
        termios.tcflush(handle, termios.TCIFLUSH)
        termios.tcsetattr(handle, termios.TCSANOW, before)
