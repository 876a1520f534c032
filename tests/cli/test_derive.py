"""`derive`: further sizes and formats, made of the pictures that are there, and never paid for."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import signal
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from cli import errands
from cli.workshop import FAST, Workshop, entry
from PIL import Image

from flux_pipeline.errors import DiskError
from flux_pipeline.files.checker import UNMADE, Checker

WEBP, HALF = {"format": "webp", "quality": 82}, {"format": "jpeg", "width": 32, "suffix": "@half"}
NOBODY = "http://127.0.0.1:9/v1"


@pytest.fixture
def made(workshop):
    """A workshop in which the pictures were made and derived."""
    workshop.write(entry(derive=[WEBP, HALF]))
    assert workshop.run().code == 0
    return workshop


def opened(data):
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.format, image.size


def facts(workshop):
    return {path: fact for line in workshop.lines() for path, fact in line.get("x-derived", {}).items()}


def derived(workshop):
    return {path: data for path, data in workshop.pictures().items() if path.endswith((".webp", ".jpg"))}


def test_a_run_derives_every_file_beside_its_picture_and_pays_for_the_pictures_only(workshop):
    workshop.write(entry(derive=[WEBP, HALF]))
    done = workshop.run("--json")
    assert (done.code, workshop.made()) == (0, 3)
    assert done.document["session"]["derived"] == 6
    assert "6 files are derived locally: 6 renders, $0.18 saved" in done.err
    assert "6 derived" in done.err
    files = workshop.pictures()
    assert set(files) == {f"hero/{seed}{end}" for seed in (1, 2, 3) for end in (".png", ".webp", "@half.jpg")}
    assert opened(files["hero/1.webp"]) == ("WEBP", (64, 64))
    assert opened(files["hero/1@half.jpg"]) == ("JPEG", (32, 32))


def test_what_was_derived_is_recorded_with_the_submission_that_made_its_picture(made):
    files = made.pictures()
    for line in made.lines():
        ((path, _),) = line["files"].items()
        assert set(line["x-derived"]) == {path.replace(".png", ".webp"), path.replace(".png", "@half.jpg")}
        for name, fact in line["x-derived"].items():
            data = files[name.removeprefix("outputs/")]
            assert fact["from"] == line["files"][path]["sha256"]
            assert (fact["sha256"], fact["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
            assert (fact["width"], fact["height"]) == opened(data)[1]


def test_a_second_run_derives_nothing_and_changes_no_byte(made):
    before = errands.snapshot(made.folder / "outputs"), made.lockfile.read_bytes()
    document = made.run_json()
    assert (document["exit_code"], document["session"]["derived"]) == (0, 0)
    assert (errands.snapshot(made.folder / "outputs"), made.lockfile.read_bytes()) == before


def test_a_recipe_added_to_a_finished_manifest_is_carried_out_without_paying(workshop):
    assert workshop.run().code == 0
    workshop.write(entry(derive=[WEBP]))
    document = workshop.run_json()
    assert document["session"] | {"kept": 3} == {
        "submitted": 0, "resumed": 0, "adopted": 0, "kept": 3, "downloaded": 0, "derived": 3,
    }  # fmt: skip
    assert (workshop.made(), len(derived(workshop))) == (3, 3)


def test_deriving_needs_no_service_that_answers(workshop):
    assert workshop.run().code == 0
    header, *rest = workshop.lockfile.read_text().splitlines(keepends=True)
    workshop.lockfile.write_text(header.replace(workshop.environ["WIRO_API_BASE_URL"], NOBODY) + "".join(rest))
    workshop.environ["WIRO_API_BASE_URL"] = NOBODY
    workshop.write(entry(derive=[HALF]))
    done = workshop.run()
    assert done.code == 0, done.err
    assert len(derived(workshop)) == 3


def test_a_changed_recipe_derives_its_files_again_and_leaves_none_of_the_old_ones_beside(made):
    old = derived(made)
    made.write(entry(derive=[WEBP | {"quality": 10}, HALF]))
    document = made.run_json()
    assert document["session"]["derived"] == 3
    new = derived(made)
    assert new.keys() == old.keys()
    assert all((new[path] == old[path]) is path.endswith(".jpg") for path in new)
    assert {fact.get("take", 1) for path, fact in facts(made).items() if path.endswith(".webp")} == {2}
    made.write(entry(derive=[WEBP, HALF]))
    assert made.run_json()["session"]["derived"] == 3
    assert derived(made) == old
    assert made.made() == 3


def test_a_deleted_file_is_derived_again_to_the_byte(made):
    old = derived(made)
    before = made.lockfile.read_bytes()
    (made.folder / "outputs/hero/2.webp").unlink()
    assert made.run_json()["session"]["derived"] == 1
    assert derived(made) == old
    assert made.lockfile.read_bytes() == before


def test_a_file_that_somebody_changed_is_kept_beside_the_one_that_is_wanted(made):
    old = derived(made)
    (made.folder / "outputs/hero/2.webp").write_bytes(b"retouched for a whole evening")
    done = made.run("--json")
    assert (done.code, done.document["session"]["derived"]) == (0, 1)
    assert derived(made) == old | {"hero/2.kept-1.webp": b"retouched for a whole evening"}
    assert "kept beside as outputs/hero/2.kept-1.webp" in done.err


def test_a_file_that_was_there_before_the_first_run_is_kept(workshop):
    mine = workshop.folder / "outputs/hero/1.webp"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    workshop.write(entry(derive=[WEBP]))
    assert workshop.run().code == 0
    assert mine.with_name("1.kept-1.webp").read_bytes() == b"mine"
    assert opened(mine.read_bytes()) == ("WEBP", (64, 64))


def test_a_renamed_entry_derives_its_files_of_the_copied_pictures(made):
    old = derived(made)
    made.write(entry("renamed", derive=[WEBP, HALF]))
    document = made.run_json()
    assert (document["session"]["submitted"], document["session"]["derived"]) == (0, 6)
    assert all(derived(made)[path.replace("hero", "renamed")] == data for path, data in old.items())


def test_a_new_prompt_derives_its_files_of_the_new_pictures(made):
    old = derived(made)
    made.write(entry(prompt="A teal bottle", derive=[WEBP, HALF]))
    document = made.run_json()
    assert (document["session"]["submitted"], document["session"]["derived"]) == (3, 6)
    new = derived(made)
    assert new.keys() == old.keys()
    assert all(new[path] != old[path] for path in new)


def test_a_picture_and_its_files_come_back_together(made):
    old = made.pictures()
    for name in ("2.png", "2.webp", "3.png"):
        (made.folder / "outputs/hero" / name).unlink()
    document = made.run_json()
    assert (document["session"]["downloaded"], document["session"]["derived"]) == (2, 1)
    assert made.pictures() == old
    assert made.made() == 3


def test_the_plan_says_what_is_derived_and_what_that_saves(workshop):
    workshop.write(entry(derive=[WEBP, HALF]))
    plan = workshop.call("plan", "manifests/m.yaml")
    assert plan.out.splitlines()[-1] == "6 files are derived locally: 6 renders, $0.18 saved"
    assert workshop.call("plan", "manifests/m.yaml", "--json").document["derived"] == {
        "files": 6, "to_make": 6, "saved_usd": 0.18,
    }  # fmt: skip
    workshop.run("--limit", "1")
    plan = workshop.call("plan", "manifests/m.yaml")
    assert plan.out.splitlines()[-1] == "6 files are derived locally, 4 of them to make: 6 renders, $0.18 saved"
    workshop.run()
    plan = workshop.call("plan", "manifests/m.yaml")
    assert plan.out.splitlines()[-1] == "6 files are derived locally, none of them to make: 6 renders, $0.18 saved"


def test_expand_names_the_derived_files(workshop):
    workshop.write(entry(seeds=[1], derive=[WEBP, HALF]))
    (cell,) = workshop.call("expand", "manifests/m.yaml", "--json").document["cells"]
    assert cell["derived"] == ["outputs/hero/1.webp", "outputs/hero/1@half.jpg"]
    assert "  derive  outputs/hero/1@half.jpg" in workshop.call("expand", "manifests/m.yaml").out.splitlines()


def test_verify_finds_derived_files_that_are_missing_changed_or_of_an_old_recipe(made):
    assert made.call("verify", "manifests/m.yaml", "--json").document["counts"]["ok"] == 9
    (made.folder / "outputs/hero/1.webp").unlink()
    (made.folder / "outputs/hero/2.webp").write_bytes(b"changed")
    made.write(entry(derive=[WEBP, HALF | {"width": 16}, {"format": "avif"}]))
    done = made.call("verify", "manifests/m.yaml", "--json")
    assert (done.code, done.document["counts"]) == (1, {"ok": 4, "missing": 4, "changed": 1, "wrong": 3})
    assert all("`flux-pipeline run`" in one["reason"] for one in done.document["files"] if one["state"] != "ok")


def test_prune_removes_derived_files_that_the_manifest_no_longer_names(made):
    mine = made.folder / "outputs/hero/2.webp"
    mine.write_bytes(b"my own work")
    made.write(entry(derive=[HALF]))
    dry = made.call("prune", "manifests/m.yaml", "--dry-run", "--json").document
    assert dry["files"] == ["outputs/hero/1.webp", "outputs/hero/3.webp"]
    assert [kept["what"] for kept in dry["kept"]] == ["outputs/hero/2.webp"]
    assert made.call("prune", "manifests/m.yaml").code == 0
    assert sorted(derived(made)) == ["hero/1@half.jpg", "hero/2.webp", "hero/2@half.jpg", "hero/3@half.jpg"]
    assert sorted(facts(made)) == [f"outputs/hero/{seed}@half.jpg" for seed in (1, 2, 3)]
    assert mine.read_bytes() == b"my own work"
    assert made.run_json()["session"]["derived"] == 0


def test_prune_removes_what_was_derived_of_a_picture_that_nobody_wants(made):
    made.write(entry(seeds=[1], derive=[WEBP, HALF]))
    assert made.call("prune", "manifests/m.yaml", "--json").document["counts"] == {"records": 2, "files": 6, "kept": 0}
    assert sorted(made.pictures()) == ["hero/1.png", "hero/1.webp", "hero/1@half.jpg"]
    assert made.call("verify", "manifests/m.yaml").code == 0


def test_a_record_whose_derived_file_is_where_another_one_is_wanted_stays_until_run_has_replaced_it(made):
    made.write(entry(prompt="A teal bottle", derive=[WEBP, HALF]))
    for seed in (1, 2, 3):
        (made.folder / f"outputs/hero/{seed}.png").unlink()
    assert made.call("prune", "manifests/m.yaml", "--json").document["counts"] == {"records": 0, "files": 0, "kept": 3}
    assert made.run().code == 0
    assert made.call("prune", "manifests/m.yaml", "--json").document["counts"] == {"records": 3, "files": 0, "kept": 0}
    assert len(made.pictures()) == 9


def test_a_picture_that_cannot_be_derived_is_a_failure_with_exit_1_and_the_others_are_derived(made):
    made.write(entry(derive=[WEBP]))
    (made.folder / "outputs/hero/2.webp").unlink()
    errands.rewrite(made.lockfile, lambda one: _impossible(one) if "seed=2" in one.cell else one)
    (made.folder / "outputs/hero/1.webp").unlink()
    done = made.run("--json")
    assert done.code == 1
    (failure,) = done.document["failures"]
    (paid,) = (line["task"] for line in made.lines() if line.get("task") and "seed=2" in line["cell"])
    assert (failure["cell"], failure["task"]) == ("hero/seed=2,size=64x64", paid)
    assert "outputs/hero/2.webp cannot be derived: outputs/hero/2.png" in failure["reason"]
    assert done.document["counts"]["saved"] == 3
    assert opened(made.pictures()["hero/1.webp"]) == ("WEBP", (64, 64))
    assert "failed: hero/seed=2,size=64x64" in done.err


def _impossible(one):
    return replace(one, files={path: replace(fact, width=16_384, height=16_384) for path, fact in one.files.items()})


def test_a_folder_in_the_way_is_found_out_before_anything_is_paid(workshop):
    workshop.write(entry(derive=[WEBP]))
    (workshop.folder / "outputs/hero/2.webp").mkdir(parents=True)
    done = workshop.run()
    assert (done.code, workshop.made()) == (6, 0)
    assert "outputs/hero/2.webp" in done.err


def test_only_the_files_of_selected_cells_are_derived(workshop):
    workshop.write(entry(derive=[WEBP]))
    assert workshop.run("--select", "*seed=2*").code == 0
    assert list(derived(workshop)) == ["hero/2.webp"]


def test_what_is_there_is_derived_even_if_the_budget_ends_the_run(workshop):
    workshop.write(entry(derive=[WEBP]))
    done = workshop.run("--max-cost", "0.03", "--json")
    assert (done.code, done.document["session"]["derived"]) == (3, 1)


def test_a_rehearsal_derives_into_its_own_folder(workshop):
    workshop.write(entry(derive=[WEBP]))
    done = workshop.call("run", "manifests/m.yaml", "--simulate", "--limit", "1", WIRO_API_KEY="")
    assert done.code == 0, done.err
    assert sorted(workshop.pictures()) == ["simulated/hero/1.png", "simulated/hero/1.webp"]


def test_cells_that_share_a_picture_each_have_their_own_files(workshop):
    workshop.write(entry("a", seeds=[1], derive=[WEBP]), entry("b", seeds=[1], derive=[WEBP, HALF]))
    document = workshop.run_json()
    assert (document["counts"]["renders"], document["session"]["derived"]) == (1, 3)
    assert workshop.pictures()["a/1.webp"] == workshop.pictures()["b/1.webp"]
    assert "3 files are derived locally, none of them to make: 2 renders" in workshop.run().err


def killed_while_deriving(workshop, number=signal.SIGKILL):
    """Start a run that derives many files slowly, and end it in the middle of that; return how it ended."""
    workshop.write(entry(seeds=range(1, 13), derive=SLOW), run=FAST)
    process = workshop.start("run", "manifests/m.yaml")
    workshop.wait_for(lambda: any(path.endswith(".avif") for path in workshop.pictures()), 30)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    return process.returncode, err


SLOW = [{"format": "avif", "width": 900, "suffix": f"-{index}", "quality": 90 + index} for index in range(4)]


def test_a_kill_between_a_picture_and_its_files_costs_nothing(workshop):
    code, _ = killed_while_deriving(workshop)
    assert code == -signal.SIGKILL
    assert len([path for path in workshop.pictures() if path.endswith(".avif")]) < 48
    done = workshop.run("--json")
    assert (done.code, done.document["session"]["submitted"]) == (0, 0)
    assert workshop.charged() == Decimal("0.36")
    pictures = workshop.pictures()
    assert len([path for path in pictures if path.endswith(".avif")]) == 48
    assert not [path for path in pictures if ".part" in path or ".kept" in path]
    assert workshop.call("verify", "manifests/m.yaml").code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_deriving_ends_the_run_in_order(workshop, number, code):
    began = time.monotonic()
    ended, err = killed_while_deriving(workshop, number)
    assert ended == code
    assert time.monotonic() - began < 30
    assert "Traceback" not in err
    assert "Run the same command again" in err
    recorded, there = facts(workshop), [path for path in workshop.pictures() if path.endswith(".avif")]
    assert 0 < len(there) < 48
    assert set(recorded) == {f"outputs/{path}" for path in there}
    assert not [path for path in workshop.pictures() if ".part" in path]


def test_two_manifests_may_derive_the_same_file_but_not_two_different_ones(made):
    other = Workshop(made.folder, made.wiro, made.environ)
    other.manifest = Path(made.manifest).with_name("n.yaml")
    other.write(entry(derive=[WEBP, HALF]))
    both = ("manifests/m.yaml", "manifests/n.yaml")
    done = made.call("run", *both, "--json")
    assert (done.code, done.document["session"]["derived"]) == (0, 0)
    other.write(entry(derive=[WEBP | {"quality": 1}]))
    refused = made.call("run", *both)
    assert refused.code == 2
    assert "outputs/hero/1.webp is the path of" in refused.err
    assert "suffix" in refused.err


@pytest.fixture
def finished(workshop, monkeypatch, capfd):
    """Make the pictures, then ask for files of them; return the workshop and how to call the program in this process."""
    call = errands.caller(workshop, monkeypatch, capfd)
    assert call("run", "--no-progress").code == 0
    workshop.write(entry(derive=[WEBP]))
    return workshop, call


def test_a_disk_that_refuses_a_derived_file_ends_the_run_with_exit_6_and_the_next_one_goes_on(finished, monkeypatch):
    workshop, call = finished

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("flux_pipeline.files.place.take", full)
        done = call("run", "--no-progress", "--json")
    assert (done.code, done.document["session"]["derived"], done.document["failures"]) == (6, 0, [])
    assert "the disk is full" in done.err
    assert derived(workshop) == {}
    assert call("run", "--no-progress").code == 0
    assert (len(derived(workshop)), workshop.made()) == (3, 3)


def test_a_lockfile_that_takes_no_more_ends_the_run_with_exit_6_and_the_next_one_goes_on(finished, monkeypatch):
    workshop, call = finished

    def full(*_, **__):
        raise DiskError("the lockfile is full")

    with monkeypatch.context() as patch:
        patch.setattr("flux_pipeline.ledger.shelf.Shelf.append", full)
        done = call("run", "--no-progress", "--json")
    assert (done.code, done.document["session"]["derived"]) == (6, 0)
    assert facts(workshop) == {}
    assert call("run", "--no-progress", "--json").document["session"]["derived"] == 3
    assert not [path for path in workshop.pictures() if "kept" in path]


def test_an_encoder_that_dies_costs_one_file_and_exit_1(finished, monkeypatch):
    workshop, call = finished
    real = Checker.derive

    def dying(self, path, order):
        return UNMADE if path.stem == "2" else real(self, path, order)

    monkeypatch.setattr(Checker, "derive", dying)
    done = call("run", "--no-progress", "--json")
    assert (done.code, done.document["session"]["derived"]) == (1, 2)
    (failure,) = done.document["failures"]
    assert failure["reason"].endswith(UNMADE.reason)
    assert sorted(derived(workshop)) == ["hero/1.webp", "hero/3.webp"]


def test_a_file_that_fails_its_check_is_put_aside_and_not_recorded(finished, monkeypatch):
    workshop, call = finished
    monkeypatch.setattr(Checker, "derive", lambda self, path, order: b"no picture at all")
    done = call("run", "--no-progress", "--json")
    assert (done.code, done.document["session"]["derived"], len(done.document["failures"])) == (1, 0, 3)
    assert facts(workshop) == {}
    assert sorted(path for path in workshop.pictures() if "webp" in path) == [
        f"hero/{seed}.webp.rejected" for seed in (1, 2, 3)
    ]
