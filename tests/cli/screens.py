"""A terminal to run the program on: it shows what was drawn, and answers what it is asked."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
import time

SIXEL = {b"\x1b[c": b"\x1b[?62;4;22c"}  # what a VT340 says of itself: 4 is sixel
PROGRAM = (sys.executable, "-m", "flux_pipeline")
NO_SIXEL = {b"\x1b[c": b"\x1b[?62;22c"}


def on_a_terminal(workshop, *arguments, answers=None, after=0.0, size=(24, 60), command=PROGRAM, **environ):
    """Run the program on a terminal; return its exit code, what it drew and its stderr.

    `size` are its lines and columns. `answers` is what it answers to which question, `after` so many seconds.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, size)
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TMUX", "STY", "TERM", "KITTY", "COLUMNS", "LINES"))
    }
    process = subprocess.Popen(
        [*command, *arguments], cwd=workshop.folder, env=clean | workshop.environ | environ, stdin=theirs, stdout=theirs,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(theirs)
    drawn = b""
    waiting = dict(answers or {})
    try:
        while part := os.read(ours, 65536):
            drawn += part
            for question in [one for one in waiting if one in drawn]:
                time.sleep(after)  # the terminal is slow, not the test: nothing is waited for
                os.write(ours, waiting.pop(question))
    except OSError:  # how a terminal ends
        pass
    os.close(ours)
    said = process.communicate(timeout=30)[1].decode()
    return process.returncode, drawn.decode(), said
