"""Promises about the processes in which pictures are checked: what they do to themselves is their own affair."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from files.samples import bare_png, encoded, expect, jpeg, noise, png

from flux_pipeline.errors import DiskError, StoppedError
from flux_pipeline.files import decoder
from flux_pipeline.files.checker import DIED, Checker
from flux_pipeline.files.decoder import Limits
from flux_pipeline.files.image import Picture, Rejected, inspect
from flux_pipeline.files.save import Files

# A child that does to itself what the name of the file says, before it checks the file.
WILD = """
import json, os, signal, sys, time
sys.path[:] = json.loads(sys.argv[1])["path"]
from flux_pipeline.files import decoder
from flux_pipeline.files.image import Rejected, inspect

def wild(path, expect):
    match path.stem.split("-"):
        case ["signal", number]: os.kill(os.getpid(), int(number))
        case ["leave", code]: os._exit(int(code))
        case ["hang"]: time.sleep(60)
        case ["spin"]:
            while True: pass
        case ["eat"]: hoard = [bytearray(1 << 26) for _ in range(1 << 10)]
        case ["raise"]: raise ValueError("a fault")
        case ["babble"]: os.write(1, b"no JSON at all\\n"); time.sleep(60)
        case ["chatter"]: os.write(1, b"x" * 200_000); time.sleep(60)
        case ["lie"]: os.write(1, b'{"sha256": "0", "bytes": -1}\\n'); time.sleep(60)
        case ["deep"]: os.write(1, b"[" * 60_000 + b"\\n"); time.sleep(60)
        case ["half"]: os.write(1, b'{"rejected": "is'); os._exit(0)
        case ["tell"]:
            return Rejected(json.dumps({
                "environ": dict(os.environ), "pid": os.getpid(), "session": os.getsid(0),
                "fds": sorted(os.readlink(f"/proc/self/fd/{fd}").split(":")[0] for fd in os.listdir("/proc/self/fd")
                              if os.path.exists(f"/proc/self/fd/{fd}")),
                "modules": sorted(sys.modules), "cwd": os.getcwd(),
            }))
        case ["write"]:
            fd = os.open(path.with_suffix(".out"), os.O_WRONLY | os.O_CREAT)
            os.write(fd, b"x")
    return inspect(path, expect)

given = json.loads(sys.argv[1])
decoder.serve(sys.stdin.buffer, sys.stdout.buffer, decoder.Limits(**given["limits"]), wild)
"""


@pytest.fixture
def picture(tmp_path):
    def make(name="1.png", data=None):
        path = tmp_path / name
        path.write_bytes(png() if data is None else data)
        return path

    return make


def told(checks, path):
    return json.loads(checks.inspect(path, expect()).reason)


def gone(pid):
    """Wait for a process to end; it may stay a zombie where nobody reaps orphans."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (png(), expect()),
        (jpeg(), expect("jpeg")),
        (png(), expect(width=65)),
        (png()[:-3], expect()),
        (b"", expect()),
        (b"<html>", expect()),
        (png(), expect("jpeg")),
        (png(), expect(promised=3)),
    ],
)
def test_a_child_judges_as_this_process_would(picture, data, wanted):
    path = picture(data=data)
    with Checker() as checks:
        assert checks.inspect(path, wanted) == inspect(path, wanted)


def test_a_file_name_of_any_bytes_is_found(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b'/\xff \n"\xc3\xa9.png'))
    path.write_bytes(png())
    with Checker() as checks:
        assert isinstance(checks.inspect(path, expect()), Picture)


def test_a_disk_that_does_not_give_the_file_is_the_disks_fault(tmp_path, picture):
    with Checker() as checks:
        with pytest.raises(DiskError, match="No such file"):
            checks.inspect(tmp_path / "absent.png", expect())
        assert isinstance(checks.inspect(picture(), expect()), Picture)


@pytest.mark.parametrize(
    "what",
    [
        f"signal-{int(signal.SIGSEGV)}", f"signal-{int(signal.SIGKILL)}", f"signal-{int(signal.SIGABRT)}",
        "leave-0", "leave-1", "hang", "spin", "raise", "babble", "chatter", "lie", "deep", "half", "eat",
    ],
)  # fmt: skip
def test_whatever_ends_or_stalls_a_child_rejects_one_file_and_the_next_is_checked_fine(picture, what):
    with Checker(Limits(seconds=0.4, cpu=1), program=WILD) as checks:
        assert checks.inspect(picture(f"{what}.png"), expect()) == DIED
        assert isinstance(checks.inspect(picture(), expect()), Picture)


def test_a_check_that_spins_is_ended_by_its_own_limit_of_cpu_time(picture):
    with Checker(Limits(seconds=20, cpu=0), program=WILD) as checks:
        began = time.monotonic()
        assert checks.inspect(picture("spin.png"), expect()) == DIED
    assert time.monotonic() - began < 8


def test_the_limit_of_cpu_time_is_for_each_check_and_not_for_all_of_them(picture):
    path = picture(data=bare_png(3000, 3000))
    with Checker(Limits(cpu=1)) as checks:
        verdicts = {checks.inspect(path, expect(width=3000, height=3000)) for _ in range(24)}
    assert verdicts == {Rejected("is blank: every pixel is the same colour")}


def test_a_picture_that_needs_more_memory_than_allowed_is_rejected(picture):
    path, wanted = picture("big.png", encoded(noise(6000, 6000), compress_level=1)), expect(width=6000, height=6000)
    with Checker(Limits(memory=160 << 20)) as checks:
        assert isinstance(checks.inspect(path, wanted), Rejected)
        assert isinstance(checks.inspect(picture(), expect()), Picture)
    with Checker() as checks:
        assert isinstance(checks.inspect(path, wanted), Picture)


def test_a_rejected_file_is_put_aside_and_the_others_are_saved(tmp_path):
    with Checker(Limits(seconds=5), program=WILD.replace("path.stem.split", "expect.format.split")) as checks:
        files = Files(tmp_path, checks.inspect)
        with files.part("a/1.png") as part:
            part.write(png())
            assert part.finish(expect(f"signal-{int(signal.SIGSEGV)}"), ours=frozenset()) == DIED
        with files.part("a/2.png") as part:
            part.write(png())
            assert isinstance(part.finish(expect(), ours=frozenset()), Picture)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["1.png.rejected", "2.png"]


def test_a_child_knows_no_api_key_holds_nothing_of_ours_and_cannot_write_a_byte(picture, monkeypatch):
    monkeypatch.setenv("WIRO_API_KEY", "canary")
    with Checker(program=WILD) as checks:
        child = told(checks, picture("tell.png"))
        assert checks.inspect(writes := picture("write.png"), expect()) == DIED
    assert writes.with_suffix(".out").read_bytes() == b""
    assert set(child["environ"]) <= {"LC_CTYPE", "LD_LIBRARY_PATH"}
    assert "canary" not in json.dumps(child)
    assert child["fds"] == ["/dev/null", "pipe", "pipe"]
    assert (child["session"], child["cwd"]) == (child["pid"], "/")
    assert not {"httpx", "aiohttp", "asyncio", "ssl", "pickle", "flux_pipeline.wiro"} & set(child["modules"])


def test_no_child_is_begun_before_there_is_something_to_check_and_none_is_left_after(picture):
    with Checker(program=WILD) as checks:
        assert not checks._idle
        pid = told(checks, picture("tell.png"))["pid"]
        assert told(checks, picture("tell.png"))["pid"] == pid
    assert gone(pid)


def test_a_child_is_replaced_after_its_share_of_checks(picture):
    path = picture("tell.png")
    with Checker(program=WILD, checks=2) as checks:
        pids = [told(checks, path)["pid"] for _ in range(6)]
    assert pids[0::2] == pids[1::2]
    assert len(set(pids)) == 3


def test_a_child_that_died_while_idle_costs_no_file(picture):
    with Checker(program=WILD) as checks:
        pid = told(checks, picture("tell.png"))["pid"]
        os.kill(pid, signal.SIGKILL)
        assert gone(pid)
        assert isinstance(checks.inspect(picture(), expect()), Picture)


def test_many_threads_share_two_children(picture):
    path = picture("tell.png")
    with Checker(program=WILD) as checks, ThreadPoolExecutor(8) as threads:
        pids = {child["pid"] for child in threads.map(lambda _: told(checks, path), range(200))}
    assert len(pids) == 2


def test_closing_ends_checks_that_hang_and_judges_no_file(picture):
    errors = []

    def check():
        try:
            checks.inspect(picture("hang.png"), expect())
        except StoppedError as error:
            errors.append(error)

    checks = Checker(program=WILD)
    thread = threading.Thread(target=check)
    thread.start()
    while not any(child.checks for child in checks._busy):
        time.sleep(0.01)
    checks.close()
    thread.join(2)
    assert (thread.is_alive(), len(errors)) == (False, 1)
    with pytest.raises(StoppedError, match="nothing is paid twice"):
        checks.inspect(picture(), expect())
    checks.close()


@pytest.mark.parametrize("program", ["raise SystemExit(1)", "print('hello')", "import no_such_module"])
def test_a_child_that_does_not_even_start_stops_the_run_and_rejects_nothing(picture, program):
    with Checker(program=program) as checks, pytest.raises(StoppedError, match="does not start"):
        checks.inspect(picture(), expect())


def test_an_interpreter_that_cannot_be_started_stops_the_run(picture, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with Checker() as checks, pytest.raises(StoppedError, match="/nowhere/python: No such file"):
        checks.inspect(picture(), expect())


PARENT = """
import sys, threading, time
from pathlib import Path
from files.samples import expect
from files.test_checker import WILD
from flux_pipeline.files.checker import Checker
from flux_pipeline.files.decoder import Limits
checks = Checker(Limits(seconds=0.8), program=WILD)
print(checks.inspect(Path(sys.argv[1]), expect()).reason, flush=True)
threading.Thread(target=checks.inspect, args=(Path(sys.argv[2]), expect())).start()
time.sleep(60)
"""


@pytest.mark.parametrize("busy", [False, True])
def test_a_child_is_gone_soon_after_its_parent_was_killed(picture, busy):
    """An idle child sees the end of its questions; one that hangs is ended by its alarm, whatever its decoder does."""
    second = picture("hang.png") if busy else picture()
    path = os.pathsep.join(str(place) for place in (Path(__file__).parents[1], Path(__file__).parents[2]))
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, picture("tell.png"), second],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path},
    )
    with parent:
        child = json.loads(parent.stdout.readline())
        time.sleep(0.1)
        parent.kill()
    assert gone(child["pid"])


def test_the_child_in_this_process_answers_line_by_line(picture, monkeypatch):
    """Its limits left out: they would be this process's."""
    monkeypatch.setattr(decoder, "_give_up_rights", lambda limits: None)
    monkeypatch.setattr(decoder, "_wind_up", lambda limits: None)
    paths = [picture(), picture("2.png", b""), Path("/nowhere/3.png")]
    sent = b"".join(decoder.question(path, expect()) for path in paths)
    with (picture("q", sent)).open("rb") as questions, (picture("a", b"")).open("r+b") as answers:
        decoder.serve(questions, answers, Limits())
        answers.seek(0)
        ready, *lines = answers.readlines()
    assert ready == decoder.READY
    assert decoder.answer(lines[0], expect()) == inspect(paths[0], expect())
    assert decoder.answer(lines[1], expect()) == Rejected("is empty")
    with pytest.raises(DiskError):
        decoder.answer(lines[2], expect())


@pytest.mark.alone
def test_small_pictures_are_checked_at_200_a_second_at_least(picture):
    path = picture()
    with Checker() as checks, ThreadPoolExecutor(8) as threads:
        began = time.monotonic()
        list(threads.map(lambda _: checks.inspect(path, expect()), range(600)))
        assert 600 / (time.monotonic() - began) > 200
