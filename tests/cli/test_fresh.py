"""What a review keeps of manifest and lockfile between two requests, and when it reads them again."""

from __future__ import annotations

import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cli.reviewed import decide
from cli.workshop import Workshop

from flux_pipeline.cli.fresh import Fresh
from flux_pipeline.errors import UsageError
from flux_pipeline.files.save import Files

ROOT = Path(__file__).resolve().parents[2]
MODEL = "models/black-forest-labs/flux-2-pro-t2i.schema.json"


def later():
    """Return a time by which whatever has been written is at rest."""
    return time.time_ns() + 10_000_000_000


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Return a workshop with a file of rows, and `fresh(clock)`."""
    monkeypatch.chdir(tmp_path)
    workshop = Workshop(tmp_path)
    (tmp_path / "manifests/rows.csv").write_text("what\nmug\njar\n")
    matrix = {"seed": [1], "size": ["64x64"]}
    output = "outputs/{{ entry }}/{{ key }}.{{ ext }}"
    workshop.write({"id": "hero", "foreach": "rows.csv", "prompt": "A {{ what }}", "matrix": matrix}, output=output)
    return workshop, lambda clock=later: Fresh({"manifests": (Path("manifests/m.yaml"),)}, clock)


def prompts(work):
    return [cell.params["prompt"] for cell in work.cells]


def edited(file, old, new, *, secretly=False):
    """Replace words; secretly: with the size and the time of change as they were."""
    facts = file.stat()
    file.write_text(file.read_text().replace(old, new))
    if secretly:
        os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        assert (file.stat().st_size, file.stat().st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)


def test_what_is_at_rest_is_read_once_by_however_many_threads(desk):
    _, fresh = desk
    one = fresh()
    with ThreadPoolExecutor(8) as workers:
        found = list(workers.map(lambda _: one.project(), range(32)))
    assert len({id(work) for work in found}) == 1
    assert one.with_history()[0] is found[0]


def test_what_was_written_a_moment_ago_is_not_kept(desk):
    _, fresh = desk
    one = fresh(time.time_ns)
    assert one.project() is not one.project()


@pytest.mark.parametrize("secretly", [False, True])
@pytest.mark.parametrize("name", ["m.yaml", "rows.csv"])
def test_a_change_of_the_manifest_or_of_its_rows_is_seen_at_once(desk, name, secretly):
    workshop, fresh = desk
    one = fresh()
    assert prompts(one.project()) == ["A mug", "A jar"]
    old, new = ("A {{", "B {{") if name == "m.yaml" else ("mug", "cup")
    edited(workshop.manifest.with_name(name), old, new, secretly=secretly)
    assert prompts(one.project()) == (["B mug", "B jar"] if name == "m.yaml" else ["A cup", "A jar"])


def test_another_file_under_the_same_name_is_seen_whatever_its_times_say(desk):
    workshop, fresh = desk
    one = fresh()
    one.project()
    other = workshop.manifest.with_name("other")
    shutil.copy2(workshop.manifest, other)
    edited(other, "A {{", "B {{", secretly=True)
    other.replace(workshop.manifest)
    assert prompts(one.project()) == ["B mug", "B jar"]


def test_a_schema_that_comes_changes_or_goes_is_seen(desk):
    workshop, fresh = desk
    one = fresh()

    def tolerances():
        return {cell.params["safetyTolerance"] for cell in one.project().cells}

    packed, own = ROOT / "schemas" / MODEL, workshop.folder / "schemas" / MODEL
    before = tolerances()
    schema = json.loads(packed.read_text())
    own.parent.mkdir(parents=True)
    for tolerance in (4, 5):
        schema["properties"]["safetyTolerance"]["default"] = tolerance
        own.write_text(json.dumps(schema))
        assert tolerances() == {tolerance}
    shutil.rmtree(workshop.folder / "schemas")
    assert tolerances() == before


def test_a_broken_manifest_is_said_each_time_and_a_mended_one_is_read(desk):
    workshop, fresh = desk
    one = fresh()
    one.project()
    text = workshop.manifest.read_text()
    workshop.manifest.write_text("version: 1\nentries: [")
    for _ in range(2):
        with pytest.raises(UsageError):
            one.project()
    workshop.manifest.write_text(text)
    assert prompts(one.project()) == ["A mug", "A jar"]


def test_a_decision_in_the_lockfile_is_seen_at_once_and_a_lockfile_at_rest_is_read_once(workshop, monkeypatch):
    monkeypatch.chdir(workshop.folder)
    assert workshop.run("--no-progress").code == 0
    one = Fresh({"manifests": (Path("manifests/m.yaml"),)}, later)
    _, first = one.with_history()
    assert one.with_history()[1] is first
    decide(workshop.lockfile, "hero/seed=1,size=64x64")
    work, second = one.with_history()
    assert [second.decision(cell.key) is not None for cell in work.cells] == [True, False, False]
    workshop.lockfile.unlink()
    assert one.with_history()[1].submissions == {}


@pytest.fixture
def reviewed(workshop, monkeypatch):
    """Return a workshop with an approved picture, `fresh(clock)`, and how often a picture was read by `standings`."""
    monkeypatch.chdir(workshop.folder)
    assert workshop.run("--no-progress").code == 0
    decide(workshop.lockfile, "hero/seed=1,size=64x64")
    read = []
    real = Files.survey
    monkeypatch.setattr(Files, "survey", lambda files, paths: read.append(paths) or real(files, paths))
    return workshop, Fresh({"manifests": (Path("manifests/m.yaml"),)}, later), read


def test_pictures_at_rest_are_read_once(reviewed):
    _, one, read = reviewed
    assert [standing.state for standing in one.standings()[2]] == ["approved", "none", "none"]
    assert one.standings()[2] is one.standings()[2]
    assert len(read) == 1


@pytest.mark.parametrize("how", ["changed", "secretly", "gone", "linked", "folder linked"])
def test_a_picture_that_is_another_one_is_seen_at_once(reviewed, how):
    workshop, one, read = reviewed
    one.standings()
    picture, elsewhere = workshop.folder / "outputs/hero/1.png", workshop.folder / "elsewhere"
    match how:
        case "changed":
            picture.write_bytes(b"another")
        case "secretly":
            facts, data = picture.stat(), picture.read_bytes()
            picture.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
            os.utime(picture, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        case "gone":
            picture.unlink()
        case "linked":
            picture.rename(elsewhere)
            picture.symlink_to(elsewhere)
        case _:
            picture.parent.rename(elsewhere)
            picture.parent.symlink_to(elsewhere)
    state = one.standings()[2][0].state
    assert (state, len(read)) == ("approved" if how == "gone" else "void", 2), (
        "an approval waits for a file that is gone"
    )


def test_a_decision_is_among_the_standings_at_once(reviewed):
    workshop, one, _ = reviewed
    one.standings()
    decide(workshop.lockfile, "hero/seed=2,size=64x64", "rejected")
    assert [standing.state for standing in one.standings()[2]] == ["approved", "rejected", "none"]
