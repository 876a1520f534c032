"""The quoted line and its carets: in place, short, and safe for a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.errors import ManifestError
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.complaints import MAX_PROBLEMS
from flux_pipeline.manifest.quoting import node_end, quote, width
from flux_pipeline.manifest.schema import Schemas

SCHEMAS = Schemas()


def problems(text):
    with pytest.raises(ManifestError) as caught:
        expand(text.encode(), file="m.yaml", schemas=SCHEMAS)
    return caught.value.problems


def marked(line, start, end):
    """Return what the carets of a quoted line of ordinary characters stand under."""
    source, marks = quote(line, start, end)
    begin = len(marks) - len(marks.lstrip())
    return source[begin : len(marks)]


@pytest.mark.parametrize(
    ("line", "node", "flow", "is_whole", "meant"),
    [
        ("  size: [64x64, 1000x1000, 512x512]", "1000", True, False, "1000x1000"),
        ("  prompt: A cup, a saucer: none # the tea", "A cup", False, False, "A cup, a saucer"),
        ("  prompt: A cup, a saucer # the tea", "A cup", False, False, "A cup, a saucer"),
        ('  prompt: "A \\"cup\\", # no comment" # the tea', '"A', False, False, '"A \\"cup\\", # no comment"'),
        ("  prompt: 'it''s, so' # the tea", "'it", False, False, "'it''s, so'"),
        ("  prompt: 'never closed", "'never", False, False, "'never closed"),
        ("  my key: 5", "my", False, False, "my key"),
        ("  {a: {b: [1, ']']}, c: 2}", "{b", True, True, "{b: [1, ']']}"),
        ("  - id: hero # first", "id", False, True, "id: hero"),
        ("  a: &anchor !!str 12 # so", "&", False, False, "&anchor !!str 12"),
        ("  a: [*name, 2]", "*", True, False, "*name"),
        ("  a: |- # text follows", "|", False, False, "|-"),
        ("  a: http://x/y#z", "http", False, False, "http://x/y#z"),
        ("  a: [", "[", False, True, "["),
    ],
)
def test_carets_stand_under_the_whole_node_and_nothing_more(line, node, flow, is_whole, meant):
    start = line.index(node)
    end = node_end(line, start, flow=flow, whole=is_whole)
    assert line[start:end] == meant
    assert marked(line, start, end) == meant


@pytest.mark.parametrize(
    ("line", "source", "column"),
    [
        ("    a: x", "a: x", 3),
        ("name: [紅茶, x]", "name: [紅茶, x]", 7 + 4 + 2),
        ("name: [e\u0301, x]", "name: [e\u0301, x]", 7 + 1 + 2),
        ("name: [\u202e, x]", "name: [\\u202e, x]", 7 + 6 + 2),
        ("name: [\x1b[2J, x]", "name: [\\u001b[2J, x]", 7 + 9 + 2),
        ("name:\t[a, x]", "name:\\u0009[a, x]", 5 + 6 + 4),
        ("key: [8f3a9b2c7d1e4f6a8b0c2d4e6f8a0b1c, x]", "key: [[…], x]", 6 + 3 + 2),
    ],
)
def test_a_caret_keeps_its_place_whatever_the_characters_before_it_are(line, source, column):
    start = line.index("x")
    assert quote(line, start, start + 1) == (source, " " * column + "^")


@pytest.mark.parametrize("place", [0, 1, 30, 1000, 1990, 1999])
def test_a_long_line_is_cut_around_the_place(place):
    line = "".join(chr(ord("a") + index % 26) if index % 7 else " " for index in range(2000))
    line = line[:place] + "X" + line[place + 1 :]
    source, marks = quote(line, place, place + 1)
    assert source[len(marks) - 1] == "X"
    assert marks.count("^") == 1
    assert len(source) <= 162
    assert source.startswith("…") == (place > 200)
    assert source.endswith("…") == (place < 1900)


def test_a_name_deep_in_a_long_prompt_is_pointed_at():
    prompt = "word " * 400 + "{{ colour }}" + " word" * 400
    (problem,) = problems(f'version: 1\nentries:\n  - id: a\n    prompt: "{prompt}"\n    matrix: {{color: [red]}}\n')
    assert (problem.line, problem.column, problem.end_column) == (4, 2017, 2023)
    assert problem.source[len(problem.marks) - 6 : len(problem.marks)] == "colour"


def test_a_name_in_a_text_of_several_lines_is_pointed_at_on_its_line():
    text = "version: 1\nentries:\n  - prompt: >-\n      A cup\n\n      of {{ tee }}\n    id: a\n    vars: {tea: 1}\n"
    (problem,) = problems(text)
    assert (problem.line, problem.column, problem.source) == (6, 13, "of {{ tee }}")


CHARACTERS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n\r"), min_size=1, max_size=300)


@given(CHARACTERS, st.data())
def test_any_line_is_shown_safely_with_carets_inside_it(line, data):
    start = data.draw(st.integers(0, len(line)))
    end = node_end(line, start, flow=data.draw(st.booleans()), whole=data.draw(st.booleans()))
    source, marks = quote(line, start, end)
    assert "^" in marks
    assert marks.strip(" ").strip("^") == ""
    assert not any(unicodedata.category(character) == "Cc" for character in source)
    assert not any("\u202a" <= character <= "\u202e" for character in source)
    assert len(marks) <= width(source) + 1


def test_after_a_thousand_errors_the_rest_is_left_for_the_next_time():
    for text in (
        "version: 1\nentries: [" + "1, " * 100_000 + "]",
        "version: 1\nvars: {a: [" + ".inf, " * 100_000 + "]}",
        "version: 1\nvars: {" + ", ".join(f"a-{number}: 1" for number in range(50_000)) + "}\nentries: [{id: a}]",
        "version: 1\nentries: [{id: a, prompt: x, matrix: {seed: [" + "x y, " * 100_000 + "]}}]",
        "version: 1\nentries: [{id: a, prompt: x, matrix: {seed: [" + "[1], " * 100_000 + "]}}]",
    ):
        found = problems(text)
        assert len(found) == MAX_PROBLEMS + 1
        assert (found[-1].code, found[-1].line) == ("more", 0)
