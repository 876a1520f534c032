"""What a run shows while it works: a bar in a terminal, now and then a line where there is none."""

from __future__ import annotations

import time
from contextlib import suppress
from decimal import Decimal
from typing import Any, NoReturn, Protocol, TextIO

from tqdm import tqdm

_EVERY_SECONDS = 10.0
_EVERY_SHARE = 0.05
_EVERY_FEW_SECONDS = 5.0
_REDRAW = 0.1
_WIDE = 100  # columns; where there are fewer, the bar, the time and the rate go, and the counts stay
_UNDRAWN = 1e-9  # tqdm would draw as soon as it is made, before it knows the counts
_NARROW = "{n_fmt}/{total_fmt}{postfix}"


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


class Tell(Protocol):
    """Takes a message with fields for programs."""

    def __call__(self, message: str, *, event: str, **fields: Any) -> None: ...


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
                delay=_UNDRAWN,
            )
        ended = glance.saved + glance.failed + glance.doubtful
        now = time.monotonic()
        if now - self._drawn < _REDRAW and ended < glance.renders:
            return
        self._drawn = now
        columns = bar.format_dict["ncols"] or _WIDE
        tally = f"{_tally(glance)} {glance.note[:60]}".rstrip()
        bar.bar_format = None if columns >= _WIDE else _NARROW
        bar.set_postfix_str(
            tally if columns >= _WIDE else tally[: columns - 2 * len(str(glance.renders)) - 3], refresh=False
        )
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
        self._print(_line(glance))

    def _print(self, line: str) -> None:
        with suppress(OSError):  # whoever watched is gone; the run goes on
            print(line, file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing is left open."""


class Records:
    """Tells every few seconds how far the run is, and each note once, for programs that read along."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._told_at = time.monotonic()
        self._noted = ""

    def __call__(self, glance: Glance) -> None:
        with suppress(OSError):  # whoever listened is gone; the run goes on
            if glance.note and glance.note != self._noted:
                self._tell(glance.note, event="note")
            self._noted = glance.note
            now = time.monotonic()
            if now - self._told_at >= _EVERY_FEW_SECONDS:
                self._told_at = now
                self._tell(_line(glance), event="progress", **_figures(glance))

    def close(self) -> None:
        """Nothing is left open."""


class Silence:
    """Shows nothing."""

    def __call__(self, glance: Glance) -> None:
        """See nothing."""

    def close(self) -> None:
        """Nothing is left open."""


def watch(stream: TextIO, *, wanted: bool, tell: Tell | None = None) -> Bar | Lines | Records | Silence:
    """Choose what fits the stream; `tell` takes records instead of it."""
    if not wanted:
        return Silence()
    if tell is not None:
        return Records(tell)
    return Bar(stream) if stream.isatty() else Lines(stream)


def _line(glance: Glance) -> str:
    return f"{glance.saved + glance.failed + glance.doubtful}/{glance.renders} done, {_tally(glance)}"


def _figures(glance: Glance) -> dict[str, object]:
    unknown = glance.uncharged and not glance.charged
    counts = {name: getattr(glance, name) for name in ("renders", "saved", "failed", "doubtful", "running")}
    return counts | {"cost_usd": None if unknown else glance.charged, "unknown_prices": glance.uncharged}


def _tally(glance: Glance) -> str:
    doubtful = f", {glance.doubtful} doubtful" if glance.doubtful else ""
    least = "at least " if glance.uncharged else ""
    return f"{glance.running} running, {glance.failed} failed{doubtful}, {least}${glance.charged:.2f}"
