from __future__ import annotations

import concurrent.futures
import errno
import os
import stat
import threading

import pytest
from files.samples import expect, failing, png, save, sha, tree

from flux_pipeline.errors import DiskError
from flux_pipeline.files import place
from flux_pipeline.files.image import Picture
from flux_pipeline.files.save import Files

PATH = "outputs/hero/1.png"


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def test_a_picture_of_ours_in_the_way_is_replaced(files, tmp_path):
    save(files, PATH, png(1))
    save(files, PATH, png(2), ours=frozenset({sha(png(1))}))
    assert (tmp_path / PATH).read_bytes() == png(2)
    assert tree(tmp_path) == {"outputs", "outputs/hero", PATH}


def test_the_same_picture_in_the_way_is_replaced_by_itself(files, tmp_path):
    save(files, PATH, png(1))
    save(files, PATH, png(1))
    assert tree(tmp_path) == {"outputs", "outputs/hero", PATH}


def test_files_of_the_user_in_the_way_are_all_kept(files, tmp_path):
    (tmp_path / "outputs/hero").mkdir(parents=True)
    for number in (1, 2, 3):
        (tmp_path / PATH).unlink(missing_ok=True)
        (tmp_path / PATH).write_text(f"drawing {number}")
        with files.part(PATH) as part:
            part.write(png(number))
            part.finish(expect(), ours=frozenset())
            assert part.kept == (f"outputs/hero/1.kept-{number}.png",)
        assert (tmp_path / f"outputs/hero/1.kept-{number}.png").read_text() == f"drawing {number}"
    assert (tmp_path / PATH).read_bytes() == png(3)


@pytest.mark.parametrize("hard_links", [True, False])
@pytest.mark.parametrize("moment", ["link", "open", "rename"])
def test_a_file_that_appears_at_any_moment_of_the_saving_survives(files, tmp_path, monkeypatch, moment, hard_links):
    """The other program's file is put there by a rename, just before one of our system calls."""
    save(files, PATH, png(1))
    real, put = getattr(os, moment), []

    def raced(*args, **kwargs):
        if not put and str(args[1 if moment == "link" else 0]).endswith(("1.png", "kept-1.png")):
            put.append(1)
            (tmp_path / "foreign").write_text("a drawing")
            (tmp_path / "foreign").replace(tmp_path / PATH)
        return real(*args, **kwargs)

    def no_links(*args, **kwargs):
        raise OSError(errno.EPERM, "no hard links here")

    with files.part(PATH) as part:
        part.write(png(2))
        if not hard_links:
            monkeypatch.setattr(os, "link", no_links)
        if hard_links or moment != "link":
            monkeypatch.setattr(os, moment, raced)
        part.finish(expect(), ours=frozenset({sha(png(1))}))
        monkeypatch.undo()
    assert (tmp_path / PATH).read_bytes() == png(2)
    assert put or (moment, hard_links) == ("link", False)
    if put:
        assert "a drawing" in {(tmp_path / name).read_text() for name in part.kept}


def test_two_threads_that_save_to_one_path_lose_neither_picture(files, tmp_path):
    barrier = threading.Barrier(8)

    def one(seed):
        with files.part(PATH) as part:
            part.write(png(seed))
            barrier.wait()
            assert isinstance(part.finish(expect(), ours=frozenset()), Picture)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))
    found = {path.read_bytes() for path in (tmp_path / "outputs/hero").iterdir()}
    assert found == {png(seed) for seed in range(8)}


def test_another_program_that_never_stops_writing_there_is_named_and_nothing_is_lost(files, tmp_path, monkeypatch):
    with files.part(PATH) as part:
        part.write(png())
        monkeypatch.setattr(place, "_link", lambda *_: False)
        with pytest.raises(DiskError, match="another program keeps writing"):
            part.finish(expect(), ours=frozenset())
    assert tree(tmp_path) == {"outputs", "outputs/hero"}


def test_without_hard_links_a_picture_is_saved_by_a_rename(files, tmp_path, monkeypatch):
    failing(monkeypatch, "link", errno.EPERM)
    save(files, PATH, png())
    (tmp_path / "2.png").write_text("a drawing")
    save(files, "2.png", png())
    assert (tmp_path / "2.kept-1.png").read_text() == "a drawing"
    assert (tmp_path / "2.png").read_bytes() == png()


@pytest.mark.parametrize(
    ("thing", "words"), [("folder", "is a folder"), ("link", "is a symbolic link"), ("pipe", "is a named pipe")]
)
def test_anything_but_a_file_at_the_path_is_named_and_left_alone(files, tmp_path, thing, words):
    (tmp_path / "outputs/hero").mkdir(parents=True)
    path = tmp_path / PATH
    {"folder": path.mkdir, "link": lambda: path.symlink_to("nowhere"), "pipe": lambda: os.mkfifo(path)}[thing]()
    kind = stat.S_IFMT(path.lstat().st_mode)
    with pytest.raises(DiskError, match=rf"outputs/hero/1\.png: {words}, not a file: move it away"):
        save(files, PATH, png())
    with pytest.raises(DiskError, match=words):
        files.preflight([PATH])
    assert stat.S_IFMT(path.lstat().st_mode) == kind
    assert tree(tmp_path) == {"outputs", "outputs/hero", PATH}
