from __future__ import annotations

import errno
import os

import pytest
from files.samples import png, save, tree

from flux_pipeline.errors import DiskError
from flux_pipeline.files.image import Rejected
from flux_pipeline.files.save import Files


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture
def known(files):
    return {f"{name}.png": save(files, f"{name}.png", png(seed)) for seed, name in enumerate("abc")}


def contents(root):
    return {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_copy_is_a_file_of_its_own_with_the_facts_of_its_source(files, known, tmp_path):
    assert files.copy([("a.png", "new/deep/x.png")], known) == {"new/deep/x.png": known["a.png"]}
    assert (tmp_path / "new/deep/x.png").read_bytes() == png(0)
    assert not (tmp_path / "new/deep/x.png").samefile(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == png(0)


@pytest.mark.parametrize(
    ("moves", "after"),
    [
        ("ab ba", {"a": 1, "b": 0, "c": 2}),
        ("ab bc ca", {"a": 2, "b": 0, "c": 1}),
        ("ab bc", {"a": 0, "b": 0, "c": 1}),
        ("ab ac", {"a": 0, "b": 0, "c": 0}),
        ("aa", {"a": 0, "b": 1, "c": 2}),
    ],
)
def test_swaps_rings_and_chains_of_copies_are_right(files, known, tmp_path, moves, after):
    pairs = [(f"{move[0]}.png", f"{move[1]}.png") for move in moves.split()]
    assert files.copy(pairs, known) == {path: known[source] for source, path in pairs}
    assert contents(tmp_path) == {f"{name}.png": png(seed) for name, seed in after.items()}


def test_a_source_that_is_missing_changed_or_unknown_is_told_and_the_others_are_copied(files, known, tmp_path):
    (tmp_path / "a.png").unlink()
    (tmp_path / "b.png").write_bytes(png(9))
    (tmp_path / "link.png").symlink_to("c.png")
    (tmp_path / "folder.png").mkdir()
    known |= {"link.png": known["c.png"], "folder.png": known["c.png"], "no/where.png": known["c.png"]}
    moves = ["a.png", "b.png", "c.png", "link.png", "folder.png", "no/where.png", "stranger.png"]
    outcome = files.copy([(source, f"to/{source}") for source in moves], known)
    assert outcome == {
        "to/a.png": Rejected("its source a.png is missing"),
        "to/b.png": Rejected("its source b.png was changed"),
        "to/c.png": known["c.png"],
        "to/link.png": Rejected("its source link.png cannot be read: it is not a file"),
        "to/folder.png": Rejected("its source folder.png cannot be read: it is not a file"),
        "to/no/where.png": Rejected("its source no/where.png is missing"),
        "to/stranger.png": Rejected("its source stranger.png is not recorded"),
    }
    assert tree(tmp_path / "to") == {"c.png"}


def test_a_file_of_the_user_in_the_way_of_a_copy_is_kept(files, known, tmp_path, caplog):
    (tmp_path / "x.png").write_text("a drawing")
    files.copy([("a.png", "x.png")], known)
    assert (tmp_path / "x.kept-1.png").read_text() == "a drawing"
    assert (tmp_path / "x.png").read_bytes() == png(0)
    assert "x.kept-1.png" in caplog.text


def test_a_picture_whose_new_path_is_taken_is_not_lost_when_its_old_path_is_used_again(files, known, tmp_path):
    (tmp_path / "c.png").unlink()
    (tmp_path / "c.png").mkdir()
    outcome = files.copy([("a.png", "b.png"), ("b.png", "c.png")], known)
    assert outcome == {"b.png": known["a.png"], "c.png": Rejected("its path is taken: c.png is a folder, not a file")}
    assert contents(tmp_path) == {"a.png": png(0), "b.png": png(0), "b.kept-1.png": png(1)}


@pytest.mark.parametrize(
    ("call", "after"), [("write", 0), ("write", 1), ("fsync", 0), ("fsync", 1), ("link", 0), ("link", 1)]
)
def test_a_failing_disk_in_the_middle_of_a_swap_loses_no_picture_and_leaves_no_temporary_file(
    files, known, tmp_path, monkeypatch, call, after
):
    real, calls = getattr(os, call), []

    def broken(*args, **kwargs):
        calls.append(args)
        if len(calls) > after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*args, **kwargs)

    monkeypatch.setattr(os, call, broken)
    with pytest.raises(DiskError, match="the disk is full"):
        files.copy([("a.png", "b.png"), ("b.png", "a.png")], known)
    assert set(contents(tmp_path).values()) >= {png(0), png(1), png(2)}
    assert not [name for name in tree(tmp_path) if name.endswith(".part")]
