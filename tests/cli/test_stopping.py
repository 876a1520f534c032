"""Signals, locks and lockfiles: a run that has to end, or may not begin."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from cli.errands import QUEUED
from cli.workshop import entry


def busy(workshop):
    """Start a run and wait until it is in the middle of its work."""
    workshop.write(entry(seeds=range(1, 31)), run={"rate": "20/s", "concurrency": 30})
    process = workshop.start("run", "manifests/m.yaml")
    workshop.wait_for(lambda: workshop.made() >= 3)
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_in_order_and_the_next_one_resumes(open_workshop, number, code):
    workshop = open_workshop(speed=1.0)
    process = busy(workshop)
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert time.monotonic() - began < 7
    assert "Traceback" not in out + err
    assert "Run the same command again" in err
    made = workshop.made()
    assert workshop.task_ids() == {row.task for row in workshop.wiro.ledger()}
    assert 3 <= made < 30
    done = workshop.run("--limit", made, "--json")
    assert (done.code, done.document["session"]["submitted"]) == (0, 0)


def test_a_signal_waits_at_most_seven_seconds_for_an_answer_that_never_comes(open_workshop):
    workshop = open_workshop(faults=[{"on": "run", "what": "hang"}])
    process = workshop.start("run", "manifests/m.yaml", "--limit", "1")
    workshop.wait_for(lambda: workshop.lockfile.exists() and workshop.lines())
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 143
    assert 4 < time.monotonic() - began < 7
    assert "Traceback" not in err


def test_a_second_signal_ends_the_program_at_once(open_workshop):
    workshop = open_workshop(faults=[{"on": "run", "what": "hang"}])
    process = workshop.start("run", "manifests/m.yaml", "--limit", "1")
    workshop.wait_for(lambda: workshop.lockfile.exists() and workshop.lines())
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode in {130, -signal.SIGINT}
    assert time.monotonic() - began < 3


def test_a_second_run_is_told_who_holds_the_lockfile_and_looking_is_allowed(open_workshop):
    workshop = open_workshop(**QUEUED)
    process = busy(workshop)
    try:
        second = workshop.run()
        assert second.code == 5
        assert f"process {process.pid}" in second.err
        assert workshop.call("status", "manifests/m.yaml").code == 0
        assert "follow" in {step for step, _ in workshop.plan()}
    finally:
        process.kill()
        process.communicate()


DAMAGES = {
    "a changed byte": lambda lines: [lines[0], lines[1], lines[2].replace("0.03", "0.01"), lines[3]],
    "conflict markers": lambda lines: [lines[0], lines[1], "<<<<<<< HEAD\n", *lines[2:]],
    "no JSON": lambda lines: [lines[0], lines[1], "nonsense\n", *lines[3:]],
    "half a line in the middle": lambda lines: [lines[0], lines[1], lines[2][:40] + "\n", lines[3]],
}


def test_a_damaged_lockfile_stops_everything_with_exit_5_and_the_line_and_stays_as_it_is(workshop):
    workshop.run()
    sound = workshop.lockfile.read_text()
    workshop.write(entry(seeds=range(1, 9)))
    for name, change in DAMAGES.items():
        workshop.lockfile.write_text("".join(change(sound.splitlines(keepends=True))))
        before = workshop.lockfile.read_bytes()
        done = workshop.run()
        assert (done.code, "m.lock:3:" in done.err) == (5, True), name
        assert workshop.lockfile.read_bytes() == before
    for command in ("plan", "status"):
        assert workshop.call(command, "manifests/m.yaml").code == 5
    assert workshop.made() == 3


@pytest.mark.parametrize("content", ["", "\n", '{"flux_pipeline_lock": 2, "endpoint": "https://api.wiro.ai/v1"}\n'])
def test_a_lockfile_without_a_header_or_of_a_newer_version_is_never_taken_for_a_fresh_start(workshop, content):
    workshop.lockfile.write_text(content)
    assert workshop.run().code == 5
    assert workshop.made() == 0
    assert workshop.lockfile.read_text() == content


def test_an_unfinished_last_line_is_set_aside_and_the_run_goes_on(workshop):
    workshop.run()
    with workshop.lockfile.open("a") as file:
        file.write('{"id": "5d1e", "key": "9f')
    done = workshop.run()
    assert done.code == 0
    assert "set aside" in done.err
    assert workshop.made() == 3


def test_a_lockfile_of_another_server_stops_with_exit_5(workshop):
    workshop.run()
    header, *rest = workshop.lockfile.read_text().splitlines(keepends=True)
    other = json.dumps(json.loads(header) | {"endpoint": "https://api.wiro.ai/v1"}) + "\n"
    workshop.lockfile.write_text("".join([other, *rest]))
    done = workshop.run()
    assert done.code == 5
    assert "https://api.wiro.ai/v1" in done.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_found_out_before_anything_is_paid(workshop):
    (workshop.folder / "outputs").mkdir(mode=0o500)
    assert workshop.run().code == 6
    assert workshop.made() == 0


def test_a_file_where_a_folder_has_to_be_is_found_out_before_anything_is_paid(workshop):
    (workshop.folder / "outputs").write_text("in the way")
    done = workshop.run()
    assert done.code == 6
    assert "outputs" in done.err
    assert workshop.made() == 0
