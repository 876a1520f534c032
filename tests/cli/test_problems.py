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
    assert {"file", "line", "column", "path", "message", "source", "code", "severity"} == set(problems[0])
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
