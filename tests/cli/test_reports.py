"""What a run leaves to look at: tables, JUnit, a page in a GitHub job, JSON Lines; and what was spent on what."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import signal
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import click
import pytest
from cli import errands
from cli.conftest import KEY
from cli.errands import QUEUED, rewrite
from cli.screens import on_a_terminal
from cli.workshop import entry

from flux_pipeline.cli import cli, terminal

FAILING = [{"on": "run", "what": "moderated", "match": {"seed": "2"}}]
STATUS = ("status", "manifests/m.yaml")


@pytest.fixture
def begin(open_workshop, monkeypatch, capfd):
    """Open a workshop; return it and its calls, which are made in this process."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "GITHUB_STEP_SUMMARY", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)

    def opening(**settings):
        workshop = open_workshop(**settings)
        return workshop, errands.caller(workshop, monkeypatch, capfd)

    return opening


def rows(text, head="entry"):
    """Return the table that begins with a head, as dicts by the first column."""
    lines = iter(text.splitlines())
    names = next(line for line in lines if line.startswith(head)).split()
    found = {line.split()[0]: dict(zip(names, line.split(), strict=False)) for line in lines if "  $" in line}
    assert found
    return found


def cases(file):
    return {one.get("name"): [child.tag for child in one] for one in ET.parse(file).getroot().iter("testcase")}


def records(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_ends_with_a_table_its_failures_and_where_to_look(begin):
    workshop, call = begin(faults=FAILING)
    workshop.write(entry(), entry("tile", seeds=(5,)))
    said = call("run", "--no-progress").err
    assert rows(said)["hero"] | {"doubtful": "0"} == {
        "entry": "hero", "cells": "3", "saved": "2", "failed": "1", "running": "0", "doubtful": "0", "pending": "0",
        "cost": "$0.06",
    }  # fmt: skip
    assert rows(said)["total"]["cells"] == "4"
    assert "failed: hero/seed=2,size=64x64: " in said
    assert said.splitlines()[-1] == (
        "3 pictures in outputs, $0.09; `flux-pipeline gallery manifests/m.yaml` shows them"
    )
    assert rows(call("status").out)["hero"]["failed"] == "1"
    assert rows(call("status", "--select", "tile/*").out).keys() == {"tile", "(not", "total"}


@pytest.mark.parametrize(
    ("settings", "flags", "code", "tags"),
    [
        ({}, (), 0, []),
        ({"faults": FAILING}, (), 1, ["failure"]),
        ({}, ("--max-cost", "0.03"), 3, ["error", "skipped"]),
        (QUEUED, ("--timeout", "1s"), 6, ["error", "skipped"]),
    ],
)
def test_junit_is_written_however_the_run_ends(begin, settings, flags, code, tags):
    workshop, call = begin(**settings)
    done = call("run", "--no-progress", "--junit", "junit.xml", *flags)
    found = cases(workshop.folder / "junit.xml")
    assert {name for name in found if name.startswith("hero/")} == {f"hero/seed={n},size=64x64" for n in (1, 2, 3)}
    assert done.code == code
    assert sorted({tag for each in found.values() for tag in each} - {"properties"}) == tags
    assert {path.name for path in workshop.folder.iterdir()} >= {"junit.xml"}
    assert not [*workshop.folder.glob(".junit*")]


@pytest.mark.parametrize(
    "place", ["manifests/m.yaml", "manifests/m.lock", "new.lock", "outputs/hero/1.png", "link", "pipe"]
)
def test_the_junit_file_takes_the_place_of_nothing_else(begin, place):
    workshop, call = begin()
    workshop.write(entry())
    assert call("run", "--no-progress", "--limit", "1").code == 0
    (workshop.folder / "link").symlink_to(workshop.manifest)
    os.mkfifo(workshop.folder / "pipe")
    before, made = errands.snapshot(workshop.folder), workshop.made()
    done = call("run", "--no-progress", "--junit", place)
    assert (done.code, "name another file" in done.err) == (2, True)
    assert (errands.snapshot(workshop.folder), workshop.made()) == (before, made)


@pytest.mark.parametrize(
    "flags", [("--concurrency", "none"), ("--submit-only", "--collect-only"), ("--max-cells", "1"), ("--bogus",)]
)
def test_an_earlier_junit_file_never_passes_for_a_run_that_did_not_begin(begin, flags):
    workshop, call = begin()
    assert call("run", "--no-progress", "--junit", "junit.xml").code == 0
    assert call("run", "--no-progress", *flags, "--junit", "junit.xml").code == 2
    assert cases(workshop.folder / "junit.xml") == {"run": ["error"]}


def test_help_leaves_an_earlier_junit_file_alone(begin):
    workshop, call = begin()
    assert call("run", "--no-progress", "--junit", "junit.xml").code == 0
    before = (workshop.folder / "junit.xml").read_bytes()
    assert call("run", "--junit", "junit.xml", "--help").code == 0
    assert (workshop.folder / "junit.xml").read_bytes() == before


def test_the_reports_are_whole_when_nobody_reads_the_document(begin):
    workshop, _ = begin()
    process = workshop.start("run", "manifests/m.yaml", "--json", "--junit", "junit.xml")
    process.stdout.close()
    process.wait(timeout=60)
    process.stderr.close()
    assert process.returncode == 141
    assert "run" not in cases(workshop.folder / "junit.xml")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_the_run_has_begun_is_told_in_every_report(begin, number, code):
    workshop, _ = begin()
    junit, page = workshop.folder / "junit.xml", workshop.folder / "page.md"
    process = workshop.start(
        "run", "manifests/m.yaml", "--junit", "junit.xml", "--log-format", "json", GITHUB_STEP_SUMMARY=str(page)
    )
    workshop.wait_for(junit.exists)
    workshop.wait_for(lambda: "orjson" in Path(f"/proc/{process.pid}/maps").read_text())  # it has begun to read modules
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert records(err)[-1]["exit_code"] == code
    assert cases(junit)["run"] == ["error"]
    assert "❌" in page.read_text() or "⚠️" in page.read_text()


def test_tasks_that_were_left_running_and_what_they_may_cost_are_in_the_last_line(begin):
    workshop, call = begin(**QUEUED)
    workshop.write(entry())
    done = call("run", "--no-progress", "--submit-only")
    assert "0 of 3 pictures on disk: 3 submitted, 3 running; $0.00 this run, $0.00 in all, $0.09 reserved" in done.err
    told = records(call("run", "--submit-only", "--log-format", "json").err)[-1]
    assert (told["counts"]["running"], told["cost_usd"]["reserved"]) == (3, 0.09)
    document = call("run", "--submit-only", "--json").document
    assert (document["counts"], document["cost_usd"]) == (told["counts"], told["cost_usd"])
    assert document["counts"]["pending"] == 3


def test_a_lockfile_s_unfinished_last_line_is_said_by_status_as_by_compare(begin):
    workshop, call = begin()
    call("run", "--no-progress")
    with workshop.lockfile.open("ab") as file:
        file.write(b'{"id": "torn')
    said = "note: the last line of manifests/m.lock is unfinished and was not read; the next run or"
    assert [call("status", *flags).err.count(said) for flags in ((), ("--json",), ("--by", "day"))] == [1, 1, 1]


def test_what_was_paid_for_and_not_had_counts_the_same_after_a_run_and_in_status(begin):
    workshop, call = begin(faults=[*FAILING, {"on": "cdn", "what": "gone"}])
    done = call("run", "--no-progress", "--junit", "junit.xml")
    assert done.code == 1
    status = call("status").out
    assert rows(done.err)["hero"] == rows(status)["hero"]
    assert (rows(status)["hero"]["paid"], rows(status)["hero"]["failed"]) == ("2", "1")
    assert "2 paid for but not on disk, 1 failed; $0.06 this run" in done.err
    assert [*cases(workshop.folder / "junit.xml").values()].count(["properties", "failure"]) == 3
    assert "The next run fetches what is paid for" in status
    assert "--rerender-expired" in status
    aside = workshop.folder / "outputs" / "hero" / "1.png.rejected"  # where a run keeps what did not pass its check
    aside.write_bytes(b"no picture")
    assert "a file that did not pass the check is at outputs/hero/1.png.rejected" in call("status").out


def test_a_run_that_only_collects_does_not_say_that_it_will_submit(begin):
    _, call = begin()
    assert "3 to submit; about $0.09; nothing is submitted" in call("run", "--no-progress", "--collect-only").err


def test_no_sign_that_turns_text_around_reaches_a_terminal_or_a_report(begin, monkeypatch):
    workshop, call = begin(faults=FAILING)
    workshop.write(entry(prompt="A \u202eevil\u2066 {{ seed }}"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "page.md")
    done = call("run", "--no-progress", "--junit", "junit.xml")
    said = [done, call("status"), call("plan"), call("expand"), call("status", "--by", "entry", "--format", "csv")]
    texts = [one.said for one in said] + [(workshop.folder / name).read_text() for name in ("junit.xml", "page.md")]
    assert not set("\u202e\u2066") & set("".join(texts))
    assert "evil" in "".join(texts)


def test_what_stays_in_doubt_is_an_error_of_its_own(begin):
    workshop, call = begin()
    call("run", "--no-progress", "--limit", "1")
    other = call("expand", "--json").document["cells"][1]["key"]
    lost = {"key": other, "cell": None, "tasks": (), "settled": None, "files": {}}
    rewrite(workshop.lockfile, lambda one: replace(one, **lost))
    assert call("run", "--collect-only", "--grace", "0.5s", "--no-progress", "--junit", "junit.xml").code == 4
    assert cases(workshop.folder / "junit.xml")["hero/seed=2,size=64x64"] == ["properties", "error"]
    assert rows(call("status").out)["hero"]["doubtful"] == "1"


def test_junit_and_the_summary_tell_of_a_run_that_could_not_begin(begin, monkeypatch):
    workshop, call = begin()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    monkeypatch.delenv("WIRO_API_KEY")
    assert call("run", "--junit", "junit.xml").code == 2
    assert cases(workshop.folder / "junit.xml") == {"run": ["error"]}
    assert "could not begin" in (workshop.folder / "summary.md").read_text()


def test_junit_needs_a_folder_before_anything_is_paid(begin):
    workshop, call = begin()
    assert call("run", "--junit", "reports/junit.xml").code == 2
    assert workshop.made() == 0


def test_a_signal_leaves_the_reports_too(open_workshop):
    workshop = open_workshop(**QUEUED)
    process = workshop.start("run", "manifests/m.yaml", "--junit", "junit.xml", GITHUB_STEP_SUMMARY="summary.md")
    workshop.wait_for(lambda: workshop.made() == 3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143
    assert "error" in cases(workshop.folder / "junit.xml")["run"]
    assert "Stopped" in (workshop.folder / "summary.md").read_text()


def test_the_page_of_a_job_grows_by_what_a_run_has_to_say(begin, monkeypatch):
    workshop, call = begin(faults=FAILING)
    page = workshop.folder / "summary.md"
    page.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    call("run", "--no-progress")
    text = page.read_text()
    assert text.startswith("before\n## ❌ manifests&#47;m.yaml: 2 of 3 pictures on disk\n")
    assert "| hero | 3 | 2 | 1 |" in text
    page.write_bytes(b"x" * 899_990)
    call("run", "--no-progress")
    assert page.stat().st_size <= 900_000


@pytest.mark.parametrize("place", ["nowhere/summary.md", "/dev/null", "manifests"])
def test_a_page_that_cannot_be_written_is_a_note_and_no_failure(begin, monkeypatch, place):
    _workshop, call = begin()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", place)
    done = call("run", "--no-progress")
    assert (done.code, "note: GITHUB_STEP_SUMMARY" in done.err) == (0, True)


def test_json_lines_are_all_that_is_said_and_hold_no_secret(begin):
    workshop, call = begin(faults=FAILING)
    workshop.write(entry(), run={"rate": "500/s", "retries": 0})
    done = call("run", "--log-format", "json", "-vv")
    found = records(done.err)
    assert all({"time", "level", "event", "message"} <= one.keys() for one in found)
    (failed,) = [one for one in found if one["event"] == "failed"]
    assert (failed["cell"], failed["level"], bool(failed["task"])) == ("hero/seed=2,size=64x64", "error", True)
    assert (found[-1]["event"], found[-1]["exit_code"], found[-1]["cost_usd"]["session"]) == ("end", 1, 0.06)
    assert KEY not in done.said
    assert "\x1b" not in done.err


@pytest.mark.parametrize(
    "flags", [("--nope",), ("--rate", "x"), ("--select", "nothing"), ("--lockfile", "nowhere/x.lock")]
)
def test_mistakes_are_told_as_json_too(begin, flags):
    _, call = begin()
    (one,) = records(call("run", "--log-format=json", *flags).err)
    assert (one["level"], one["event"], one["exit_code"]) == ("error", "error", 2)


def test_a_key_is_masked_wherever_it_turns_up(begin):
    workshop, call = begin()
    workshop.write(entry(KEY), run={"rate": "500/s", "max_cost": 0.03})
    done = call("run", "--log-format", "json", "--junit", "junit.xml")
    assert KEY not in done.said + (workshop.folder / "junit.xml").read_text()


def test_costs_are_told_by_entry_day_and_model(begin):
    workshop, call = begin()
    workshop.write(entry(), entry("tile", seeds=(5,)))
    call("run", "--no-progress")
    workshop.write(entry("tile", seeds=(5,)))
    found = call("status", "--by", "entry", "--json").document
    assert [(one["entry"], one["in_manifest"], one["spent_usd"]) for one in found["costs"]] == [
        ("tile", True, "0.03"),
        ("hero", False, "0.09"),
    ]
    assert "hero (not in the manifest)" in call("status", "--by", "entry").out
    (day,) = {one["day"] for one in call("status", "--by", "day", "--format", "json").document["costs"]}
    assert len(day) == len("2026-11-23")
    sheet = [*csv.DictReader(io.StringIO(call("status", "--by", "model", "--format", "csv").out))]
    assert sum(Decimal(row["spent_usd"]) for row in sheet) == Decimal("0.12")
    assert {row["model"] for row in sheet} == {"black-forest-labs/flux-2-pro-t2i"}
    entries = [*csv.DictReader(io.StringIO(call("status", "--format", "csv").out))]
    assert [(one["entry"], one["saved"], one["spent_usd"], one["unknown_prices"]) for one in entries] == [
        ("tile", "1", "0.03", "0"),
        ("(not in the manifest)", "0", "0.09", "0"),
    ]


def test_what_is_asked_for_now_was_spent_on_the_entry_that_asks_for_it_now(begin):
    workshop, call = begin()
    call("run", "--no-progress")
    workshop.write(entry("cup", seeds=(1, 2)))
    assert csv_lines(call("status", "--by", "entry", "--format", "csv")) == {
        ("cup", "true", "0.06"), ("hero", "false", "0.03"),
    }  # fmt: skip
    assert {"cup", "(not"} <= rows(call("status").out).keys()


def csv_lines(done):
    found = csv.DictReader(io.StringIO(done.out))
    return {(row["entry"], row["in_manifest"], row["spent_usd"]) for row in found}


def test_without_a_lockfile_nothing_was_spent(begin):
    _, call = begin()
    assert "nothing was spent" in call("status", "--by", "day").out
    assert rows(call("status").out)["hero"]["pending"] == "3"


@pytest.mark.parametrize(
    ("choice", "environ", "wanted"),
    [
        ("auto", {}, None),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": ""}, None),
        ("auto", {"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        ("auto", {"CLICOLOR_FORCE": "1"}, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, None),
        ("auto", {"TERM": "dumb"}, False),
        ("auto", {"CLICOLOR": "0"}, False),
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_is_where_it_is_wanted(choice, environ, wanted):
    assert terminal.color(choice, environ) is wanted


@pytest.mark.parametrize("name", [name for name in cli.list_commands(None) if name != "schema"])
def test_every_command_takes_color_and_json(name):
    """Leave out `schema`: it is a group, whose two commands do."""
    command = cli.get_command(None, name)
    assert {"--color", "--json", "--lockfile"} <= {flag for one in command.params for flag in one.opts}


def test_colour_is_asked_for_by_flag_and_by_environment(begin, monkeypatch):
    _, call = begin(faults=FAILING)
    call("run", "--no-progress")
    assert "\x1b[" not in call("status").out
    assert "\x1b[" in call("status", "--color", "always").out
    monkeypatch.setenv("FLUX_PIPELINE_COLOR", "always")
    assert "\x1b[" in call("status").out
    assert "\x1b[" not in call("status", "--color", "never").out
    assert "\x1b[" not in call("status", "--json").out


def test_a_terminal_gets_tables_of_its_width(begin):
    workshop, call = begin(faults=FAILING)
    workshop.write(entry("an-entry-with-a-name-that-is-far-too-long-for-a-terminal"))
    call("run", "--no-progress")
    code, drawn, _ = on_a_terminal(workshop, *STATUS, TERM="xterm")
    assert (code, max(len(click.unstyle(line)) for line in drawn.splitlines()) <= 60) == (0, True)
    assert "…" in drawn
    assert "\x1b[" in drawn
    assert "\x1b" not in on_a_terminal(workshop, *STATUS, TERM="xterm", NO_COLOR="1")[1]


@pytest.mark.parametrize("columns", [40, 60])
def test_the_end_of_a_run_is_broken_between_words(begin, columns):
    workshop, _ = begin(faults=FAILING)
    workshop.write(entry())
    run = (sys.executable, "-m", "flux_pipeline", "run", "manifests/m.yaml", "--no-progress")
    _, drawn, _ = on_a_terminal(workshop, *STATUS, command=("sh", "-c", f"{shlex.join(run)} 2>&1"), size=(24, columns))
    lines = [click.unstyle(line) for line in drawn.splitlines()]
    assert max(map(len, lines)) <= columns
    said = " ".join(line.strip() for line in lines)
    assert "2 of 3 pictures on disk: 3 submitted, 2 downloaded, 1 failed; $0.06 this run, $0.06 in all" in said
    assert re.search(r"failed: hero/seed=2,size=64x64: task \d+ failed: \S+", said)
