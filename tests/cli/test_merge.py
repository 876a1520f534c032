"""`merge`: one lockfile that knows every task that any of them knows."""

from __future__ import annotations

import shutil
import subprocess
from decimal import Decimal

import pytest
from cli import errands
from cli.errands import history
from cli.workshop import Workshop, entry

from flux_pipeline.ledger.facts import FileFact, Settled, Submission
from flux_pipeline.ledger.hold import held
from flux_pipeline.ledger.lockfile import replace as put

ENDPOINT = "https://api.wiro.ai/v1"

HEADER = b'{"flux_pipeline_lock": 1, "endpoint": "https://elsewhere.example/v1"}\n'


def submitted(number, **known):
    """A picture that was made and paid for; one digit tells its id, key and task."""
    fact = FileFact(sha256="c" * 64, bytes=9, width=64, height=64)
    known = {
        "key": f"{number}" * 64,
        "cell": f"hero/seed={number}",
        "intended_at": "2026-11-23T01:00:00Z",
        "estimate": Decimal("0.03"),
        "tasks": (f"222{number}",),
        "settled": Settled(state="finished", pexit="0", cost=Decimal("0.03"), at="2026-11-23T01:00:09Z"),
        "files": {f"outputs/hero/{number}.png": fact},
    } | known
    return Submission(id=known.pop("id", f"{number}" * 32), **known)


@pytest.fixture
def branches(tmp_path, monkeypatch, capfd):
    """Write the lockfiles of two branches; return their folder, a way to merge, and both files."""
    workshop = Workshop(tmp_path)
    ours, theirs = tmp_path / "ours.lock", tmp_path / "theirs.lock"
    put(ours, ENDPOINT, [submitted(1), submitted(2)])
    put(theirs, ENDPOINT, [submitted(3)])
    call = errands.caller(workshop, monkeypatch, capfd)

    def merge(*arguments):
        return call("merge", *arguments, manifest=None)

    return tmp_path, merge, ours, theirs


def tasks(*lockfiles):
    return {task for lockfile in lockfiles for task in history(lockfile).history.claimed()}


def conflict(ours, theirs, *, base=b"", header=False):
    """Return a file as git leaves it when both sides wrote different lines."""
    mine, yours = ours.read_bytes(), theirs.read_bytes()
    head = b"" if header else mine[: mine.index(b"\n") + 1]
    middle = b"||||||| base\n" + base if base else b""
    return b"%s<<<<<<< HEAD\n%s%s=======\n%s>>>>>>> branch\n" % (
        head,
        mine.removeprefix(head),
        middle,
        yours.removeprefix(head),
    )


def test_no_task_of_any_branch_is_lost_and_order_does_not_matter(branches):
    folder, merge, ours, theirs = branches
    every = tasks(ours, theirs)
    out, other = folder / "out.lock", folder / "other.lock"
    done = merge(ours, theirs, "-o", out, "--json")
    assert done.code == 0
    assert done.document["counts"] == {"submissions": 3, "tasks": 3, "conflict_markers": 0}
    assert tasks(out) == every
    merge(theirs, ours, theirs, "-o", other)
    assert other.read_bytes() == out.read_bytes()
    assert len(out.read_bytes().splitlines()) == 4
    assert merge(out).code == 0
    assert other.read_bytes() == out.read_bytes()


@pytest.mark.parametrize("header", [False, True])
def test_a_file_with_conflict_markers_is_mended_in_place(branches, header):
    _, merge, ours, theirs = branches
    damaged = ours.with_name("damaged.lock")
    base = b"" if header else theirs.read_bytes().splitlines(keepends=True)[1]
    damaged.write_bytes(conflict(ours, theirs, base=base, header=header))
    done = merge(damaged, "-o", damaged)
    assert done.code == 0
    assert tasks(damaged) == tasks(ours, theirs)
    assert b"<<<<<<<" not in damaged.read_bytes()


def test_after_a_merge_of_two_branches_run_pays_for_nothing(workshop, monkeypatch, capfd):
    call = errands.caller(workshop, monkeypatch, capfd)
    sides = []
    for seeds in ((1, 2), (3,)):
        workshop.write(entry(seeds=seeds))
        assert call("run", "--no-progress").code == 0
        sides.append(shutil.move(workshop.lockfile, workshop.folder / f"{len(seeds)}.lock"))
    workshop.lockfile.write_bytes(conflict(*sides))
    workshop.write(entry())
    refused = call("status")
    assert (refused.code, "conflict" in refused.err, "flux-pipeline merge" in refused.err) == (5, True, True)
    assert call("merge", workshop.lockfile, manifest=None).code == 0
    assert call("run", "--no-progress").code == 0
    assert workshop.made() == 3


def test_git_s_own_union_is_brought_to_rest(branches, tmp_path):
    _, merge, ours, theirs = branches
    base = tmp_path / "base.lock"
    base.write_bytes(ours.read_bytes().splitlines(keepends=True)[0])
    merged = tmp_path / "union.lock"
    union = subprocess.run(
        ["git", "merge-file", "-p", "--union", ours, base, theirs], capture_output=True, check=False
    ).stdout
    merged.write_bytes(union)
    assert merge(merged).code == 0
    assert tasks(merged) == tasks(ours, theirs)


def test_a_render_that_both_branches_paid_for_is_reported_and_both_tasks_stay(branches):
    folder, merge, ours, theirs = branches
    put(theirs, ENDPOINT, [submitted(1, id="d" * 32, tasks=("2229",)), submitted(3)])
    done = merge(ours, theirs, "-o", folder / "both.lock", "--json")
    assert done.code == 0
    assert done.document["doubles"] == [{"key": "1" * 64, "cell": "hero/seed=1", "tasks": ["2221", "2229"]}]
    assert "hero/seed=1" in done.err
    assert {"2221", "2229"} <= tasks(folder / "both.lock")


def test_an_output_that_exists_is_merged_too(branches):
    _, merge, ours, theirs = branches
    every = tasks(ours, theirs)
    assert merge(ours, "-o", theirs).code == 0
    assert tasks(theirs) == every


def test_lockfiles_of_different_servers_stay_apart(branches):
    folder, merge, ours, _ = branches
    foreign, out = folder / "foreign.lock", folder / "out.lock"
    foreign.write_bytes(HEADER)
    done = merge(ours, foreign, "-o", out)
    assert (done.code, "different servers" in done.err) == (5, True)
    assert not out.exists()
    foreign.write_bytes(conflict(ours, foreign, header=True))
    assert merge(foreign).code == 5


def test_a_damaged_line_is_named_and_nothing_is_written(branches):
    folder, merge, ours, theirs = branches
    damaged = folder / "damaged.lock"
    damaged.write_bytes(conflict(ours, theirs).replace(b'"finished"', b'"finishes"', 1))
    before = damaged.read_bytes()
    done = merge(damaged, "-o", damaged)
    assert (done.code, "damaged.lock:3:" in done.err) == (5, True)
    assert damaged.read_bytes() == before


def test_an_unfinished_last_line_is_kept_beside(branches):
    _, merge, ours, theirs = branches
    torn = theirs.read_bytes() + b'{"id": "5d1e'
    theirs.write_bytes(torn)
    assert merge(theirs).code == 0
    assert theirs.with_name("theirs.lock.torn-1").read_bytes() == b'{"id": "5d1e'
    assert len(tasks(ours)) == 2


def test_wrong_command_lines_end_with_2_and_a_held_output_with_5(branches):
    folder, merge, ours, theirs = branches
    assert merge(ours, theirs).code == 2
    assert merge(ours, folder / "nobody.lock", "-o", ours).code == 2
    assert merge(ours, "-o", folder / "nowhere/out.lock").code == 2
    with held(ours):
        assert merge(theirs, "-o", ours).code == 5
