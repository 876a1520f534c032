"""Signals from the first moment on: each becomes an interruption, until somebody knows better how to end."""

from __future__ import annotations

import signal
from types import FrameType

_OTHERS = (signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """SIGTERM or SIGHUP: ends the program as Ctrl-C does, with an exit code of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @staticmethod
    def code(stop: BaseException) -> int:
        """Return the exit code of an interruption: 128 and the signal's number."""
        return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)


def listen() -> None:
    """Turn signals into interruptions; one that is ignored, as under nohup, stays so."""
    listen_to(signal.SIGINT)
    for number in _OTHERS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            listen_to(number)


def listen_to(number: int) -> None:
    """Turn one signal into an interruption."""
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else _stop)


def deaden() -> None:
    """Let no further signal change how an orderly end looks."""
    for number in (signal.SIGINT, *_OTHERS):
        signal.signal(number, signal.SIG_IGN)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)
