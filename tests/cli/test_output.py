"""Files that the user names for a command to write: what they may replace, and where they cannot be."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest
from cli import errands

from flux_pipeline.cli.plan import PLAN as PLANS
from flux_pipeline.errors import DiskError

PLAN = ("plan", "manifests/m.yaml", "-o")
GALLERY = ("gallery", "manifests/m.yaml", "-o")
COMPARE = ("compare", "manifests/m.lock", "manifests/m.lock", "-o")
JUNIT = ("run", "manifests/m.yaml", "--no-progress", "--junit")
SCHEMA = ("schema", "pull", "black-forest-labs/flux-2-pro-t2i", "--force", "-o")
WRITERS = [PLAN, GALLERY, COMPARE, JUNIT, SCHEMA]


@pytest.fixture
def workshop(open_workshop):
    """Open a workshop with one picture made, so that there is a lockfile to lose."""
    workshop = open_workshop()
    assert workshop.run("--no-progress", "--limit", "1").code == 0
    return workshop


@pytest.fixture
def call(workshop, monkeypatch, capfd):
    """Return what runs a command line in this process."""
    run = errands.caller(workshop, monkeypatch, capfd)
    return lambda command, *arguments: run(command, *arguments, manifest=None)


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer[0])
def test_no_output_takes_the_place_of_a_lockfile_or_a_manifest(workshop, call, writer):
    (workshop.folder / "link").symlink_to(workshop.lockfile)
    (workshop.folder / "dangling").symlink_to("other.lock")
    before, made = errands.snapshot(workshop.folder), workshop.made()
    for place in ("manifests/m.lock", "manifests/m.yaml", "new.lock", "link", "dangling"):
        done = call(*writer, place)
        assert (done.code, "name another" in done.err) == (2, True)
    assert (errands.snapshot(workshop.folder), workshop.made()) == (before, made)


def test_a_plan_is_replaced_and_nothing_else(workshop, call):
    plan = workshop.folder / "plan.json"
    assert call(*PLAN, "plan.json").code == 0
    first = plan.read_bytes()
    assert call(*PLAN, "plan.json", "--select", "hero/seed=2,*").code == 0
    assert len(json.loads(plan.read_bytes())["steps"]) == 1
    plan.write_bytes(json.dumps(json.loads(first)).encode())
    assert call(*PLAN, "plan.json").code == 0, "spaces are nobody's business"
    assert plan.read_bytes() == first
    plan.write_text('{"steps": ["water the flowers"]}')
    done = call(*PLAN, "plan.json")
    assert (done.code, "plan.json is no frozen plan, and was left as it is" in done.err) == (2, True)
    assert not [*workshop.folder.glob(".*.part")]


def test_a_disk_that_fills_up_leaves_the_earlier_file_whole(tmp_path):
    plan = tmp_path / "plan.json"
    PLANS.put(plan, [b'{"steps": [], "counts": {}}'])

    def filling():
        yield b"{"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskError, match="could not be written: No space left on device; name another file with -o"):
        PLANS.put(plan, filling())
    assert ([*tmp_path.iterdir()], plan.read_bytes()) == ([plan], b'{"steps": [], "counts": {}}')


@pytest.mark.parametrize("place", ["/dev/stdout", "/dev/fd/1"])
def test_a_plan_goes_where_the_shell_has_opened_something(workshop, place):
    done = workshop.call(*PLAN, place)
    assert (done.code, done.out.startswith('{\n  "steps": [')) == (0, True)


def test_a_plan_is_read_from_what_the_shell_has_opened(workshop):
    frozen = workshop.call(*PLAN, "plan.json").code
    command = [
        sys.executable,
        "-m",
        "flux_pipeline",
        "run",
        "manifests/m.yaml",
        "--no-progress",
        "--plan",
        "/dev/stdin",
    ]
    done = subprocess.run(
        command, cwd=workshop.folder, env=os.environ | workshop.environ, input=(workshop.folder / "plan.json").read_bytes(),
        check=False,
    )  # fmt: skip
    assert (frozen, done.returncode, workshop.made()) == (0, 0, 3)


@pytest.mark.parametrize(
    "arguments",
    [*((*writer, "pipe") for writer in WRITERS), ("run", "manifests/m.yaml", "--plan", "pipe")],
    ids=lambda arguments: f"{arguments[0]}{arguments[-2]}",
)
def test_a_pipe_is_refused_and_not_waited_for(workshop, arguments):
    os.mkfifo(workshop.folder / "pipe")
    done = workshop.call(*arguments, timeout=20)
    assert done.code == 2
    assert "file" in done.err


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer[0])
def test_what_can_be_no_name_of_a_file_is_a_usage_error_before_anything_is_sent(workshop, call, writer):
    for name, said in (("x" * 300, "File name too long"), ("", "no name of a file"), ("-", "-: ")):
        done = call(*writer, name)
        assert (done.code, said in done.err) == (2, True)
    assert workshop.made() == 1


def test_junit_without_a_name_is_a_usage_error_in_both_spellings(workshop, call):
    done = call(*JUNIT[:-1], "--junit=")
    assert (done.code, "--junit" in done.err, workshop.made()) == (2, True, 1)


@pytest.mark.parametrize(
    "writer", [PLAN, (*GALLERY[:2], "--embed", "-o"), COMPARE, JUNIT], ids=lambda writer: writer[0]
)
def test_a_name_may_be_as_long_as_the_disk_allows(workshop, call, writer):
    name = "x" * 255
    assert call(*writer, name).code == 0
    assert (workshop.folder / name).stat().st_size > 0


def test_a_lockfile_needs_a_name_that_leaves_room_for_what_stands_beside_it(workshop, call):
    for name in ("", ".", "x" * 250, f"{'x' * 300}/m.lock"):
        for command in ("run", "status"):
            done = call(command, "manifests/m.yaml", "--lockfile", name)
            assert (done.code, "manifests/catalog.lock" in done.err) == (2, True)
        assert call("merge", "manifests/m.lock", "-o", name).code == 2
    assert call("merge", ".").code == 2
    assert workshop.made() == 1
