"""What helps an author: a first manifest, the prompts alone, and a shell that completes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import jsonschema
import pytest
from cli.workshop import Workshop, entry


@pytest.fixture
def empty(tmp_path):
    """A program in an empty folder, without an account."""
    workshop = Workshop(tmp_path)
    workshop.manifest.parent.rmdir()
    return workshop


def test_init_writes_a_manifest_that_is_sound_and_runs_as_it_is(empty):
    done = empty.call("init")
    assert done.code == 0
    assert empty.call("validate", "manifests/catalog.yaml").out.endswith("sound, 4 cells\n")
    done = empty.call("run", "manifests/catalog.yaml", "--simulate")
    assert done.code == 0, done.err
    assert len(empty.pictures()) == 5  # and .gitkeep


def test_init_puts_the_schema_where_the_manifest_says_that_editors_find_it(empty):
    empty.call("init", "deep/er/m.yaml")
    manifest = empty.folder / "deep/er/m.yaml"
    line = manifest.read_text().splitlines()[0]
    schema = manifest.parent / line.partition("$schema=")[2]
    jsonschema.Draft202012Validator.check_schema(json.loads(schema.read_text()))


def test_init_replaces_nothing_and_adds_lines_only_once(empty):
    (empty.folder / ".gitignore").write_text("mine")
    empty.call("init")
    before = {path: path.read_bytes() for path in empty.folder.rglob("*") if path.is_file()}
    assert before[empty.folder / ".gitignore"].startswith(b"mine\n.flux-pipeline/\n")
    done = empty.call("init")
    assert done.code == 2
    assert "manifests/catalog.yaml exists already" in done.err
    assert empty.call("init", "manifests/second.yaml").code == 0
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("name", ["catalog", "catalog.json"])
def test_init_refuses_a_name_that_no_manifest_has(empty, name):
    done = empty.call("init", name)
    assert done.code == 2
    assert ".yaml" in done.err


def test_init_adds_to_a_file_of_any_encoding_and_waits_for_no_pipe(empty):
    (empty.folder / ".gitignore").write_bytes(b"caf\xe9\n")
    assert empty.call("init").code == 0
    assert (empty.folder / ".gitignore").read_bytes().startswith(b"caf\xe9\n.flux-pipeline/\n")
    (empty.folder / ".gitignore").unlink()
    os.mkfifo(empty.folder / ".gitignore")
    done = empty.call("init", "second.yaml", timeout=20)
    assert (done.code, ".gitignore: it is there and no file; move it away" in done.err) == (2, True)


def test_init_says_plainly_that_a_name_is_too_long_and_writes_nothing(empty):
    done = empty.call("init", f"{'x' * 300}.yaml")
    assert (done.code, "File name too long" in done.err, [*empty.folder.iterdir()]) == (2, True, [])


def test_git_merges_the_lockfiles_of_a_new_project_as_unions(empty):
    empty.call("init")
    subprocess.run(["git", "init", "-q", "."], cwd=empty.folder, check=True)
    told = subprocess.run(
        ["git", "check-attr", "merge", "manifests/catalog.lock"],
        cwd=empty.folder,
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout.endswith("merge: union\n")


def test_expand_prompts_shows_each_prompt_once_with_the_pictures_that_it_is_for(empty):
    empty.manifest.parent.mkdir()
    empty.write(entry(seeds=(1, 2, 3)), entry("tile", seeds=(1,), prompt="A tile\nof clay"))
    out = empty.call("expand", "manifests/m.yaml", "--prompts").out
    assert out.splitlines() == [
        "hero/seed=1,size=64x64 and 2 more",
        "  A red bottle",
        "tile/seed=1,size=64x64",
        "  A tile of clay",
    ]
    document = empty.call("expand", "manifests/m.yaml", "--prompts", "--json").document
    assert [len(one["cells"]) for one in document["prompts"]] == [3, 1]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script_that_it_can_read(empty, shell):
    script = empty.call("completion", shell).out
    assert "_FLUX_PIPELINE_COMPLETE" in script
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ru", "plain,run"),
        ("run --max-co", "plain,--max-cost"),
        ("run manifests/m.yaml --select hero/seed=2", "plain,hero/seed=2,size=64x64"),
        ("plan --select hero/seed=3", ""),
        ("run manifests/none.yaml --select h", ""),
    ],
)
def test_commands_flags_and_ids_of_cells_are_completed(empty, words, found):
    empty.manifest.parent.mkdir()
    empty.write(entry(seeds=(1, 2, 3)))
    line = f"flux-pipeline {words}"
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_FLUX_PIPELINE_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-m", "flux_pipeline"],
        cwd=empty.folder,
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == (found, "")
