"""`status --show`: the first pictures that are on disk, in a terminal that can show them, at most a screenful."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from flux_pipeline.cli import terminal, voice
from flux_pipeline.cli.project import Project
from flux_pipeline.files.checker import Checker
from flux_pipeline.files.derive import Order
from flux_pipeline.files.image import Rejected
from flux_pipeline.plan import PlannedRender
from flux_pipeline.report.inline import COLUMNS, ROWS, Tile, protocol, room, screen

_PIXELS = 10  # in a column, about; half of those in a row


def show(project: Project) -> None:
    """Print thumbnails, each made of its file by a child process; say so where this terminal cannot."""
    way = protocol(os.environ) if sys.stdout.isatty() else None
    if way is None:
        said = "pictures are shown only by kitty, Ghostty, iTerm2, WezTerm and mintty, and not through tmux or screen"
        voice.say(f"{said}; `flux-pipeline gallery` makes a page of them", head="note", level="warning")
        return
    across, down = room(*terminal.size(sys.stdout))
    history = project.history()
    saved = [one for one in project.plan(history).renders if one.source is not None]
    with Checker() as checker:
        tiles = [*_tiles(saved[: across * down], checker, project)]
    for text in screen(tiles, across, way):
        click.echo(text, nl=False, color=True)
    if len(saved) > across * down:
        voice.say(f"the first {across * down} of {len(saved)} pictures; --select chooses others", head="note")


def _tiles(saved: list[PlannedRender], checker: Checker, project: Project) -> Iterator[Tile]:
    for one in saved:
        assert one.source is not None
        path, fact = one.source
        scale = min(COLUMNS * _PIXELS / fact.width, ROWS * 2 * _PIXELS / fact.height, 1)
        width, height = max(round(fact.width * scale), 1), max(round(fact.height * scale), 1)
        order = Order(format="png", width=width, height=height, cover=False, quality=None, master=fact.sha256)
        made = checker.derive(project.root.absolute() / path, order)
        if isinstance(made, Rejected):
            voice.say(f"{path} {made.reason}", head="note", level="warning")
        else:
            yield Tile(one.cells[0], made, width, height)
