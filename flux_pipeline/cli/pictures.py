"""`status --show`: the first pictures that are on disk, between the lines of a terminal, at most a screenful."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final

from flux_pipeline.cli import terminal, voice
from flux_pipeline.cli.project import Project
from flux_pipeline.files.checker import Checker
from flux_pipeline.files.derive import Order
from flux_pipeline.files.image import Rejected
from flux_pipeline.plan import PlannedRender
from flux_pipeline.report.captions import captions
from flux_pipeline.report.controls import plain

if TYPE_CHECKING:
    from textual_image.renderable import HalfcellImage, SixelImage, TGPImage

    Drawing = type[HalfcellImage | SixelImage | TGPImage]

ROWS: Final = 10  # of a picture; a row is about twice as high as a column is wide
COLUMNS: Final = 22
_GAP: Final = 2
_BELOW: Final = 2  # lines: how many pictures there are, and the prompt
_PIXELS: Final = 10  # in a column, about; half of those in a row
_MULTIPLEXERS: Final = ("TMUX", "STY")
_PAGE: Final = "`flux-pipeline gallery` makes a page of them"


@dataclass(frozen=True, slots=True)
class Tile:
    """A PNG file with what stands over it, and its size in pixels."""

    title: str
    png: bytes
    width: int
    height: int


def show(project: Project, above: int) -> None:
    """Print thumbnails, each made of its file by a child process; say so where this terminal cannot.

    `above` are the lines that the command has printed already, which are to stay on the screen.
    """
    if lack := _lack():
        _decline(lack)
        return
    with terminal.silent():  # the library asks the terminal what it can
        _show(project, above)


def _show(project: Project, above: int) -> None:
    drawing = _drawing()
    if isinstance(drawing, str):
        _decline(drawing)
        return
    columns, lines = terminal.size(sys.stdout)
    across, down = room(columns, lines, above)
    history = project.history()
    saved = [one for one in project.plan(history).renders if one.source is not None]
    with Checker() as checker:
        tiles = [*_tiles(saved[: across * down], checker, project)]
    _draw(tiles, across, columns, drawing)
    if len(saved) > across * down:
        voice.say(f"the first {across * down} of {len(saved)} pictures; --select chooses others", head="note")


def room(columns: int, lines: int, above: int = 0) -> tuple[int, int]:
    """Return how many tiles stand side by side on a screen, and how many above each other below so many lines."""
    return max((columns + _GAP) // (COLUMNS + _GAP), 1), max((lines - above - _BELOW) // (ROWS + 1), 1)


def _decline(lack: str) -> None:
    voice.say(f"{lack}; {_PAGE}", head="note", level="warning")


def _lack() -> str:
    """Say why no picture can be shown, as far as is known without asking the terminal; nothing where one may be."""
    if not sys.stdout.isatty():
        return "pictures are shown in a terminal only"
    if not terminal.has_size(sys.stdout):
        return "this terminal does not say how large it is"  # and the library divides by it
    if voice.color() is False or os.environ.get("TERM") == "dumb":  # one that is dumb would show the questions
        return "pictures are shown in colour only"
    return ""


def _drawing() -> Drawing | str:
    """Return how this terminal takes pictures, or why it does not."""
    logging.getLogger("textual_image").setLevel(logging.ERROR)  # it warns of each answer that does not come
    try:
        from textual_image import renderable
    except ImportError:
        return "showing pictures takes two more libraries: python3 -m pip install rich textual-image"
    if _is_kitty(os.environ):
        return renderable.TGPImage
    if renderable.Image is renderable.SixelImage or renderable.Image is renderable.TGPImage:
        return renderable.Image
    return renderable.HalfcellImage


def _is_kitty(environ: Mapping[str, str]) -> bool:
    """Say whether a terminal names itself as one that takes pictures kitty's way, whatever time it takes to answer."""
    if any(environ.get(name) for name in _MULTIPLEXERS):
        return False  # they swallow what they do not know
    named = environ.get("TERM") in ("xterm-kitty", "xterm-ghostty") or environ.get("TERM_PROGRAM") == "ghostty"
    return named or bool(environ.get("KITTY_WINDOW_ID"))


def _draw(tiles: Sequence[Tile], across: int, columns: int, drawing: Drawing) -> None:
    """Print the tiles in rows: their titles, and below them the pictures."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    titles = captions([plain(one.title) for one in tiles], COLUMNS)
    table = Table.grid(padding=(0, _GAP, 0, 0))
    for _ in range(across):
        table.add_column(width=COLUMNS)
    for start in range(0, len(tiles), across):
        row = tiles[start : start + across]
        table.add_row(*(Text(title, no_wrap=True) for title in titles[start : start + across]))
        table.add_row(*(drawing(BytesIO(one.png), *_fit(one)) for one in row))
    Console(file=sys.stdout, width=max(columns, COLUMNS + _GAP), highlight=False, legacy_windows=False).print(table)


def _fit(one: Tile) -> tuple[int | str, int | str]:
    """Return a picture's columns and rows: it fills one side of its place, and the other follows."""
    return (COLUMNS, "auto") if one.width * ROWS * 2 > one.height * COLUMNS else ("auto", ROWS)


def _tiles(saved: Sequence[PlannedRender], checker: Checker, project: Project) -> Iterator[Tile]:
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
