"""The three streams that a shell gives to a program: one may be closed, full or broken."""

from __future__ import annotations

import os
import sys
from typing import TextIO

import click


def begin() -> None:
    """Put something in the place of each that is closed: an empty file to read, or one that keeps nothing.

    It takes the closed number too, so that no lockfile gets it and then what was meant for the screen.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 -- for as long as the program lives


def is_of_printing(error: OSError) -> bool:
    """Tell whether an error is that the system did not take what was printed or said."""
    from traceback import walk_tb

    if any(frame.f_code is click.echo.__code__ for frame, _ in walk_tb(error.__traceback__)):
        return True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # what it holds is there until somebody takes it
            return True
    return False


def end() -> None:
    """Let go of what nobody takes: the interpreter would try once more at its end, and change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            let_go(stream)


def let_go(stream: TextIO) -> None:
    """Let a stream end nowhere from now on."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
