"""`status --show`: pictures between the lines of a terminal, in the way that the terminal can, or one sentence."""

from __future__ import annotations

import re

import pytest
from cli import screens
from cli.screens import NO_SIXEL, SIXEL
from cli.workshop import entry

from flux_pipeline.cli.pictures import ROWS, room
from flux_pipeline.report.captions import captions

SHOW = ("status", "manifests/m.yaml", "--show")
PLACEHOLDER = "\U0010eeee"


def on_a_terminal(*arguments, size=(32, 60), **rest):
    return screens.on_a_terminal(*arguments, size=size, **rest)


@pytest.fixture
def made(open_workshop):
    """Return a workshop with three pictures, of which a screen of 60 by 32 holds all."""
    workshop = open_workshop()
    workshop.write(entry("an-entry-with-a-name"))
    assert workshop.run("--no-progress").code == 0
    return workshop


@pytest.mark.parametrize(("columns", "lines", "tiles"), [(80, 24, (3, 2)), (20, 5, (1, 1)), (200, 60, (8, 5))])
def test_a_screenful_is_what_the_screen_holds(columns, lines, tiles):
    assert room(columns, lines) == tiles
    assert tiles[1] * (ROWS + 1) <= max(lines, ROWS + 1)


def test_a_terminal_that_says_that_it_knows_sixel_gets_sixel(made):
    code, drawn, said = on_a_terminal(made, *SHOW, answers=SIXEL, TERM="xterm")
    assert (said, code) == ("", 0)
    assert len(re.findall(r"\x1bP[\d;]*q.*?\x1b\\", drawn, re.DOTALL)) == 3
    assert sorted(re.findall(r"an-entry-wi…ame/seed=\d", drawn)) == [f"an-entry-wi…ame/seed={n}" for n in (1, 2, 3)]


def test_kitty_is_known_by_its_name_however_late_it_answers(made):
    code, drawn, said = on_a_terminal(made, *SHOW, TERM="xterm-kitty")
    assert (said, code) == ("", 0)
    assert len(set(re.findall(r"\x1b_G[^;]*\bi=(\d+)[^;]*;[^\x1b]+", drawn))) >= 3
    assert PLACEHOLDER in drawn


@pytest.mark.parametrize("environ", [{"TERM": "xterm-256color"}, {"TERM": "xterm-kitty", "TMUX": "/tmp/tmux,1,0"}])
def test_any_other_terminal_gets_coloured_blocks(made, environ):
    code, drawn, said = on_a_terminal(made, *SHOW, answers=NO_SIXEL, **environ)
    assert (said, code) == ("", 0)
    assert "▀" in drawn
    assert not re.search(r"\x1bP[\d;]*q|\U0010eeee", drawn)
    rows = [re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", line).rstrip() for line in drawn.splitlines() if "▀" in line]
    assert max(len(row) for row in rows) <= 60


def test_an_answer_that_comes_too_late_is_not_typed_on_the_screen(made):
    _, drawn, _ = on_a_terminal(made, *SHOW, answers=SIXEL, after=0.3, TERM="xterm")
    assert "^[[?62" not in drawn
    assert "▀" in drawn or "\x1bP" in drawn, "how long the library waits is its own affair"


@pytest.mark.parametrize(
    ("flags", "without"),
    [
        ((), {"NO_COLOR": "1"}),
        ((), {"TERM": "dumb"}),
        (("--color", "never"), {}),
        (("--color", "always"), {"TERM": "dumb"}),
    ],
)
def test_where_colour_is_not_wanted_there_is_a_sentence_instead_of_blocks(made, flags, without):
    code, drawn, said = on_a_terminal(made, *SHOW, *flags, answers=NO_SIXEL, **{"TERM": "xterm"} | without)
    assert (code, "▀" in drawn, "in colour only; `flux-pipeline gallery` makes a page" in said) == (0, False, True)
    assert not re.search(r"\x1b(\[[c\d]*[ct]|_G)", drawn), "nothing is asked of a terminal that may show the question"


def test_pictures_leave_the_table_above_them_on_the_screen(made):
    made.write(entry("an-entry-with-a-name", seeds=range(1, 6)))
    assert made.run("--no-progress").code == 0
    _, drawn, said = on_a_terminal(made, *SHOW, answers=SIXEL, TERM="xterm", size=(24, 60))
    assert (drawn.count("\x1bP"), "the first 2 of 5 pictures" in said) == (2, True)
    table = drawn[: drawn.index("an-entry-wi…")].splitlines()
    assert len(table) + ROWS + 3 <= 24, "with a caption, a note and the prompt"


def test_captions_tell_the_pictures_of_a_screen_apart():
    mugs = [f"mug/color={color},seed={seed},size=512x512" for color in ("red", "teal") for seed in (1, 2)]
    assert captions(mugs, 22) == (
        "mug/color=red,seed=1",
        "mug/color=red,seed=2",
        "mug/color=teal,seed=1",
        "mug/color=teal,seed=2",
    )
    assert captions(["mug/seed=1", "mug/seed=2"], 22) == ("mug/seed=1", "mug/seed=2")
    assert captions(["mug/seed=1,size=1024x1024", "hat/seed=1,size=1024x1024"], 22) == ("mug", "hat")
    long = [f"{'e' * 30}/a-long-name-of-an-axis={n}-and-a-long-value" for n in (1, 2)]
    assert captions(long, 22) == ("1-and-a-long-value", "2-and-a-long-value")
    hopeless = [f"mug/name={'x' * 30}{n}{'y' * 30}" for n in range(12)]
    assert captions(hopeless, 22)[::11] == ("1 mug/name=x…yyyyyyyyy", "12 mug/name=…yyyyyyyyy")
    assert len(set(captions(["mug/seed=1"] * 2, 22))) == 2, "two manifests may have cells of one id"
    assert captions([], 22) == ()


def test_without_the_libraries_the_sentence_says_how_to_get_it(made, tmp_path):
    (tmp_path / "textual_image.py").write_text("raise ImportError\n")
    code, _, said = on_a_terminal(made, *SHOW, TERM="xterm", PYTHONPATH=str(tmp_path))
    assert (code, "pip install rich textual-image" in said) == (0, True)


def test_a_file_that_is_no_picture_any_more_is_named_and_the_others_are_shown(made):
    broken = made.folder / "outputs" / "an-entry-with-a-name" / "1.png"
    assert broken.exists()
    broken.write_bytes(b"")
    code, drawn, _ = on_a_terminal(made, *SHOW, answers=SIXEL, TERM="xterm")
    assert (code, drawn.count("\x1bP")) == (0, 2)


def test_a_terminal_that_does_not_know_its_size_gets_a_sentence(made):
    code, drawn, said = on_a_terminal(made, *SHOW, TERM="xterm", size=(0, 0))
    assert (code, "▀" in drawn, "does not say how large it is" in said) == (0, False, True)


def test_where_there_is_no_terminal_there_is_a_sentence(made):
    done = made.call(*SHOW)
    assert (done.code, "in a terminal only" in done.err) == (0, True)


def test_pictures_are_for_people_alone(made):
    assert made.call("status", "manifests/m.yaml", "--show", "--json").code == 2
