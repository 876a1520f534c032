"""`promote`: approved pictures go where they are used, and nothing else there is touched."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
from cli import errands
from cli.reviewed import decide
from cli.workshop import entry

from flux_pipeline.files.exhibit import Exhibit

ONE, TWO, THREE = (f"hero/seed={seed},size=64x64" for seed in (1, 2, 3))


@pytest.fixture
def made(workshop, monkeypatch, capfd):
    call = errands.caller(workshop, monkeypatch, capfd)
    assert call("run", "--no-progress").code == 0
    return workshop, call


def promote(call, *flags):
    return call("promote", "--to", "assets", "--json", *flags)


def names(workshop):
    return sorted(name for name in workshop.pictures("assets") if name != "promoted.json")


def states(done):
    return {one["name"]: one["state"] for one in done.document["files"]}


def test_only_what_is_approved_is_copied_under_its_path_below_outputs(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    decide(workshop.lockfile, TWO, "rejected")
    done = promote(call)
    assert (done.code, states(done)) == (0, {"hero/1.png": "promoted"})
    assert names(workshop) == ["hero/1.png"]
    assert workshop.pictures("assets")["hero/1.png"] == workshop.pictures()["hero/1.png"]
    assert states(promote(call)) == {"hero/1.png": "kept"}
    assert "assets: 1 kept" in call("promote", "--to", "assets").out


def test_where_nothing_is_approved_nothing_is_made_and_it_says_where_to_approve(made):
    workshop, call = made
    done = call("promote", "--to", "assets")
    assert (done.code, "nothing is approved" in done.out, "flux-pipeline review manifests/m.yaml" in done.out) == (
        0,
        True,
        True,
    )
    assert not (workshop.folder / "assets").exists()


def test_the_command_that_is_named_is_about_the_same_pictures(made):
    _, call = made
    done = call("promote", "--to", "assets", "--select", "hero/seed=*", "--lockfile", "odd name.lock", "--simulate")
    review = "flux-pipeline review manifests/m.yaml --select 'hero/seed=*' --lockfile 'odd name.lock' --simulate"
    assert f"nothing is approved: `{review}` is where to look and decide" in done.out


def test_a_dry_run_says_the_same_and_writes_nothing(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    dry = promote(call, "--dry-run")
    assert states(dry) == {"hero/1.png": "promoted"}
    assert not (workshop.folder / "assets").exists()
    assert {**promote(call).document, "dry_run": True} == dry.document


def lines(call, *flags):
    return call("promote", "--to", "assets", *flags).out.splitlines()


def test_a_dry_run_speaks_of_what_would_be_and_ends_with_the_same_counts(made):
    workshop, call = made
    for cell in (ONE, TWO):
        decide(workshop.lockfile, cell)
    assert lines(call, "--dry-run") == [
        "would promote hero/1.png",
        "would promote hero/2.png",
        "assets: would be: 2 promoted",
    ]
    promote(call)
    decide(workshop.lockfile, ONE, "none")
    pruned = "hero/1.png  it is no longer approved"
    assert lines(call, "--dry-run", "--prune") == [f"would prune   {pruned}", "assets: would be: 1 kept, 1 pruned"]
    assert lines(call) == [f"stale      {pruned}: --prune", "assets: 1 kept, 1 stale"]
    assert lines(call, "--prune") == [f"pruned     {pruned}", "assets: 1 kept, 1 pruned"]


def test_the_counts_are_there_when_nothing_is_approved_too(made):
    workshop, call = made
    assert lines(call)[-1] == "assets: 0 promoted"
    decide(workshop.lockfile, ONE)
    promote(call)
    workshop.write(entry(prompt="A teal bottle"))
    assert lines(call, "--dry-run", "--prune")[-1] == "assets: would be: 1 pruned, 1 void"
    said = lines(call, "--prune")
    assert [line.split()[0] for line in said] == ["void", "pruned", "nothing", "assets:"]
    assert said[-1] == "assets: 1 pruned, 1 void"


@pytest.mark.parametrize("how", ["gone", "changed"])
def test_an_approved_picture_that_is_not_on_disk_is_exit_1_until_run_brings_it_back(made, how):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    decide(workshop.lockfile, TWO)
    picture = workshop.folder / "outputs/hero/1.png"
    if how == "gone":
        picture.unlink()
    else:
        shutil.copy(workshop.folder / "outputs/hero/3.png", picture)
    done = promote(call)
    assert (done.code, states(done)) == (1, {"hero/1.png": "missing", "hero/2.png": "promoted"})
    assert names(workshop) == ["hero/2.png"]
    assert call("run", "--no-progress").code == 0
    assert (promote(call).code, names(workshop), workshop.made()) == (0, ["hero/1.png", "hero/2.png"], 3)


def test_an_approval_of_an_earlier_picture_is_named_and_promotes_nothing(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    workshop.write(entry(prompt="A teal bottle"))
    assert call("run", "--no-progress").code == 0
    done = promote(call)
    assert (done.code, done.document["files"], [one["cell"] for one in done.document["void"]]) == (0, [], [ONE])
    said = f"void      {ONE}  approved as an earlier picture by Eve <eve@example.org> on 2026-11-23; look again"
    assert said in call("status").out
    assert call("status", "--json").document["review"]["counts"]["void"] == 1
    decide_again(workshop)
    assert states(promote(call)) == {"hero/1.png": "promoted"}


def decide_again(workshop):
    """Approve the newest picture of the first cell."""
    lines = [line for line in workshop.lines() if line["cell"] == ONE and "x-review" not in line]
    workshop.lockfile.write_bytes(
        b"".join(line for line in workshop.lockfile.read_bytes().splitlines(keepends=True) if b"x-review" not in line)
    )
    assert len(lines) == 1
    decide(workshop.lockfile, ONE)


def test_a_file_that_no_promotion_put_there_is_never_replaced(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    mine = workshop.folder / "assets/hero/1.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"my own work")
    done = promote(call)
    assert (done.code, states(done), mine.read_bytes()) == (1, {"hero/1.png": "in_the_way"}, b"my own work")


def test_what_was_promoted_and_then_changed_by_hand_is_not_replaced_either(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    promote(call)
    mine = workshop.folder / "assets/hero/1.png"
    mine.write_bytes(b"retouched")
    assert (promote(call).code, mine.read_bytes()) == (1, b"retouched")
    said = call("promote", "--to", "assets").out
    assert "in the way hero/1.png  it was changed since it was promoted, so it is left: move it away" in said


def test_pruning_leaves_what_was_changed_by_hand_says_so_and_knows_it_until_it_is_moved_away(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    promote(call)
    mine, index = workshop.folder / "assets/hero/1.png", workshop.folder / "assets/promoted.json"
    mine.write_bytes(b"retouched")
    known = index.read_bytes()
    decide(workshop.lockfile, ONE, "none")
    assert (promote(call).code, promote(call).document["stale"]) == (0, ["hero/1.png"])
    for flags in (["--dry-run"], []):
        done = promote(call, "--prune", *flags)
        assert (done.code, done.document["left"], done.document["pruned"]) == (1, ["hero/1.png"], [])
        assert (mine.read_bytes(), index.read_bytes()) == (b"retouched", known)
    said = call("promote", "--to", "assets", "--prune").out
    assert "left       hero/1.png  it is no longer approved, and was changed since it was promoted" in said
    assert "pruned" not in said
    mine.unlink()
    done = promote(call, "--prune")
    assert (done.code, done.document["pruned"], json.loads(index.read_text())["files"]) == (0, ["hero/1.png"], {})


def test_what_is_changed_while_it_is_pruned_is_left_too(made, monkeypatch):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    promote(call)
    decide(workshop.lockfile, ONE, "none")
    mine = workshop.folder / "assets/hero/1.png"
    remove = Exhibit.remove

    def late(self, name, sums):
        mine.write_bytes(b"retouched")
        return remove(self, name, sums)

    monkeypatch.setattr(Exhibit, "remove", late)
    done = promote(call, "--prune")
    assert (done.code, done.document["left"], mine.read_bytes()) == (1, ["hero/1.png"], b"retouched")
    assert "hero/1.png" in (workshop.folder / "assets/promoted.json").read_text()


def test_a_picture_that_was_promoted_before_gives_way_to_the_one_that_is_approved_now(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    promote(call)
    workshop.write(entry(prompt="A teal bottle"))
    call("run", "--no-progress")
    decide_again(workshop)
    assert states(promote(call)) == {"hero/1.png": "promoted"}
    assert workshop.pictures("assets")["hero/1.png"] == workshop.pictures()["hero/1.png"]
    assert names(workshop) == ["hero/1.png"], "nothing is kept aside: it was ours"


def test_what_is_no_longer_approved_goes_only_with_prune_and_only_what_the_index_names(made):
    workshop, call = made
    for cell in (ONE, TWO, THREE):
        decide(workshop.lockfile, cell)
    promote(call)
    (workshop.folder / "assets/hero/mine.png").write_bytes(b"my own work")
    decide(workshop.lockfile, ONE, "rejected")
    decide(workshop.lockfile, TWO, "none")
    assert promote(call).document["stale"] == ["hero/1.png", "hero/2.png"]
    assert len(names(workshop)) == 4
    assert promote(call, "--prune", "--dry-run").document["counts"]["pruned"] == 2
    assert promote(call, "--prune", "--select", ONE).document["pruned"] == ["hero/1.png"]
    assert promote(call, "--prune").document["pruned"] == ["hero/2.png"]
    assert names(workshop) == ["hero/3.png", "hero/mine.png"]
    assert [*json.loads((workshop.folder / "assets/promoted.json").read_text())["files"]] == ["hero/3.png"]


def test_another_manifest_s_pictures_in_the_same_folder_are_left_alone(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    promote(call)
    other = workshop.folder / "manifests/other.yaml"
    other.write_text(workshop.manifest.read_text().replace('"hero"', '"other"'))
    assert call("promote", "--to", "assets", "--prune", manifest=str(other)).code == 0
    assert names(workshop) == ["hero/1.png"]


def test_what_is_derived_of_an_approved_picture_goes_with_it(made):
    workshop, call = made
    workshop.write(entry(derive=[{"format": "webp", "quality": 60}]))
    decide(workshop.lockfile, ONE)
    done = promote(call)
    assert (done.code, states(done)) == (1, {"hero/1.png": "promoted", "hero/1.webp": "missing"})
    assert call("run", "--no-progress").code == 0
    assert (promote(call).code, names(workshop)) == (0, ["hero/1.png", "hero/1.webp"])


def test_the_folder_of_the_pictures_themselves_is_refused(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    done = call("promote", "--to", "outputs")
    assert (done.code, "the pictures themselves are there" in done.err) == (2, True)
    assert len(workshop.pictures()) == 3


@pytest.mark.parametrize("folder", ["outputs/hero", "outputs/simulated", "outputs/not/there", "manifests/../outputs/a"])
def test_no_folder_among_the_pictures_is_taken(made, folder):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    done = call("promote", "--to", folder)
    assert (done.code, f"--to {folder}: the pictures themselves are there: name another folder" in done.err) == (
        2,
        True,
    )
    assert len(workshop.pictures()) == 3


def test_pictures_outside_outputs_keep_their_folder_to_themselves_too(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    workshop.write(entry(), output="art/gen/{{ seed }}.{{ ext }}")
    assert call("run", "--no-progress").code == 0
    assert {call("promote", "--to", folder).code for folder in ("art/gen", "art/gen/chosen")} == {2}
    assert call("promote", "--to", "art/chosen").code == 0


def test_a_folder_without_a_name_is_refused(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    before = {*workshop.folder.iterdir()}
    done = call("promote", "--to", "")
    assert (done.code, "it names no folder: write one such as assets" in done.err) == (2, True)
    assert {*workshop.folder.iterdir()} == before
    assert call("promote", "--to", ".").code == 0


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("somefile", "somefile is a file, not a folder: name a folder"),
        ("somefile/below", "somefile is a file, not a folder: name a folder"),
        ("nowhere", "nowhere is a symbolic link, not a folder: name a folder"),
    ],
)
def test_what_is_no_folder_is_named_and_left(made, to, words):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    (workshop.folder / "somefile").write_text("mine")
    (workshop.folder / "nowhere").symlink_to("not/there")
    done = call("promote", "--to", to)
    assert (done.code, f"--to {to}: {words}" in done.err) == (2, True)
    assert (workshop.folder / "somefile").read_text() == "mine"


@pytest.mark.parametrize("link", ["hero", "hero/1.png"])
def test_a_link_in_the_folder_is_not_followed_and_is_said_to_be_one(made, link):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    elsewhere = workshop.folder / "elsewhere"
    elsewhere.mkdir()
    at = workshop.folder / "assets" / link
    at.parent.mkdir(parents=True)
    at.symlink_to(elsewhere)
    done = call("promote", "--to", "assets")
    said = (
        f"in the way hero/1.png  {link} is a symbolic link, which is not followed: move it away, or name another folder"
    )
    assert (done.code, said in done.out, [*elsewhere.iterdir()]) == (1, True, [])


def test_pruning_goes_through_no_link(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    promote(call)
    decide(workshop.lockfile, ONE, "none")
    folder, elsewhere = workshop.folder / "assets/hero", workshop.folder / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    done = call("promote", "--to", "assets", "--prune")
    assert (done.code, len([*elsewhere.iterdir()])) == (1, 1)
    assert (
        "left       hero/1.png  it is no longer approved, but hero is a symbolic link, which is not followed"
        in done.out
    )


def test_a_folder_in_the_place_of_a_file_is_named(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    (workshop.folder / "assets/hero/1.png").mkdir(parents=True)
    assert "hero/1.png: is a folder, not a file: move it away" in call("promote", "--to", "assets").out


KNOWN = {"sha256": "0" * 64, "cell": ONE, "key": "k", "manifest": "../manifests/m.yaml"}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *(
            (name, KNOWN)
            for name in ("../af", "/etc/passwd", "hero/../../af", "hero//1.png", "", ".", "a\0b", "n" * 256)
        ),
        ("half \ud800.png", KNOWN),
        ("hero/1.png", KNOWN | {"sha256": ""}),
        ("hero/1.png", KNOWN | {"was": ["all"]}),
    ],
)
def test_an_index_that_names_what_no_promotion_can_have_put_there_is_damaged(made, name, known):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    index = workshop.folder / "assets/promoted.json"
    index.parent.mkdir()
    index.write_text(json.dumps({"flux_pipeline_promoted": 1, "simulated": False, "files": {name: known}}))
    (workshop.folder / "af").write_text("mine")
    done = call("promote", "--to", "assets", "--prune")
    assert (done.code, names(workshop), (workshop.folder / "af").read_text()) == (2, [], "mine")
    assert "assets/promoted.json is damaged" in done.err
    assert "restore it, or promote into another folder; nothing was copied" in done.err
    if ".." in name:
        assert f"it names {name!r}, which is no file of its folder" in done.err


@pytest.mark.parametrize("index", [b"{", b"[]", b'{"flux_pipeline_promoted": 2, "simulated": false, "files": {}}'])
def test_an_index_that_cannot_be_read_stops_it_before_anything_is_copied(made, index):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    (workshop.folder / "assets").mkdir()
    (workshop.folder / "assets/promoted.json").write_bytes(index)
    assert promote(call).code == 2
    assert names(workshop) == []


def test_rehearsed_pictures_and_paid_ones_do_not_share_a_folder(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    promote(call)
    assert call("run", "--simulate", "--no-progress").code == 0
    decide(workshop.manifest.with_suffix(".simulated.lock"), ONE)
    assert promote(call, "--simulate").code == 2
    assert states(call("promote", "--simulate", "--to", "rehearsed", "--json")) == {"hero/1.png": "promoted"}


def test_a_promotion_that_died_between_index_and_file_is_finished_by_the_next(made):
    workshop, call = made
    decide(workshop.lockfile, ONE)
    promote(call)
    before = (workshop.folder / "assets/hero/1.png").read_bytes()
    workshop.write(entry(prompt="A teal bottle"))
    call("run", "--no-progress")
    decide_again(workshop)
    promote(call)
    index = json.loads((workshop.folder / "assets/promoted.json").read_text())
    index["files"]["hero/1.png"]["was"] = [hashlib.sha256(before).hexdigest()]
    (workshop.folder / "assets/promoted.json").write_text(json.dumps(index))
    (workshop.folder / "assets/hero/1.png").write_bytes(before)
    assert states(promote(call)) == {"hero/1.png": "promoted"}
    assert "was" not in (workshop.folder / "assets/promoted.json").read_text()
