"""What a run shows while it works: a bar in a terminal, now and then a line where there is none."""

from __future__ import annotations

import time
from contextlib import suppress
from decimal import Decimal
from typing import NoReturn, Protocol, TextIO

from tqdm import tqdm

_EVERY_SECONDS = 10.0
_EVERY_SHARE = 0.05
_REDRAW = 0.1


class Glance(Protocol):
    """What is shown of a run, in renders and dollars."""

    @property
    def renders(self) -> int: ...

    @property
    def saved(self) -> int: ...

    @property
    def failed(self) -> int: ...

    @property
    def doubtful(self) -> int: ...

    @property
    def running(self) -> int: ...

    @property
    def charged(self) -> Decimal: ...

    @property
    def uncharged(self) -> int: ...

    @property
    def note(self) -> str: ...


class Bar:
    """A bar on a terminal: done of all, running, failed, dollars and the time left."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: tqdm[NoReturn] | None = None
        self._drawn = 0.0

    def __call__(self, glance: Glance) -> None:
        with suppress(OSError):  # whoever watched is gone; the run goes on
            self._draw(glance)

    def _draw(self, glance: Glance) -> None:
        bar = self._bar
        if bar is None:
            bar = self._bar = tqdm(
                total=glance.renders,
                initial=glance.saved,
                unit="picture",
                file=self._stream,
                dynamic_ncols=True,
                leave=False,
            )
        ended = glance.saved + glance.failed + glance.doubtful
        now = time.monotonic()
        if now - self._drawn < _REDRAW and ended < glance.renders:
            return
        self._drawn = now
        bar.set_postfix_str(f"{_tally(glance)} {glance.note[:60]}".rstrip(), refresh=False)
        bar.update(ended - bar.n)
        bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            with suppress(OSError):
                self._bar.close()


class Lines:
    """A line at every twentieth of the work, and after ten seconds at the latest."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said_at = time.monotonic()
        self._said = -1
        self._noted = ""

    def __call__(self, glance: Glance) -> None:
        ended = glance.saved + glance.failed + glance.doubtful
        if self._said < 0:
            self._said = ended
        if glance.note and glance.note != self._noted:
            self._print(glance.note)
        self._noted = glance.note
        now = time.monotonic()
        moved = ended - self._said >= max(glance.renders * _EVERY_SHARE, 1)
        if not moved and now - self._said_at < _EVERY_SECONDS:
            return
        self._said, self._said_at = ended, now
        self._print(f"{ended}/{glance.renders} pictures, {_tally(glance)}")

    def _print(self, line: str) -> None:
        with suppress(OSError):  # whoever watched is gone; the run goes on
            print(line, file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing is left open."""


class Silence:
    """Shows nothing."""

    def __call__(self, glance: Glance) -> None:
        """See nothing."""

    def close(self) -> None:
        """Nothing is left open."""


def watch(stream: TextIO, *, wanted: bool) -> Bar | Lines | Silence:
    """Choose what fits the stream."""
    if not wanted:
        return Silence()
    return Bar(stream) if stream.isatty() else Lines(stream)


def _tally(glance: Glance) -> str:
    doubtful = f", {glance.doubtful} doubtful" if glance.doubtful else ""
    least = "at least " if glance.uncharged else ""
    return f"{glance.running} running, {glance.failed} failed{doubtful}, {least}${glance.charged:.2f}"
