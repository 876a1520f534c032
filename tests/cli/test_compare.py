"""`compare`: in a real repository, with the real program, against a simulator."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from decimal import Decimal
from html import unescape
from pathlib import Path

import click
import pytest
from cli import errands
from cli.screens import on_a_terminal
from cli.workshop import Workshop, entry

from flux_pipeline.cli import _run
from flux_pipeline.cli.revision import revision
from flux_pipeline.errors import UsageError
from flux_pipeline.ledger.facts import FileFact, Refused, Settled, Submission
from flux_pipeline.ledger.lockfile import replace as put

ENDPOINT = "https://api.wiro.ai/v1"
AGAINST = ("--against", "HEAD")


def git(folder, *arguments):
    named = ["git", "-c", "user.name=n", "-c", "user.email=e@example.invalid", "-c", "init.defaultBranch=main"]
    done = subprocess.run([*named, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder, *paths):
    git(folder, "init", "-q")
    git(folder, "add", "-f", *paths)
    git(folder, "commit", "-q", "-m", "before")


def picture(number, prompt="1", **known):
    """Return a submission that ended with a picture of which only the lockfile knows."""
    fact = FileFact(sha256="c" * 64, bytes=9, width=64, height=64)
    return Submission(
        id=f"{number}" * 32,
        **{
            "key": prompt * 64,
            "cell": f"hero/seed={number}",
            "intended_at": f"2026-11-23T01:00:0{number}Z",
            "estimate": Decimal("0.03"),
            "tasks": (f"222{number}",),
            "settled": Settled(state="finished", pexit="0", cost=Decimal("0.03"), at="2026-11-23T01:00:09Z"),
            "files": {f"outputs/hero/{number}.png": fact},
        }
        | known,
    )


@pytest.fixture
def desk(tmp_path, monkeypatch, capfd):
    """Return a folder with a manifest and its lockfile in a repository, and a way to call the program there."""
    workshop = Workshop(tmp_path)
    workshop.write(entry(seeds=(1, 2)))
    put(workshop.lockfile, ENDPOINT, [picture(1), picture(2, "2")])
    commit(tmp_path, "manifests")
    return workshop, errands.caller(workshop, monkeypatch, capfd)


def test_a_changed_prompt_is_compared_with_what_was_committed_before_and_after_the_run(workshop, monkeypatch, capfd):
    folder, call = workshop.folder, errands.caller(workshop, monkeypatch, capfd)
    assert call("run", "--no-progress").code == 0
    commit(folder, "manifests", "outputs")
    (folder / "outputs/hero/1.png").unlink()
    workshop.write(entry(seeds=(1, 2, 4), prompt="A teal <b>bottle</b>"))
    before = call("compare", *AGAINST, "--json").document
    assert before["counts"] == {"changed": 2, "added": 1, "removed": 1, "same": 0}
    assert before["cost_usd"] == {"old": 0.09, "new": 0.09, "difference": 0.0, "paid": 0.0, "due": 0.09}
    assert call("run", "--no-progress").code == 0
    after = call("compare", *AGAINST, "-o", "compare.html", "--json").document
    assert after["cost_usd"] == {"old": 0.09, "new": 0.18, "difference": 0.09, "paid": 0.09, "due": 0.0}
    assert Decimal(str(after["cost_usd"]["new"])) == workshop.charged()
    cells = {one["cell"]: one for one in after["cells"]}
    changed = cells["hero/seed=1,size=64x64"]
    assert (changed["old"]["prompt"], changed["new"]["prompt"]) == ("A red bottle", "A teal <b>bottle</b>")
    assert changed["old"]["not_shown"] == "not on disk any more; committed at HEAD"
    assert changed["new"]["on_disk"] == "outputs/hero/1.png"
    page = (folder / "compare.html").read_text()
    assert page.count("<img src=") == page.count('src="data:image/') == 6, "both of two cells, and one of each other"
    assert 'href="outputs/hero/1.png"' in page
    assert "<b>bottle" not in page
    assert workshop.made() == 6, "comparing asked for nothing"


def test_what_has_not_changed_is_the_same_and_exit_code_tells(desk):
    workshop, call = desk
    done = call("compare", *AGAINST, "--exit-code")
    assert (done.code, "Nothing differs." in done.out) == (0, True)
    workshop.write(entry(seeds=(1, 2), prompt="A teal bottle"))
    assert call("compare", *AGAINST).code == 0
    assert call("compare", *AGAINST, "--exit-code").code == 1
    assert call("compare", *AGAINST, "--exit-code", "--select", "*seed=2*").out.count("<details>") == 1
    assert call("compare", *AGAINST, "--select", "nobody*").code == 2


def test_what_was_paid_for_a_prompt_that_was_taken_back_is_listed_and_differs(desk):
    workshop, call = desk
    workshop.lockfile.unlink()
    keys = {one["id"]: one["key"] for one in call("expand", "--json").document["cells"]}
    kept = [picture(at, cell=name, key=key) for at, (name, key) in enumerate(keys.items(), start=1)]
    put(workshop.lockfile, ENDPOINT, kept)
    commit(workshop.folder, "manifests")
    tried = [picture(at + 2, "e", cell=name) for at, name in enumerate(keys, start=1)]
    put(workshop.lockfile, ENDPOINT, [*kept, *tried, picture(5, "f", cell="merged/seed=1")])
    done = call("compare", *AGAINST, "--exit-code", "--format", "text")
    assert (done.code, "Nothing differs" in done.out) == (1, False)
    assert done.out.count("$0.03 → $0.06\n  note     $0.03 was paid in between") == 2
    assert "money    (not in the manifest)  $0.00 → $0.03" in done.out
    assert "2 same (2 of them with something new), and dollars (not in the manifest)" in done.out


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        ({"settled": Settled(state="failed", reason="flagged <b>")}, "task 2221 failed: flagged <b>"),
        ({"settled": Settled(state="cancelled")}, "task 2221 was cancelled"),
        ({"tasks": (), "settled": None, "refused": Refused(code="7", message="no")}, "was refused (7): no"),
        ({"tasks": (), "settled": None}, "nobody knows what came of the submission intended at 2026-11-23T01:00:01Z"),
        ({"settled": None}, "task 2221 was submitted and is not known to have ended"),
        ({"settled": Settled(state="finished", cost=Decimal("0.03"))}, "paid for, not fetched yet; task 2221 has it"),
        (
            {"settled": Settled(state="finished", cost=Decimal("0.03"), reason="empty")},
            "task 2221 was charged $0.03 but has no picture (empty): ask Wiro about it",
        ),
    ],
)
def test_a_cell_without_a_picture_says_why_in_every_form(desk, fate, said):
    workshop, call = desk
    cell = call("expand", "--json").document["cells"][0]
    put(workshop.lockfile, ENDPOINT, [picture(1, cell=cell["id"], key=cell["key"], **({"files": {}} | fate))])
    assert f"  after    {said}\n" in call("compare", *AGAINST, "--format", "text").out
    assert said in unescape(call("compare", *AGAINST, "-o", "compare.html", "--format", "markdown").out)
    assert said in unescape((workshop.folder / "compare.html").read_text())
    told = call("compare", *AGAINST, "--json").document["cells"]
    assert said in [one["new"]["not_shown"] for one in told if one["new"]]
    if fate.get("settled") and fate["settled"].state == "failed":
        assert said in call("status").out


def test_a_terminal_gets_a_comparison_of_its_width_and_colour_where_it_is_asked_for(desk):
    workshop, call = desk
    workshop.write(entry(seeds=(1,), prompt="A teal bottle" + " on a very wide table" * 30))
    code, drawn, _ = on_a_terminal(
        workshop, "compare", "manifests/m.yaml", *AGAINST, "--format", "text", size=(24, 60), TERM="xterm"
    )
    lines = [click.unstyle(line) for line in drawn.splitlines()]
    assert (code, max(map(len, lines)) <= 60) == (0, True)
    assert "\x1b[" in drawn
    assert "\x1b[" in call("compare", *AGAINST, "--format", "text", "--color", "always").out
    assert "\x1b" not in call("compare", *AGAINST, "--format", "text").out


def test_two_lockfiles_are_compared_by_key_and_a_manifest_tells_the_prompts(desk):
    workshop, call = desk
    old, new = workshop.folder / "old.lock", workshop.folder / "new.lock"
    expanded = call("expand", "--json").document["cells"]
    keys = {"key": expanded[0]["key"], "cell": expanded[0]["id"]}
    put(old, ENDPOINT, [picture(1, cell=keys["cell"]), picture(2, "2")])
    put(new, ENDPOINT, [picture(1, cell=keys["cell"]), picture(3, **keys)])
    done = call("compare", old, new, "--format", "text", manifest=None)
    assert "--manifest" in done.out
    assert "1 changed, 1 removed" in done.out
    assert "$0.06 before, $0.06 after ($0.00); $0.03 was paid in between, nothing is due" in done.out
    known = call("compare", old, new, "--manifest", "manifests/m.yaml", "--json", manifest=None).document
    assert [cell["new"]["prompt"] for cell in known["cells"] if cell["new"]] == ["A red bottle"]
    done = call("compare", old, new, "--manifest", "manifests/m.yaml", "--format", "text", manifest=None)
    assert "name the manifest with --manifest" not in done.out
    assert "manifests/m.yaml does not ask for some of these requests now" in done.out
    assert "  prompt   (unknown before) {+A red bottle+}\n" in done.out


def test_two_lockfiles_of_rehearsals_are_said_to_be_rehearsals(desk):
    workshop, call = desk
    old, new, paid = (workshop.folder / f"{name}.lock" for name in ("old", "new", "paid"))
    put(old, "simulator", [picture(1)])
    put(new, "simulator", [picture(1), picture(2)])
    put(paid, ENDPOINT, [picture(1)])
    for form in ("text", "markdown"):
        assert "a rehearsal: nothing was paid" in call("compare", old, new, "--format", form, manifest=None).out
    assert call("compare", old, new, "--json", manifest=None).document["simulated"] is True
    mixed = call("compare", paid, new, "--format", "text", manifest=None).out
    assert f"note: {new} is of a rehearsal: nothing was paid there" in mixed
    assert "note: a rehearsal" not in mixed


def test_a_default_of_a_schema_that_changed_is_a_change(desk):
    workshop, call = desk
    model = "black-forest-labs/flux-2-pro-t2i"
    schema = workshop.folder / "schemas" / "models" / f"{model}.schema.json"
    schema.parent.mkdir(parents=True)
    text = call("schema", model, manifest=None).out
    schema.write_text(text)
    commit(workshop.folder, "schemas")
    schema.write_text(text.replace('"default": 2', '"default": 3'))
    changed = call("compare", *AGAINST, "--json").document["cells"]
    assert [cell["params"] for cell in changed] == [{"safetyTolerance": {"old": 2, "new": 3}}] * 2


def test_a_row_that_changed_in_a_file_is_a_change(desk):
    workshop, call = desk
    rows = workshop.manifest.with_name("rows.csv")
    rows.write_text("sku,color\nA1,red\nA2,teal\n")
    one = {"id": "hero", "prompt": "A {{ color }} bottle", "foreach": "rows.csv", "matrix": {"size": ["64x64"]}}
    workshop.write(one, output="outputs/{{ sku }}.{{ ext }}")
    commit(workshop.folder, "manifests")
    rows.write_text("sku,color\nA1,red\nA2,gold\n")
    done = call("compare", *AGAINST, "--json")
    changed = [cell for cell in done.document["cells"] if cell["differs"]]
    assert [(cell["old"], cell["new"]) for cell in changed if cell["change"] == "same"] == []
    told = {cell["change"]: (cell["old"] or cell["new"])["prompt"] for cell in changed}
    assert told in ({"changed": "A teal bottle"}, {"added": "A gold bottle", "removed": "A teal bottle"})
    assert done.err == ""


def test_a_manifest_that_could_not_be_read_then_is_compared_by_its_lockfile(desk):
    workshop, call = desk
    sound = workshop.manifest.read_text()
    workshop.manifest.write_text("version: 1\nentries: [{id: hero, promt: x}]\n")
    commit(workshop.folder, "manifests")
    workshop.manifest.write_text(sound)
    done = call("compare", *AGAINST, "--json")
    assert (done.code, done.document["counts"]["removed"]) == (0, 2)
    assert "prompts are unknown at HEAD" in done.err
    cell = call("expand", "--json").document["cells"][0]["id"]
    put(workshop.lockfile, ENDPOINT, [picture(1, cell=cell)])
    commit(workshop.folder, workshop.lockfile)
    for form in ("text", "markdown"):
        done = unescape(call("compare", *AGAINST, "--format", form, "-o", "compare.html").out)
        assert (
            "rompts are unknown at HEAD, since manifests/m.yaml cannot be read there: HEAD:manifests/m.yaml:2" in done
        )
        assert "unknown before" in done
    assert "{+A red bottle+}" in call("compare", *AGAINST, "--format", "text").out
    page = unescape((workshop.folder / "compare.html").read_text())
    assert "rompts are unknown at HEAD, since" in page
    assert "<ins>A red bottle</ins>" in page
    document = call("compare", *AGAINST, "--json").document
    assert "unknown at HEAD" in document["notes"][0]
    (changed,) = (one for one in document["cells"] if one["cell"] == cell)
    assert (changed["prompt"], changed["prompt_unknown"]) == ([["new", "A red bottle"]], "unknown before")


@pytest.mark.parametrize(
    "name", ["--output=x", "-h", "", "a b", "HEAD:m", "a..b", "x\ny", "$(touch x)", "main^{tree}", "nobody"]
)
def test_what_is_no_revision_is_refused_and_run_by_nobody(desk, name):
    workshop, call = desk
    before = sorted(workshop.folder.iterdir())
    done = call("compare", f"--against={name}")
    assert (done.code, "--against" in done.err) == (2, True)
    assert sorted(workshop.folder.iterdir()) == before


def test_without_git_without_a_repository_or_without_the_lockfile_there_the_message_says_so(
    desk, tmp_path, monkeypatch
):
    workshop, call = desk
    git(workshop.folder, "rm", "-q", "--cached", "manifests/m.lock")
    git(workshop.folder, "commit", "-q", "-m", "without")
    done = call("compare", *AGAINST)
    assert (done.code, "m.lock is not at HEAD" in done.err) == (2, True)
    assert call("compare", "--against", "HEAD~1").code == 0
    (workshop.folder / ".git").rename(workshop.folder / "elsewhere")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    done = call("compare", *AGAINST)
    assert (done.code, "no git repository" in done.err) == (2, True)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = call("compare", *AGAINST)
    assert (done.code, "needs git" in done.err) == (2, True)


def test_a_damaged_lockfile_is_named_with_its_revision(desk):
    workshop, call = desk
    workshop.lockfile.write_text(workshop.lockfile.read_text().replace('"finished"', '"finishes"', 1))
    commit(workshop.folder, "manifests")
    put(workshop.lockfile, ENDPOINT, [picture(1)])
    done = call("compare", *AGAINST)
    assert (done.code, "HEAD:manifests/m.lock:2" in done.err) == (5, True)


def test_an_unfinished_last_line_is_not_read_and_that_is_said(desk):
    workshop, call = desk
    torn = workshop.folder / "torn.lock"
    torn.write_bytes(workshop.lockfile.read_bytes()[:300])
    said = "is unfinished and was not read"
    assert f"the last line of {torn} {said}" in call("compare", torn, "manifests/m.lock", manifest=None).err
    whole = workshop.lockfile.read_bytes()
    workshop.lockfile.write_bytes(whole[:300])
    assert f"the last line of manifests/m.lock {said}" in call("compare", *AGAINST).err
    commit(workshop.folder, "manifests")
    workshop.lockfile.write_bytes(whole.removesuffix(b"\n"))
    done = call("compare", *AGAINST)
    assert f"the last line of manifests/m.lock at HEAD {said}" in done.err
    assert done.err.count(said) == 1, "where only the line end is missing, the line is read"


def test_wrong_command_lines_end_with_2(desk):
    _, call = desk
    lock = "manifests/m.lock"
    assert call("compare").code == 2
    assert call("compare", lock, *AGAINST).code == 2
    assert call("compare", "nobody.lock", manifest=lock).code == 2
    assert call("compare", lock, "--simulate", manifest=lock).code == 2
    assert call("compare", lock, "-o", "nowhere/x.html", manifest=lock).code == 2
    workshop, _ = desk
    for places in (("manifests/m.yaml", "manifests/m.yaml"), ("manifests/m.yaml", lock), (lock, "manifests/m.yaml")):
        done = call("compare", *places, manifest=None)
        assert (done.code, "manifests/m.yaml is a manifest; use --against REV" in done.err) == (2, True)
    done = call("compare", *AGAINST, "-o", "-")
    assert (done.code, "name one such as compare.html" in done.err, (workshop.folder / "-").exists()) == (
        2,
        True,
        False,
    )


def test_what_is_no_lockfile_is_refused_without_a_hint_at_a_flag_that_is_refused_too(desk):
    workshop, call = desk
    os.mkfifo(workshop.folder / "pipe")
    (workshop.folder / "link.lock").symlink_to("manifests/m.lock")
    for place, what in (
        ("manifests", "a folder"),
        ("", "a folder"),
        ("pipe", "no regular file"),
        ("link.lock", "a symbolic link"),
    ):
        done = call("compare", place, "manifests/m.lock", manifest=None)
        assert (done.code, f"is {what}; name lockfiles such as" in done.err, "--lockfile" in done.err) == (
            2,
            True,
            False,
        )
    (workshop.folder / "bad.lock").write_text("<<<<<<<\n")
    done = call("compare", "bad.lock", "manifests/m.lock", manifest=None)
    assert (done.code, "restore the file" in done.err, "nothing was sent" in done.err) == (5, True, False)


def test_two_forms_at_once_are_refused(desk, monkeypatch):
    _, call = desk
    for arguments in (("compare", *AGAINST, "--format", "text"), ("status", "--format", "csv")):
        done = call(*arguments, "--json")
        assert (done.code, "exclude each other" in done.err) == (2, True)
        assert list(done.document) == ["error", "exit_code"], "and nothing is compared"
    assert call("status", "--format", "json", "--json").code == 0
    monkeypatch.setenv("FLUX_PIPELINE_FORMAT", "csv")
    assert "counts" in call("status", "--json").document


def test_a_comment_without_room_ends_with_a_command_that_shows_the_rest(desk):
    workshop, call = desk
    workshop.write(entry(seeds=range(900), prompt="A teal bottle"))
    flags = ("--select", "hero/*", "--select", "x y", "--max-cells", "1000", "--lockfile", "manifests/m.lock")
    done = call("compare", *AGAINST, *flags, "--exit-code")
    assert done.code == 1
    (command,) = re.findall(r"… and \d+ more; <code>(.*)</code> shows all of them", unescape(done.out))
    program, *words = shlex.split(command)
    assert program == "flux-pipeline"
    shown = call(*words, manifest=None)
    assert (shown.code, "2 changed, 898 added" in shown.out, (workshop.folder / "compare.html").exists()) == (
        0,
        True,
        True,
    )


def test_flags_that_the_environment_sets_for_other_commands_do_not_stop_two_lockfiles(desk, monkeypatch):
    _, call = desk
    monkeypatch.setenv("FLUX_PIPELINE_SIMULATE", "1")
    monkeypatch.setenv("FLUX_PIPELINE_LOCKFILE", "manifests/m.lock")
    done = call("compare", "manifests/m.lock", manifest="manifests/m.lock")
    assert (done.code, "rehearsal" in done.out) == (0, False)


def test_only_a_page_of_its_own_is_replaced(desk):
    workshop, call = desk
    kept = workshop.lockfile.read_bytes()
    done = call("compare", *AGAINST, "-o", "manifests/m.lock")
    assert (done.code, "was left as it is" in done.err, workshop.lockfile.read_bytes()) == (2, True, kept)
    assert call("compare", *AGAINST, "-o", "compare.html").code == 0
    assert call("compare", *AGAINST, "-o", "compare.html").code == 0
    assert [path.name for path in workshop.folder.iterdir() if path.name.endswith(".part")] == []


def test_a_path_of_a_lockfile_that_leaves_the_root_is_not_read(desk):
    workshop, call = desk
    secret = workshop.folder.parent / "secret.png"
    secret.write_bytes(b"x")
    fact = FileFact(
        sha256="2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", bytes=1, width=1, height=1
    )
    old, new = workshop.folder / "old.lock", workshop.folder / "new.lock"
    put(old, ENDPOINT, [picture(1, files={"../secret.png": fact, str(secret): fact})])
    put(new, ENDPOINT, [])
    done = call("compare", old, new, "--json", manifest=None)
    assert [cell["old"]["on_disk"] for cell in done.document["cells"]] == [None]
    assert [cell["old"]["not_shown"] for cell in done.document["cells"]] == ["../secret.png: not below this folder"]


def test_git_is_asked_with_nothing_of_ours_in_its_environment(tmp_path, monkeypatch):
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\nenv >> {tmp_path}/environment\nprintf "%s\\n" "$@" >> {tmp_path}/arguments\nexit 1\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    monkeypatch.setenv("WIRO_API_KEY", "canary-key")
    with pytest.raises(UsageError, match="no git repository"):
        revision("main", Path("manifests/m.yaml"))
    assert "canary" not in (tmp_path / "environment").read_text()
    assert "rev-parse" in (tmp_path / "arguments").read_text()


@pytest.mark.parametrize("color", ["always", "never"])
def test_a_flag_for_all_commands_is_taken_here_too(tmp_path, monkeypatch, capsys, color):
    monkeypatch.chdir(tmp_path)
    for name in ("a.lock", "b.lock"):
        (tmp_path / name).write_text('{"flux_pipeline_lock": 1, "endpoint": "https://api.wiro.ai/v1"}\n')
    assert _run(["compare", "a.lock", "b.lock", "--color", color]) == 0
    assert "nothing to compare" in capsys.readouterr().out
