"""Running again: nothing that was paid for is paid for again, and every picture is where the manifest wants it."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from cli.workshop import entry


def test_a_run_makes_every_picture_and_a_second_one_submits_nothing_and_says_so(workshop):
    done = workshop.run()
    assert done.code == 0
    assert workshop.pictures().keys() == {"hero/1.png", "hero/2.png", "hero/3.png"}
    assert (workshop.made(), workshop.charged()) == (3, Decimal("0.09"))
    before = workshop.lockfile.read_bytes(), workshop.pictures()
    again = workshop.run()
    assert again.code == 0
    assert "nothing submitted" in again.err
    assert workshop.made() == 3
    assert (workshop.lockfile.read_bytes(), workshop.pictures()) == before


def test_a_clean_end_leaves_one_line_per_submission_in_the_lockfile(workshop):
    workshop.run()
    lines = workshop.lines()
    assert len(lines) == len({line["id"] for line in lines}) == 3
    assert {line["task"] for line in lines} == {row.task for row in workshop.wiro.ledger()}


def test_one_changed_prompt_submits_only_its_own_cells(workshop):
    workshop.write(entry("hero"), entry("detail", seeds=[4, 5], prompt="A teal bottle"))
    workshop.run()
    old = workshop.pictures()
    workshop.write(entry("hero"), entry("detail", seeds=[4, 5], prompt="A golden bottle"))
    document = workshop.run_json()
    assert (document["session"]["submitted"], document["session"]["kept"]) == (2, 3)
    assert Counter(row.parameters["prompt"] for row in workshop.wiro.ledger()) == {
        "A red bottle": 3,
        "A teal bottle": 2,
        "A golden bottle": 2,
    }
    assert old["hero/1.png"] == workshop.pictures()["hero/1.png"]
    assert old["detail/4.png"] != workshop.pictures()["detail/4.png"]


def test_a_renamed_entry_submits_nothing_and_its_pictures_are_at_their_new_paths(workshop):
    workshop.run()
    old = workshop.pictures()
    workshop.write(entry("renamed"))
    document = workshop.run_json()
    assert (document["exit_code"], document["session"]["submitted"]) == (0, 0)
    assert workshop.made() == 3
    assert {path: old[path.replace("renamed", "hero")] for path in workshop.pictures() if "renamed" in path} == {
        f"renamed/{seed}.png": old[f"hero/{seed}.png"] for seed in (1, 2, 3)
    }


def test_two_entries_that_swap_their_names_swap_their_pictures(workshop):
    red, teal = entry("a", seeds=[1, 2]), entry("b", seeds=[1, 2], prompt="A teal bottle")
    workshop.write(red, teal)
    workshop.run()
    old = workshop.pictures()
    workshop.write(red | {"id": "b"}, teal | {"id": "a"})
    assert workshop.run().code == 0
    new = workshop.pictures()
    assert {path: new[path] for path in old} == {
        "a/1.png": old["b/1.png"],
        "a/2.png": old["b/2.png"],
        "b/1.png": old["a/1.png"],
        "b/2.png": old["a/2.png"],
    }
    assert workshop.made() == 4
    assert "nothing submitted" in workshop.run().err


def test_a_deleted_picture_comes_back_without_paying(workshop):
    workshop.run()
    old = workshop.pictures()
    (workshop.folder / "outputs/hero/2.png").unlink()
    done = workshop.run()
    assert (done.code, workshop.made()) == (0, 3)
    assert "nothing submitted" in done.err
    assert workshop.pictures() == old


def test_a_picture_that_the_user_has_edited_is_kept_beside_the_one_that_is_wanted(workshop):
    workshop.run()
    old = workshop.pictures()
    (workshop.folder / "outputs/hero/2.png").write_bytes(b"retouched by hand for a whole evening")
    assert workshop.run().code == 0
    new = workshop.pictures()
    assert new["hero/2.png"] == old["hero/2.png"]
    assert b"retouched by hand for a whole evening" in new.values()
    assert workshop.made() == 3


def test_cells_that_ask_for_the_same_share_one_paid_render(workshop):
    workshop.write(entry("a", seeds=[1]), entry("b", seeds=[1]))
    document = workshop.run_json()
    assert (document["counts"]["cells"], document["counts"]["renders"]) == (2, 1)
    pictures = workshop.pictures()
    assert pictures["a/1.png"] == pictures["b/1.png"]
    assert workshop.made() == 1


def test_a_lost_lockfile_costs_nothing_because_the_server_is_asked_first(workshop):
    workshop.run()
    workshop.lockfile.unlink()
    document = workshop.run_json()
    assert (document["exit_code"], document["session"]["submitted"], document["session"]["adopted"]) == (0, 0, 3)
    assert workshop.made() == 3


def test_a_rehearsal_stays_apart_from_paid_work_and_needs_no_account(workshop):
    done = workshop.call("run", "manifests/m.yaml", "--simulate", "--limit", "1", WIRO_API_KEY="")
    assert done.code == 0
    assert workshop.made() == 0
    assert not workshop.lockfile.exists()
    assert workshop.lockfile.with_name("m.simulated.lock").exists()
    assert list(workshop.pictures()) == ["simulated/hero/1.png"]
    assert workshop.plan() == [("submit", f"hero/seed={seed},size=64x64") for seed in (1, 2, 3)]
