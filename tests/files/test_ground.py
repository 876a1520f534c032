from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys

import pytest
from files.samples import png, save, tree

from flux_pipeline.errors import DiskError
from flux_pipeline.files.ground import Found, Obstacle
from flux_pipeline.files.save import Files

PATH = "outputs/hero/1.png"


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def test_a_survey_tells_what_is_there_and_is_silent_about_what_is_not(files, tmp_path):
    save(files, PATH, png())
    facts = Found(hashlib.sha256(png()).hexdigest(), len(png()))
    assert files.survey([PATH, "outputs/hero/2.png", "outputs/other/1.png"]) == {PATH: facts}
    assert Files(tmp_path / "absent").survey([PATH]) == {}


def test_a_survey_reads_nothing_but_files_and_follows_no_link(files, tmp_path):
    save(files, "real/1.png", png())
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real/2.png").symlink_to("1.png")
    (tmp_path / "real/3.png").mkdir()
    os.mkfifo(tmp_path / "real/4.png")
    (tmp_path / "real/5.png").symlink_to("nowhere")
    found = files.survey(["link/1.png", *(f"real/{n}.png" for n in range(1, 6)), "real/1.png/x.png"])
    assert {path: type(thing) for path, thing in found.items()} == {
        "link/1.png": Obstacle,
        "real/1.png": Found,
        "real/2.png": Obstacle,
        "real/3.png": Obstacle,
        "real/4.png": Obstacle,
        "real/5.png": Obstacle,
        "real/1.png/x.png": Obstacle,
    }
    assert found["link/1.png"] == Obstacle("link: is a symbolic link, not a folder")
    assert found["real/4.png"] == Obstacle("real/4.png: is a named pipe, not a file")
    assert found["real/1.png/x.png"] == Obstacle("real/1.png: is a file, not a folder")


def test_a_file_too_large_to_be_a_picture_is_not_read(files, tmp_path):
    with (tmp_path / "1.png").open("wb") as file:
        file.truncate(1 << 40)
    assert files.survey(["1.png"]) == {"1.png": Found("", 1 << 40)}


def test_a_preflight_leaves_nothing_but_the_root(tmp_path):
    files = Files(tmp_path / "new")
    files.preflight([PATH, "outputs/2.png", "3.png"])
    assert tree(tmp_path) == {"new"}


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("rename", errno.EROFS, "the file system is read-only"),
        ("fsync", errno.EIO, "the disk may be failing"),
        ("write", errno.ENOSPC, "the disk is full"),
        ("mkdir", errno.EACCES, "get permission"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named_before_anything_is_paid(tmp_path, monkeypatch, call, code, words):
    root = tmp_path / "new" if call == "mkdir" else tmp_path

    def broken(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, broken)
        with pytest.raises(DiskError, match=f"{root.name}: {os.strerror(code)}: .*{words}"):
            Files(root).preflight([PATH])
    assert tree(tmp_path) == set()


def test_a_preflight_names_every_obstacle_at_once_and_ends_somewhere(files, tmp_path):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/hero").write_text("a file")
    for number in range(30):
        (tmp_path / f"{number}.png").mkdir()
    with pytest.raises(DiskError) as caught:
        files.preflight([PATH, *(f"{number}.png" for number in range(30))])
    lines = str(caught.value).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "… and 21 more of this kind"
    with pytest.raises(DiskError, match="outputs/hero: is a file, not a folder"):
        files.preflight([PATH])


def test_a_preflight_of_many_folders_syncs_once(files, tmp_path, monkeypatch):
    for number in range(200):
        (tmp_path / str(number)).mkdir()
    real, synced = os.fsync, []

    def counted(fd):
        synced.append(fd)
        real(fd)

    monkeypatch.setattr(os, "fsync", counted)
    files.preflight([f"{number}/1.png" for number in range(200)])
    assert len(synced) == 2


def test_the_leftovers_of_a_killed_run_are_swept_and_foreign_files_are_not(files, tmp_path):
    script = (
        "import os, sys, signal; from pathlib import Path; from flux_pipeline.files.save import Files\n"
        f"part = Files(Path(sys.argv[1])).part({PATH!r}); part.write(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment, check=False)
    assert child.returncode == -signal.SIGKILL
    (leftover,) = (tmp_path / "outputs/hero").iterdir()
    foreign = [
        ".1.png.part",
        ".1.png.xyz.part",
        ".2.png.0123456789abcdef.part",
        "1.png.0123456789abcdef.part",
        "1.kept-1.png",
        "1.png.rejected",
    ]
    for name in foreign:
        (tmp_path / "outputs/hero" / name).write_text("foreign")
    (tmp_path / "outputs/hero/.1.png.00000000deadbeef.part").symlink_to("1.kept-1.png")
    (tmp_path / "outputs/hero/.1.png.00000000deadbee0.part").mkdir()
    os.mkfifo(tmp_path / "outputs/hero/.1.png.00000000deadbee1.part")
    before = tree(tmp_path)
    assert files.sweep([PATH, "outputs/absent/1.png"]) == 1
    assert tree(tmp_path) == before - {leftover.relative_to(tmp_path).as_posix()}


def test_what_a_living_run_is_writing_is_not_swept(files, tmp_path):
    with files.part(PATH) as part:
        part.write(b"half")
        assert Files(tmp_path).sweep([PATH]) == 0
        assert part.size == 4


def test_a_dead_probe_is_swept_too(files, tmp_path):
    (tmp_path / ".flux-pipeline-probe.0123456789abcdef.part").write_bytes(b"x")
    assert files.sweep([PATH]) == 1
    assert tree(tmp_path) == set()
