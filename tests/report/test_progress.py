"""What a run shows while it works fits the terminal, and the counts and dollars are the last to go."""

from __future__ import annotations

import io
import os
import pty
import termios
from decimal import Decimal

import pytest

from flux_pipeline.progress import Bar, Lines
from flux_pipeline.run.outcome import Snapshot

HALF = Snapshot(
    renders=200, saved=96, failed=3, doubtful=1, running=10, charged=Decimal("2.88"), uncharged=0, note=""
)  # fmt: skip


def drawn(columns):
    """Return what is drawn on a terminal of so many columns, each time that it was drawn."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with os.fdopen(theirs, "w", closefd=True) as stream:
        bar = Bar(stream)
        bar(HALF)
        stream.flush()
        text = os.read(ours, 65536).decode()
        bar.close()
    os.close(ours)
    return [line for line in text.split("\r") if line.strip()]


@pytest.mark.parametrize("columns", [60, 80, 100, 101, 140])
def test_a_bar_fits_the_terminal_and_keeps_the_counts(columns):
    *before, text = drawn(columns)
    assert max(map(len, (*before, text))) < columns
    assert "100/200" in text
    assert "10 running, 3 failed, 1 doubtful, $2.88" in text
    assert ("[" in text) == (columns > 100), "time and rate are for those who have room"


def test_on_a_very_narrow_terminal_the_counts_are_cut_and_no_line_is_broken():
    *before, text = drawn(30)
    assert max(map(len, (*before, text))) < 30
    assert text.startswith("100/200, 10 running, 3")


def test_where_there_is_no_terminal_a_line_says_how_much_is_done():
    stream = io.StringIO()
    lines = Lines(stream)
    lines(Snapshot(renders=200, saved=0, failed=0, doubtful=0, running=9, charged=Decimal(0), uncharged=0, note=""))
    lines(HALF)
    assert stream.getvalue() == "100/200 done, 10 running, 3 failed, 1 doubtful, $2.88\n"
