"""A run that dies before any one of its system calls: simulated by letting that call, and all later ones, never happen."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
from files.samples import expect, png, save, tree

from flux_pipeline.files.save import Files

PATH = "outputs/1.png"
CHANGING = ("open", "write", "fsync", "link", "rename", "unlink", "mkdir", "ftruncate")


class Died(BaseException):
    """Not an error that anything may handle."""


def dying(patch, at: int) -> set[int]:
    """Return the descriptors that will be open at the death, for the kernel's part: to close them, and so unlock."""
    calls = 0

    def guarded(real):
        def call(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls > at:
                raise Died
            return real(*args, **kwargs)

        return call

    for name in CHANGING:
        patch.setattr(os, name, guarded(getattr(os, name)))
    opened: set[int] = set()
    opener, closer = os.open, os.close

    def noted_open(*args, **kwargs):
        fd = opener(*args, **kwargs)
        opened.add(fd)
        return fd

    def noted_close(fd):
        opened.discard(fd)
        closer(fd)

    patch.setattr(os, "open", noted_open)
    patch.setattr(os, "close", noted_close)
    return opened


def every_death(monkeypatch, tmp_path, prepare, act):
    """Yield the root after a death before each call in turn, until one run comes through."""
    for at in range(200):
        root = tmp_path / str(at)
        root.mkdir()
        prepare(root)
        with monkeypatch.context() as patch:
            opened = dying(patch, at)
            try:
                act(Files(root))
            except Died:
                alive = False
            else:
                alive = True
        for fd in opened:
            with suppress(OSError):  # a file object has closed its own
                os.close(fd)
        yield root
        if alive:
            assert at > 5
            return
    pytest.fail("it never came through")


def visible(root):
    return [path.read_bytes() for path in root.rglob("*") if path.is_file() and not path.name.endswith(".part")]


@pytest.mark.parametrize("there", ["nothing", "ours", "foreign"])
def test_at_any_death_of_a_saving_the_final_path_is_absent_or_whole_and_the_next_run_comes_through(
    monkeypatch, tmp_path, there
):
    old = b"a drawing" if there == "foreign" else png(1)
    ours = frozenset({save(Files(tmp_path), "ours.png", png(1)).sha256})

    def prepare(root):
        if there != "nothing":
            (root / "outputs").mkdir()
            (root / PATH).write_bytes(old)

    def act(files):
        part = files.part(PATH)
        part.write(png(2))
        part.finish(expect(), ours=ours)

    for root in every_death(monkeypatch, tmp_path, prepare, act):
        assert not (root / PATH).exists() or (root / PATH).read_bytes() in {old, png(2)}
        if there == "foreign":
            assert old in visible(root)
        files = Files(root)
        files.sweep([PATH])
        assert not [name for name in tree(root) if name.endswith(".part")]
        save(files, PATH, png(2), ours=ours)
        assert (root / PATH).read_bytes() == png(2)
        assert there != "foreign" or old in visible(root)


def test_at_any_death_of_a_swap_every_picture_is_on_disk_under_some_name(monkeypatch, tmp_path):
    names = ["a/1.png", "b/2.png"]
    source = Files(tmp_path / "known")
    known = {name: save(source, name, png(seed)) for seed, name in enumerate(names)}

    def prepare(root):
        for seed, name in enumerate(names):
            save(Files(root), name, png(seed))

    def act(files):
        files.copy([tuple(names), tuple(reversed(names))], known)

    for root in every_death(monkeypatch, tmp_path, prepare, act):
        Files(root).sweep(names)
        assert not [name for name in tree(root) if name.endswith(".part")]
        assert set(visible(root)) >= {png(0), png(1)}
