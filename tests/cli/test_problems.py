"""A manifest with ten different mistakes: all of them at once, each at its line, and nothing sent."""

from __future__ import annotations

import re

import pytest

# Every line of which something is wrong is marked with the word that its complaint must say.
WRONG = """\
version: 1
model: black-forest-labs/flux-2-pro-t2i
colour: blue                             #! colour
run:
  rate: fast                             #! rate
entries:
  - id: "two words/and a slash"          #! id
    prompt: fine
  - id: size
    prompt: fine
    matrix:
      size: [1000x1024]                  #! 1000
  - id: template
    prompt: "A {{ color bottle"          #! expected
  - id: undefined
    prompt: "A {{ colour }} bottle"      #! colour
    matrix: {color: [red]}
  - id: seed
    prompt: fine
    matrix:
      seed: [one]                        #! one
  - id: format
    prompt: fine
    matrix:
      format: [gif]                      #! gif
  - id: params
    prompt: fine
    params: {safetyTolerance: 9}         #! 9
  - id: noprompt
    promt: "A red bottle"                #! promt
"""
MARKED = {number: line.rpartition("#! ")[2] for number, line in enumerate(WRONG.splitlines(), 1) if "#!" in line}


@pytest.fixture
def wrong(workshop):
    workshop.manifest.write_text(re.sub(r" *#!.*", "", WRONG))
    return workshop


def all_shown(text, pattern):
    """Check that each marked line is complained about, with its word."""
    found = re.findall(pattern, text)
    for number, word in MARKED.items():
        words = [message for line, message in found if int(line) == number]
        assert words, f"line {number} is not complained about:\n{text}"
        assert any(word in message for message in words), (number, word, words)
    return True


def nothing_happened(workshop):
    return workshop.made() == 0 and not workshop.lockfile.exists() and not workshop.pictures()


@pytest.mark.parametrize("command", ["validate", "run", "plan", "expand", "status"])
def test_every_command_shows_all_mistakes_each_at_its_line_and_sends_nothing(wrong, command):
    assert len(MARKED) == 10
    done = wrong.call(command, "manifests/m.yaml")
    assert done.code == 2
    assert all_shown(done.said, r"manifests/m\.yaml:(\d+):\d+ (.*)")
    assert nothing_happened(wrong)


def test_the_line_is_quoted_under_its_complaint(wrong):
    said = wrong.call("validate", "manifests/m.yaml").out
    assert re.search(r"m\.yaml:12:\d+ .*1000.*\n +size: \[1000x1024\]", said)


def test_validate_tells_programs_as_json(wrong):
    done = wrong.call("validate", "manifests/m.yaml", "--json")
    assert done.code == 2
    assert done.document["valid"] is False
    problems = done.document["problems"]
    assert all_shown("\n".join(f"{one['line']}|{one['message']} {one['path']}" for one in problems), r"(\d+)\|(.*)")
    assert set(problems[0]) == {
        *("file", "line", "column", "end_column", "path", "message", "source", "code", "severity"),
    }
    assert wrong.call("validate", "manifests/m.yaml", "--format", "json").out == done.out


def test_validate_tells_pull_requests_as_annotations(wrong):
    done = wrong.call("validate", "manifests/m.yaml", "--format", "github")
    assert done.code == 2
    assert all_shown(done.out, r"::error file=manifests/m\.yaml,line=(\d+),col=\d+,title=[^:]*::(.*)")


def test_a_sound_manifest_is_said_to_be_sound(workshop):
    done = workshop.call("validate", "manifests/m.yaml")
    assert (done.code, "3 cells" in done.out) == (0, True)
    assert workshop.call("validate", "manifests/m.yaml", "--json").document == {
        "valid": True,
        "cells": 3,
        "problems": [],
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "manifests/nowhere.yaml"], "manifests/nowhere.yaml"),
        (["run", "manifests"], "is not a file"),
        (["run", "manifests/m.yaml", "--rate", "fast"], "5/s"),
        (["run", "manifests/m.yaml", "--concurrency", "0"], "--concurrency"),
        (["run", "manifests/m.yaml", "--max-cost", "-1"], "20.00"),
        (["run", "manifests/m.yaml", "--timeout", "0"], "30m"),
        (["run", "manifests/m.yaml", "--shard", "3/2"], "1/4"),
        (["run", "manifests/m.yaml", "--select", "nothing*"], "no cell"),
        (["run", "manifests/m.yaml", "--max-cells", "2"], "3"),
        (["run", "manifests/m.yaml", "--submit-only", "--collect-only"], "exclude"),
        (["run", "manifests/m.yaml", "--nonsense"], "--nonsense"),
        (["walk", "manifests/m.yaml"], "walk"),
    ],
)
def test_a_wrong_command_line_is_exit_2_with_a_hint_and_sends_nothing(workshop, arguments, said):
    done = workshop.call(*arguments)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert nothing_happened(workshop)


def odd(workshop):
    """Write a manifest that gives a warning and nothing worse."""
    workshop.manifest.write_text("version: 1\nentries: [{id: a, prompt: A cup, matrix: {shelf: [left, right]}}]\n")


@pytest.mark.parametrize("command", ["validate", "plan", "expand", "run"])
def test_strict_makes_every_warning_an_error(workshop, command):
    odd(workshop)
    strict = workshop.call(command, "manifests/m.yaml", "--strict")
    assert strict.code == 2
    assert "manifests/m.yaml:2:" in strict.said
    assert "warning" not in strict.said
    assert nothing_happened(workshop)


@pytest.mark.parametrize("command", ["validate", "plan", "expand"])
def test_a_warning_stops_nothing_by_itself(workshop, command):
    odd(workshop)
    done = workshop.call(command, "manifests/m.yaml")
    assert (done.code, "warning: manifests/m.yaml:2:" in done.said) == (0, True)


def test_several_manifests_are_judged_in_one_call(wrong):
    other = wrong.manifest.with_name("other.yaml")
    other.write_text("version: 1\nentries: [{id: a, prompt: A cup}]\n")
    names = ["manifests/m.yaml", "manifests/other.yaml", "manifests/nowhere.yaml"]
    done = wrong.call("validate", *names)
    assert done.code == 2
    assert all_shown(done.out, r"manifests/m\.yaml:(\d+):\d+ (.*)")
    assert "manifests/nowhere.yaml: No such file" in done.out
    assert re.search(r"^3 manifests: \d+ problems$", done.out, re.MULTILINE)
    document = wrong.call("validate", *names, "--json").document
    assert (document["valid"], document["cells"]) == (False, 1)
    assert {problem["file"] for problem in document["problems"]} == {names[0], names[2]}
    assert wrong.call("validate", names[1]).code == 0


def test_annotations_escape_what_their_format_would_read(workshop):
    strange = workshop.manifest.with_name("a,b%c.yaml")
    strange.write_text('version: 1\nentries: [{id: "x%0A::error ::y", prompt: p}]\n')
    (line,) = workshop.call("validate", "manifests/a,b%c.yaml", "--format", "github").out.splitlines()
    assert line.startswith("::error file=manifests/a%2Cb%25c.yaml,line=2,col=16,title=form::entries[0].id: ")
    assert "x%250A::error ::y" in line


def test_a_terminal_without_the_characters_gets_escapes_and_programs_get_utf_8(workshop):
    workshop.manifest.write_text("version: 1\nentries: [{id: 紅茶, prompt: p}]\n", "utf-8")
    done = workshop.call("validate", "manifests/m.yaml", PYTHONIOENCODING="latin-1")
    assert (done.code, "\\u7d05\\u8336" in done.out, done.err) == (2, True, "")
    told = workshop.call("validate", "manifests/m.yaml", "--json", PYTHONIOENCODING="latin-1")
    assert "紅茶" in told.document["problems"][0]["source"]
