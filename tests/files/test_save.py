from __future__ import annotations

import errno
import os
import stat
import threading

import pytest
from files.samples import expect, failing, jpeg, noise, png, save, sha, tree

from flux_pipeline.errors import DiskError
from flux_pipeline.files.image import Picture, Rejected
from flux_pipeline.files.save import Files, TooLargeError

PATH = "outputs/hero/1.png"


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def test_a_whole_picture_is_saved_with_its_facts_and_nothing_beside_it(files, tmp_path):
    data = png()
    assert save(files, PATH, data) == Picture(sha256=sha(data), bytes=len(data), width=64, height=64)
    assert (tmp_path / PATH).read_bytes() == data
    assert tree(tmp_path) == {"outputs", "outputs/hero", PATH}


def test_nothing_has_the_final_name_before_the_picture_is_finished(files, tmp_path):
    with files.part(PATH) as part:
        part.write(png())
        assert not (tmp_path / PATH).exists()
    assert tree(tmp_path) == {"outputs", "outputs/hero"}


def test_a_root_that_does_not_exist_is_made(tmp_path):
    save(Files(tmp_path / "a" / "b"), "1.png", png())
    assert (tmp_path / "a/b/1.png").exists()


def test_a_root_may_be_reached_through_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    save(Files(tmp_path / "link"), PATH, png())
    assert (tmp_path / "real" / PATH).exists()


def test_a_picture_has_the_permissions_that_the_user_gives_to_new_files(files, tmp_path):
    before = os.umask(0o027)
    try:
        save(files, PATH, png())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / PATH).stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "outputs/hero").stat().st_mode) == 0o750


def test_a_rejected_picture_is_kept_aside_and_replaces_the_one_rejected_before(files, tmp_path):
    for seed in (1, 2):
        with files.part(PATH) as part:
            part.write(jpeg(seed))
            assert part.finish(expect(), ours=frozenset()) == Rejected("is a JPEG, expected a PNG")
            assert part.rejected == PATH + ".rejected"
    assert tree(tmp_path) == {"outputs", "outputs/hero", PATH + ".rejected"}
    assert (tmp_path / (PATH + ".rejected")).read_bytes() == jpeg(2)


def test_a_download_can_go_on_where_it_stopped_or_begin_again(files, tmp_path):
    data = png()
    with files.part(PATH) as part:
        part.write(b"an error page")
        part.reset()
        assert part.size == 0
        part.write(data[:100])
        assert part.size == 100
        part.write(data[100:])
        assert isinstance(part.finish(expect(promised=len(data)), ours=frozenset()), Picture)
    assert (tmp_path / PATH).read_bytes() == data


def test_more_bytes_than_a_picture_can_have_are_refused_and_leave_nothing(files, tmp_path):
    with files.part(PATH) as part:
        part.write(bytes(64 * 1024 * 1024))
        with pytest.raises(TooLargeError, match=r"1\.png: more than 67108864 bytes"):
            part.write(b"x")
    assert tree(tmp_path) == {"outputs", "outputs/hero"}


def test_a_picture_that_was_changed_on_the_disk_meanwhile_is_rejected(files, tmp_path):
    with files.part(PATH) as part:
        part.write(png(1))
        next((tmp_path / "outputs/hero").iterdir()).write_bytes(png(2))
        verdict = part.finish(expect(), ours=frozenset())
    assert verdict == Rejected("was changed on the disk while it was being saved")
    assert not (tmp_path / PATH).exists()


def test_no_link_is_followed_on_the_way(files, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/hero").symlink_to(tmp_path / "elsewhere")
    for attempt in (lambda: files.part(PATH), lambda: files.preflight([PATH])):
        with pytest.raises(DiskError, match="outputs/hero: is a symbolic link, not a folder"):
            attempt()
    assert not tree(tmp_path / "elsewhere")


def test_a_folder_that_becomes_a_link_in_the_middle_leads_nowhere_else(files, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    with files.part(PATH) as part:
        part.write(png())
        (tmp_path / "outputs/hero").rename(tmp_path / "outputs/moved")
        (tmp_path / "outputs/hero").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(DiskError):
            part.finish(expect(), ours=frozenset())
    assert not tree(tmp_path / "elsewhere")
    assert not tree(tmp_path / "outputs/moved")


def test_a_folder_that_is_swapped_after_the_check_is_noticed_before_the_picture_gets_its_name(
    files, tmp_path, monkeypatch
):
    real, hero, moved = os.fsync, tmp_path / "outputs/hero", tmp_path / "outputs/moved"

    def swapped(fd):
        if not moved.exists():
            hero.rename(moved)
            hero.mkdir()
        real(fd)

    with files.part(PATH) as part:
        part.write(png())
        monkeypatch.setattr(os, "fsync", swapped)
        with pytest.raises(DiskError, match="moved or replaced"):
            part.finish(expect(), ours=frozenset())
    assert tree(tmp_path) == {"outputs", "outputs/hero", "outputs/moved"}


def test_a_folder_that_was_removed_is_made_again(files, tmp_path):
    save(files, PATH, png())
    (tmp_path / PATH).unlink()
    (tmp_path / "outputs/hero").rmdir()
    save(files, PATH, png())
    assert (tmp_path / PATH).exists()


@pytest.mark.parametrize(
    "path", ["", "/etc/x.png", "../x.png", "a/../../x.png", "a//x.png", "./x.png", "a/", "a\0b", "\ud800.png"]
)
def test_a_path_that_could_leave_the_root_is_refused(files, path):
    with pytest.raises(DiskError, match=r"below the output root|cannot be a file name"):
        files.part(path)


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "ü" * 125 + ".jpeg"])
def test_the_longest_name_can_be_saved_kept_rejected_and_swept(files, tmp_path, name):
    (tmp_path / name).write_text("a drawing")
    save(files, name, png())
    save(files, name, jpeg())
    part = files.part(name)
    os.close(part._file)  # as if its run had died
    assert Files(tmp_path).sweep([name]) == 1
    assert len(tree(tmp_path)) == 3


@pytest.mark.parametrize("path", ["x" * 252 + ".png", "/".join(["folder"] * 700) + "/1.png"])
def test_a_name_or_path_that_is_too_long_is_refused_before_anything_is_paid(files, path):
    with pytest.raises(DiskError, match="shorten `output`"):
        files.preflight([path])


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("write", errno.ENOSPC, "nothing is paid twice"),
        ("write", errno.EDQUOT, "free some space"),
        ("fsync", errno.EIO, "the disk may be failing"),
        ("link", errno.EROFS, "read-only"),
        ("link", errno.EACCES, "get permission"),
        ("rename", errno.EIO, "the disk may be failing"),
        ("unlink", errno.EIO, "the disk may be failing"),
        ("ftruncate", errno.EIO, "the disk may be failing"),
    ],
)
def test_a_failed_system_call_is_named_with_a_way_out_and_the_picture_is_absent_or_whole(
    files, tmp_path, monkeypatch, call, code, words
):
    (tmp_path / "outputs/hero").mkdir(parents=True)
    (tmp_path / PATH).write_text("a drawing") if call == "rename" else None
    with files.part(PATH) as part:
        failing(monkeypatch, call, code)
        with pytest.raises(DiskError, match=rf"1\.png: {os.strerror(code)}: .*{words}"):
            if call == "ftruncate":
                part.reset()
            part.write(png())
            part.finish(expect(), ours=frozenset())
    monkeypatch.undo()
    Files(tmp_path).sweep([PATH])
    left = tree(tmp_path) - {"outputs", "outputs/hero", PATH}
    assert not left
    if (tmp_path / PATH).exists():
        assert (tmp_path / PATH).read_bytes() in {png(), b"a drawing"}


@pytest.mark.parametrize("after", [0, 1])
def test_every_fsync_of_a_saving_counts(files, monkeypatch, after):
    with files.part(PATH) as part:
        part.write(png())
        failing(monkeypatch, "fsync", errno.EIO, after=after)
        with pytest.raises(DiskError, match="Input/output error"):
            part.finish(expect(), ours=frozenset())


def test_a_file_system_that_cannot_sync_folders_is_used_all_the_same(files, tmp_path, monkeypatch):
    real = os.fsync

    def only_files(fd):
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "no")
        real(fd)

    monkeypatch.setattr(os, "fsync", only_files)
    save(files, PATH, png())
    assert (tmp_path / PATH).exists()


def test_a_picture_can_be_discarded_from_another_thread_and_not_used_afterwards(files, tmp_path):
    part = files.part(PATH)
    part.write(png())
    thread = threading.Thread(target=part.discard)
    thread.start()
    thread.join()
    part.discard()
    for use in (lambda: part.write(b"x"), part.reset, lambda: part.finish(expect(), ours=frozenset())):
        with pytest.raises(ValueError, match="finished or discarded"):
            use()
    assert tree(tmp_path) == {"outputs", "outputs/hero"}


def test_no_descriptor_is_left_open(files, tmp_path):
    def count():
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- the names of numbers, not paths

    before = count()
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/link").symlink_to("hero")
    for _ in range(3):
        save(files, PATH, png())
        save(files, PATH, jpeg())
        files.preflight([PATH, "new/deep/1.png"])
        files.survey([PATH, "outputs/link/1.png", "absent/1.png"])
        files.sweep([PATH, "outputs/link/1.png", "absent/1.png"])
        files.copy([(PATH, "b/1.png")], {PATH: save(files, PATH, png())})
        for path in ("outputs/link/1.png", "outputs/hero/1.png/x.png"):
            with pytest.raises(DiskError):
                files.part(path)
    assert count() == before


def test_a_large_picture_is_saved_as_well(files):
    with files.part(PATH) as part:
        part.write(png(width=1024, height=768))
        verdict = part.finish(expect(width=1024, height=768), ours=frozenset())
    assert isinstance(verdict, Picture)
    assert noise(1024, 768).size == (verdict.width, verdict.height)
