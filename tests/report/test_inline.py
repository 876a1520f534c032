"""Pictures in a terminal: wrapped by its protocol, side by side, at most a screenful, and only where it can."""

from __future__ import annotations

import base64
import re

import pytest

from flux_pipeline.report.inline import COLUMNS, ROWS, Tile, protocol, room, screen

PNG = b"\x89PNG" + bytes(range(256)) * 40


@pytest.mark.parametrize(
    ("environ", "way"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"KITTY_WINDOW_ID": "1", "TERM": "xterm-256color"}, "kitty"),
        ({"TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux"}, None),
        ({}, None),
    ],
)
def test_a_terminal_is_taken_at_its_word(environ, way):
    assert protocol(environ) == way


@pytest.mark.parametrize(("columns", "lines", "tiles"), [(80, 24, (3, 2)), (20, 5, (1, 1)), (200, 60, (8, 5))])
def test_a_screenful_is_what_the_screen_holds(columns, lines, tiles):
    assert room(columns, lines) == tiles
    assert tiles[1] * (ROWS + 1) <= max(lines, ROWS + 1)


def test_kitty_gets_the_file_in_chunks_that_join_to_it():
    (text,) = screen([Tile("a", PNG, 64, 64)], 1, "kitty")
    found = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert base64.b64decode("".join(data for _, data in found)) == PNG
    assert [keys.rpartition("m=")[2] for keys, _ in found] == ["1"] * (len(found) - 1) + ["0"]
    assert "f=100" in found[0][0]
    assert max(len(data) for _, data in found) <= 4096


@pytest.mark.parametrize(
    ("width", "height", "side"), [(64, 64, f"r={ROWS}"), (64, 32, f"c={COLUMNS}"), (32, 64, f"r={ROWS}")]
)
def test_a_picture_fills_the_side_of_its_tile_that_it_reaches_first(width, height, side):
    assert f",{side}," in "".join(screen([Tile("a", PNG, width, height)], 1, "kitty"))


def test_iterm2_gets_the_file_as_one():
    (text,) = screen([Tile("a", PNG, 64, 64)], 1, "iterm2")
    (data,) = re.findall(r"\x1b\]1337;File=inline=1;[^:]*:([^\x07]*)\x07", text)
    assert base64.b64decode(data) == PNG


def test_titles_cannot_speak_to_the_terminal():
    (text,) = screen([Tile("\x1b]0;x\x07a", b"", 1, 1)], 1, "iterm2")
    assert text.startswith(" ]0;x a")


def test_tiles_stand_side_by_side_and_then_below_each_other():
    rows = [*screen([Tile(str(n), PNG, 64, 64) for n in range(5)], 2, "iterm2")]
    assert [row.split("\n", 1)[0].split() for row in rows] == [["0", "1"], ["2", "3"], ["4"]]
