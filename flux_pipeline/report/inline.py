"""Pictures between the lines of a terminal: PNG files wrapped as the terminal's own protocol wants them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from flux_pipeline.report.text import plain
from flux_pipeline.report.widths import clamp, padded

Protocol = Literal["kitty", "iterm2"]

ROWS, COLUMNS = 10, 22  # of a picture; a row is about twice as high as a column is wide
_GAP = 2
_CHUNK = 4096  # the most that kitty's protocol takes at once
_ITERM2 = ("iTerm.app", "WezTerm", "mintty")
_MULTIPLEXERS = ("TMUX", "STY")


@dataclass(frozen=True, slots=True)
class Tile:
    """A PNG file with what stands over it; its size in pixels decides which side of the tile it fills."""

    title: str
    png: bytes
    width: int
    height: int


def protocol(environ: Mapping[str, str]) -> Protocol | None:
    """Return how this terminal takes pictures, None where it does not say that it can."""
    if any(environ.get(name) for name in _MULTIPLEXERS):
        return None  # they swallow what they do not know
    program = environ.get("TERM_PROGRAM", "")
    if (
        environ.get("KITTY_WINDOW_ID")
        or environ.get("TERM") in ("xterm-kitty", "xterm-ghostty")
        or program == "ghostty"
    ):
        return "kitty"
    return "iterm2" if program in _ITERM2 or environ.get("LC_TERMINAL") == "iTerm2" else None


def room(columns: int, lines: int) -> tuple[int, int]:
    """Return how many tiles stand side by side on a screen, and how many above each other."""
    return max((columns + _GAP) // (COLUMNS + _GAP), 1), max((lines - 2) // (ROWS + 1), 1)


def screen(tiles: Sequence[Tile], across: int, way: Protocol) -> Iterator[str]:
    """Yield the tiles, row by row: their titles, room made by empty lines, and the pictures drawn into it."""
    for start in range(0, len(tiles), across):
        row = tiles[start : start + across]
        titles = (padded(clamp(plain(one.title), COLUMNS), COLUMNS) for one in row)
        drawn = "".join(f"\x1b7{_right(n)}{_picture(one, way)}\x1b8" for n, one in enumerate(row))
        yield f"{(' ' * _GAP).join(titles).rstrip()}\n" + "\n" * ROWS + f"\x1b[{ROWS}A{drawn}\x1b[{ROWS}B"


def _right(number: int) -> str:
    return f"\x1b[{number * (COLUMNS + _GAP)}C" if number else ""


def _picture(one: Tile, way: Protocol) -> str:
    data = b64encode(one.png).decode()
    match way:
        case "iterm2":
            fit = f"width={COLUMNS};height={ROWS};preserveAspectRatio=1"
            return f"\x1b]1337;File=inline=1;size={len(one.png)};{fit}:{data}\x07"
        case "kitty":
            fit = f"c={COLUMNS}" if one.width * ROWS * 2 > one.height * COLUMNS else f"r={ROWS}"
            chunks = [data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)]
            keys = [f"a=T,f=100,C=1,q=2,{fit},", *[""] * (len(chunks) - 1)]
            last = len(chunks) - 1
            return "".join(
                f"\x1b_G{key}m={int(n < last)};{chunk}\x1b\\"
                for n, (key, chunk) in enumerate(zip(keys, chunks, strict=True))
            )
        case _:
            assert_never(way)
