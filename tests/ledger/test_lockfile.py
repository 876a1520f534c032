from __future__ import annotations

import errno
import json
import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from ledger.samples import ENDPOINT, history, submission

from flux_pipeline.errors import DiskError, LockfileDamaged, LockfileError, LockfileForeign, LockfileHeld
from flux_pipeline.ledger import lockfile
from flux_pipeline.ledger.contents import read
from flux_pipeline.ledger.facts import Refused, from_line, to_lines
from flux_pipeline.ledger.history import fold
from flux_pipeline.ledger.lockfile import Lockfile

HEADER = b'{"flux_pipeline_lock": 1, "endpoint": "https://api.wiro.ai/v1"}\n'
WHOLE = HEADER + b"".join(map(to_lines, history()))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "catalog.lock"


@pytest.fixture
def written(path):
    """A lockfile as a killed run leaves it: every line appended, nothing sorted."""
    path.write_bytes(WHOLE)
    return path


def held(path):
    return Lockfile(path, ENDPOINT)


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def names(path):
    return {each.name for each in path.parent.iterdir()} - {"catalog.lock.held"}


def test_a_lockfile_can_be_made_where_there_are_no_hard_links(path, monkeypatch):
    def no_links(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with held(path):
        assert path.read_bytes() == HEADER
    assert names(path) == {"catalog.lock"}


# --- writing ---------------------------------------------------------------------------------------------------------


def test_a_new_lockfile_has_its_header_before_any_run_begins(path):
    with held(path) as mine:
        assert path.read_bytes() == HEADER
        assert dict(mine.history.submissions) == {}
    assert names(path) == {"catalog.lock"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_looking_at_a_lockfile_that_is_not_there_makes_none(path):
    assert read(path) is None
    assert names(path) == set()


def test_what_was_appended_is_in_the_file_in_that_order_when_append_returns(path):
    with held(path) as mine:
        for number, fact in enumerate(history(), start=1):
            mine.append([fact])
            assert path.read_bytes() == HEADER + b"".join(map(to_lines, history()[:number]))
        mine.append(history()[:3])
    assert dict(read(path).history.submissions) == dict(fold(history()).submissions)


def test_every_byte_is_in_the_file_before_its_fsync_and_append_returns_only_after_it(path, monkeypatch):
    real, synced = os.fsync, []

    def noted(descriptor):
        synced.append(path.read_bytes())
        real(descriptor)

    with held(path) as mine:
        monkeypatch.setattr(lockfile.os, "fsync", noted)
        mine.append(history()[:2])
    assert synced == [HEADER + b"".join(map(to_lines, history()[:2]))]


def test_many_facts_share_one_write_and_one_fsync(path, monkeypatch):
    calls = []
    with held(path) as mine:
        for call in ("write", "fsync"):
            real = getattr(os, call)
            monkeypatch.setattr(
                lockfile.os, call, lambda *args, call=call, real=real: (calls.append(call), real(*args))[1]
            )
        mine.append(submission(number) for number in range(1, 10))
    assert calls == ["write", "fsync"]


def test_a_clean_end_leaves_one_line_per_submission_sorted_and_the_same_history(written):
    with held(written) as mine:
        mine.rewrite()
    lines = written.read_bytes().splitlines(keepends=True)
    assert lines[0] == HEADER
    found = [from_line(line) for line in lines[1:]]
    assert [one.cell for one in found] == sorted(one.cell for one in found)
    assert {one.id: one for one in found} == dict(fold(history()).submissions)
    assert len(found) == 4
    assert names(written) == {"catalog.lock"}


def test_a_file_in_its_resting_form_is_not_touched_again(written):
    with held(written) as mine:
        mine.rewrite()
    before = written.stat()
    with held(written) as mine:
        mine.rewrite()
    assert (written.stat().st_ino, written.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_two_orders_of_the_same_facts_come_to_rest_in_the_same_bytes(tmp_path):
    ends = set()
    for number, facts in enumerate((history(), history()[::-1], history() * 2)):
        path = tmp_path / f"{number}.lock"
        with held(path) as mine:
            mine.append(facts)
            mine.rewrite()
        ends.add(path.read_bytes())
    assert len(ends) == 1


def test_a_lockfile_keeps_its_permissions_and_can_be_appended_to_after_a_rewrite(written):
    written.chmod(0o600)
    with held(written) as mine:
        mine.rewrite()
        mine.append([submission(9)])
        mine.rewrite()
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert submission(9).id in read(written).history.submissions


def test_closing_twice_closes_nothing_of_anybody_else(path):
    with held(path) as mine:
        mine.close()
        reused = os.open(path, os.O_RDONLY)
    assert os.fstat(reused)
    os.close(reused)


# --- reading what is left of a file ----------------------------------------------------------------------------------


def test_a_file_cut_at_any_byte_keeps_all_whole_lines_or_is_refused_and_is_never_silently_empty(path):
    ends = [number + 1 for number, byte in enumerate(WHOLE) if byte == ord("\n")]
    for cut in range(len(WHOLE)):
        path.write_bytes(WHOLE[:cut])
        if cut < len(HEADER):
            with pytest.raises(LockfileDamaged, match=r"catalog\.lock:1: "):
                read(path)
            continue
        lines = sum(end <= cut for end in ends) - 1 + (cut + 1 in ends)  # without its line end a line still counts
        contents = read(path)
        assert dict(contents.history.submissions) == dict(fold(history()[:lines]).submissions)
        assert WHOLE[:cut] == WHOLE[: contents.sound] + contents.torn


@pytest.mark.parametrize("cut", [len(WHOLE) - 2, len(WHOLE) - 30, len(HEADER) + 1])
def test_a_torn_last_line_is_set_aside_and_the_file_can_be_written_to_again(path, cut):
    path.write_bytes(WHOLE[:cut])
    with held(path) as mine:
        aside = mine.torn
        assert WHOLE[:cut].endswith(b"\n" + aside.read_bytes())
        mine.append([submission(9)])
    assert path.read_bytes() == WHOLE[: WHOLE.rindex(b"\n", 0, cut) + 1] + to_lines(submission(9))
    assert names(path) == {"catalog.lock", "catalog.lock.torn-1"}


def test_torn_lines_of_several_deaths_are_all_kept(path):
    for number in (1, 2, 3):
        path.write_bytes(WHOLE[:-2])
        with held(path) as mine:
            assert mine.torn.name == f"catalog.lock.torn-{number}"


def test_a_last_line_that_lacks_only_its_line_end_counts_and_is_mended(path):
    path.write_bytes(WHOLE[:-1])
    with held(path) as mine:
        assert mine.torn is None
        assert dict(mine.history.submissions) == dict(fold(history()).submissions)
        mine.append([submission(9)])
    assert path.read_bytes() == WHOLE + to_lines(submission(9))


def test_reading_without_the_lock_sets_nothing_aside(path):
    path.write_bytes(WHOLE[:-5])
    assert len(read(path).torn) > 0
    assert path.read_bytes() == WHOLE[:-5]
    assert names(path) == {"catalog.lock"}


@pytest.mark.parametrize("pattern", [0x01, 0x20, 0x80, 0xFF])
def test_a_single_changed_byte_anywhere_is_noticed_or_changes_nothing(path, pattern):
    sound = dict(fold(history()).submissions)
    for place in range(len(WHOLE)):
        path.write_bytes(WHOLE[:place] + bytes([WHOLE[place] ^ pattern]) + WHOLE[place + 1 :])
        try:
            contents = read(path)
        except (LockfileDamaged, LockfileForeign):
            continue
        assert contents.endpoint != ENDPOINT or dict(contents.history.submissions) == sound, place
        assert contents.endpoint == ENDPOINT or place < len(HEADER)


def test_a_sector_of_zeros_in_the_middle_is_noticed(path):
    for start in range(len(HEADER), len(WHOLE) - 512, 97):
        path.write_bytes(WHOLE[:start] + bytes(512) + WHOLE[start + 512 :])
        with pytest.raises(LockfileDamaged):
            read(path)


def test_a_torn_line_in_the_middle_stops_with_its_number(path):
    lines = WHOLE.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], lines[3][:50], *lines[4:]]))
    with pytest.raises(LockfileDamaged, match=r"catalog\.lock:4: .*flux-pipeline merge"):
        held(path)


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", "=======", ">>>>>>> branch", "||||||| base"])
@pytest.mark.parametrize("number", [1, 2, 5])
def test_conflict_markers_are_called_by_their_name(path, marker, number):
    lines = WHOLE.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[: number - 1], f"{marker}\n".encode(), *lines[number - 1 :]]))
    with pytest.raises(LockfileDamaged, match=rf"catalog\.lock:{number}: conflict markers of a git merge"):
        held(path)
    assert path.read_bytes().count(marker.encode()) == 1


@pytest.mark.parametrize(
    ("header", "kind", "words"),
    [
        (b"", LockfileDamaged, ":1: the header is missing"),
        (b"\n", LockfileDamaged, ":1: this is not the header"),
        (b"{}\n", LockfileDamaged, ":1: this is not the header"),
        (b"[]\n", LockfileDamaged, ":1: this is not the header"),
        (b"hello\n", LockfileDamaged, ":1: this is not the header"),
        (bytes(600), LockfileDamaged, ":1: the header is missing"),
        (bytes(600) + b"\n", LockfileDamaged, ":1: this is not the header"),
        (HEADER.replace(b"1", b"0", 1), LockfileDamaged, ":1: this is not the header"),
        (HEADER.replace(b"1", b'"1"', 1), LockfileDamaged, ":1: this is not the header"),
        (HEADER.replace(b'"https://api.wiro.ai/v1"', b"5"), LockfileDamaged, ":1: this is not the header"),
        (HEADER.replace(b"1", b"2", 1), LockfileForeign, "newer version .format 2; this one reads 1."),
        (HEADER.replace(b"1", b"99", 1), LockfileForeign, "newer version"),
        (HEADER.replace(b"wiro", b"other"), LockfileForeign, "belongs to https://api.other.ai/v1"),
    ],
)
def test_a_file_without_the_right_header_is_never_taken_for_a_fresh_start(path, header, kind, words):
    path.write_bytes(header)
    with pytest.raises(kind, match=words):
        held(path)
    assert path.read_bytes() == header
    assert names(path) == {"catalog.lock"}


def test_two_keys_for_one_submission_are_damage(path):
    lines = to_lines(submission(1)) + to_lines(submission(1, key="e" * 64))
    path.write_bytes(HEADER + lines)
    with pytest.raises(LockfileDamaged, match=f"two keys for the submission {'1' * 32}"):
        read(path)


@pytest.mark.parametrize(
    "dressed",
    [
        WHOLE.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + WHOLE,
        b"\xef\xbb\xbf" + WHOLE.replace(b"\n", b"\r\n"),
        WHOLE.replace(b"\n", b"\n\n"),
        WHOLE.replace(b"\n", b"\r\n")[:-1],
    ],
    ids=["CRLF", "BOM", "BOM and CRLF", "blank lines", "CRLF cut in two"],
)
def test_what_editors_and_git_do_to_line_ends_does_no_harm(path, dressed):
    path.write_bytes(dressed)
    with held(path) as mine:
        assert dict(mine.history.submissions) == dict(fold(history()).submissions)
        mine.append([submission(9)])
        assert len(read(path).history.submissions) == 5
        mine.rewrite()
    assert path.read_bytes().count(b"\r") == 0
    assert path.read_bytes().startswith(HEADER)
    assert len(read(path).history.submissions) == 5


@pytest.mark.parametrize("thing", ["link", "dangling link", "folder", "pipe"])
def test_anything_but_a_file_is_refused_and_left_alone(path, thing, tmp_path):
    real = tmp_path / "real.lock"
    if "link" in thing:
        path.symlink_to(real)
        if thing == "link":
            real.write_bytes(WHOLE)
    elif thing == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    before = open_files()
    for attempt in (held, read):
        with pytest.raises(LockfileDamaged, match="--lockfile"):
            attempt(path)
    assert open_files() == before
    assert not real.exists() or real.read_bytes() == WHOLE


# --- one run at a time -----------------------------------------------------------------------------------------------


def test_a_second_run_is_told_who_holds_the_lockfile(written):
    with held(written), pytest.raises(LockfileHeld, match=rf"process {os.getpid()} on \S+, since 2\d+-.*Z\)"):
        held(written)
    held(written).close()
    assert written.read_bytes() == WHOLE


def test_a_run_that_may_not_have_the_lockfile_leaves_it_to_others(path):
    path.write_bytes(b"damaged")
    with pytest.raises(LockfileDamaged):
        held(path)
    path.write_bytes(WHOLE)
    held(path).close()


_HOLD = "import sys, pathlib; from flux_pipeline.ledger.lockfile import Lockfile\n"
_HOLD += f"mine = Lockfile(pathlib.Path(sys.argv[1]), {ENDPOINT!r}); print('held', flush=True); sys.stdin.read()"


def test_another_process_that_is_killed_gives_the_lock_back_at_once(written):
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(written)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LockfileHeld, match=f"process {other.pid} on"):
            held(written)
        other.kill()
        other.wait()
        held(written).close()


def test_an_unreadable_note_about_the_holder_is_no_reason_to_fail(written):
    with held(written):
        written.with_name("catalog.lock.held").write_text("\x00 nonsense")
        with pytest.raises(LockfileHeld, match="is held by another run; wait"):
            held(written)


def test_reading_needs_no_lock(written):
    with held(written) as mine:
        mine.append([submission(9)])
        assert len(read(written).history.submissions) == 5


def _append(path, number):
    try:
        with Lockfile(path, ENDPOINT) as mine:
            mine.append([submission(number)])
    except LockfileHeld:
        return 0
    return 1


def test_of_many_processes_only_those_that_held_the_lock_have_written(path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        held_it = sum(pool.starmap(_append, [(path, number) for number in range(1, 10)]))
    assert len(read(path).history.submissions) == held_it >= 1


# --- what happens to the file during a run ---------------------------------------------------------------------------


def replaced(path):
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").replace(path)


def appended_to(path):
    with path.open("ab") as file:
        file.write(to_lines(submission(8)))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda path: path.unlink(), "was deleted"),
        (replaced, "was replaced or changed"),
        (appended_to, "was replaced or changed"),
        (lambda path: os.truncate(path, len(HEADER)), "was replaced or changed"),
        (lambda path: path.rename(path.with_name("moved")), "was deleted"),
        (lambda path: (path.rename(path.with_name("moved")), path.symlink_to("moved")), "was replaced or changed"),
    ],
    ids=["deleted", "replaced", "appended to", "truncated", "moved", "moved behind a link"],
)
def test_a_file_that_somebody_else_touches_during_a_run_is_never_written_to_again(written, act, words):
    with held(written) as mine:
        act(written)
        left = written.read_bytes() if written.exists() else None
        with pytest.raises(LockfileError, match=words):
            mine.append([submission(9)])
        with pytest.raises(DiskError, match=words):
            mine.append([submission(9)])
        mine.rewrite()
        assert (written.read_bytes() if written.exists() else None) == left


def test_a_rewrite_does_not_replace_a_file_that_somebody_else_put_there(written):
    with held(written) as mine:
        replaced(written)
        with pytest.raises(LockfileError):
            mine.rewrite()
    assert written.read_bytes() == WHOLE


def test_a_short_write_is_taken_back_and_nothing_further_is_accepted(written, monkeypatch):
    real = os.write
    with held(written) as mine:
        monkeypatch.setattr(lockfile.os, "write", lambda descriptor, data: real(descriptor, data[: len(data) // 2]))
        with pytest.raises(DiskError, match="bytes were written; nothing more is submitted"):
            mine.append([submission(8), submission(9)])
        assert written.read_bytes() == WHOLE
        monkeypatch.undo()
        with pytest.raises(DiskError, match="bytes were written"):
            mine.append([submission(9)])
        mine.rewrite()
    assert written.read_bytes() == WHOLE


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EFBIG])
def test_a_write_that_fails_leaves_the_file_as_it_was(written, monkeypatch, code):
    def broken(*_):
        raise OSError(code, os.strerror(code))

    with held(written) as mine:
        monkeypatch.setattr(lockfile.os, "write", broken)
        with pytest.raises(DiskError, match=os.strerror(code)):
            mine.append([submission(9)])
        monkeypatch.undo()
        with pytest.raises(DiskError, match=os.strerror(code)):
            mine.append([submission(9)])
    assert written.read_bytes() == WHOLE


def test_a_failed_fsync_is_never_tried_again_and_nothing_further_is_accepted(written, monkeypatch):
    calls = []

    def broken(descriptor):
        calls.append(descriptor)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with held(written) as mine:
        monkeypatch.setattr(lockfile.os, "fsync", broken)
        for _ in range(3):
            with pytest.raises(DiskError, match="Input/output error"):
                mine.append([submission(9)])
        mine.rewrite()
        assert submission(9).id not in mine.history.submissions
    assert len(calls) == 1
    assert read(written).history.submissions.keys() >= fold(history()).submissions.keys()


@pytest.mark.parametrize("call", ["fsync", "fchmod", "close"])
def test_a_rewrite_that_fails_leaves_the_old_file_or_the_new_one_and_no_other(written, monkeypatch, call):
    real = getattr(os, call)
    with held(written) as mine:
        calls = []

        def broken(*args):
            calls.append(args)
            if call == "close":
                real(*args)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(lockfile.os, call, broken)
        with pytest.raises(DiskError, match="Input/output error"):
            mine.rewrite()
        monkeypatch.undo()
    assert names(written) == {"catalog.lock"}
    assert dict(read(written).history.submissions) == dict(fold(history()).submissions)


@pytest.mark.parametrize("call", ["write", "fsync", "link"])
def test_a_lockfile_that_cannot_be_created_leaves_nothing_that_looks_like_one(path, monkeypatch, call):
    def broken(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if call == "write":
        monkeypatch.setattr(lockfile, "write_beside", broken)
    else:
        monkeypatch.setattr(lockfile.os, call, broken)
    with pytest.raises(DiskError, match="No space left"):
        held(path)
    assert names(path) == set()
    monkeypatch.undo()
    held(path).close()


def test_a_folder_that_may_not_be_written_is_a_disk_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError):
        held(tmp_path / "file" / "catalog.lock")


# --- git -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def git(tmp_path, path):
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "tester@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }

    def run(*words):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True, env=environment)

    run("init", "-q", "-b", "main")
    (tmp_path / ".gitattributes").write_text("*.lock merge=union -text\n")
    (tmp_path / ".gitignore").write_text("*.held\n")
    return run


def _commit(git, path, facts, *, rest):
    with held(path) as mine:
        mine.append(facts)
        if rest:
            mine.rewrite()
    git("add", "-A")
    git("commit", "-q", "-m", "facts")


@pytest.mark.parametrize("rest", [True, False], ids=["at rest", "as appended"])
def test_git_merges_two_branches_of_facts_into_their_union(git, path, rest):
    lines = history()
    intents, ours, theirs = lines[:2], [lines[2], *lines[4:]], [lines[3], lines[9], submission(7, cell="hero/neu")]
    twice = submission(1, refused=Refused(code="x", message="y"))
    _commit(git, path, intents, rest=rest)
    git("checkout", "-q", "-b", "theirs")
    _commit(git, path, [*theirs, twice], rest=rest)
    git("checkout", "-q", "main")
    _commit(git, path, ours, rest=rest)
    git("merge", "-q", "theirs", "-m", "merge")
    assert dict(read(path).history.submissions) == dict(fold([*intents, *ours, *theirs, twice]).submissions)


def test_two_branches_that_paid_for_one_render_keep_both_tasks(git, path):
    key = "9" * 64
    _commit(git, path, [], rest=True)
    git("checkout", "-q", "-b", "theirs")
    _commit(git, path, [submission(1, key=key, tasks=("2221",))], rest=True)
    git("checkout", "-q", "main")
    _commit(git, path, [submission(2, key=key, tasks=("2222",))], rest=True)
    git("merge", "-q", "theirs", "-m", "merge")
    assert set(read(path).history.claimed()) == {"2221", "2222"}
    assert len(read(path).history.of(key)) == 2


def test_the_header_is_the_one_that_the_documentation_shows(path):
    held(path).close()
    assert json.loads(path.read_bytes()) == {"flux_pipeline_lock": 1, "endpoint": ENDPOINT}
