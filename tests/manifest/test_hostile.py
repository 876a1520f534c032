"""No manifest, however hostile, ends in a traceback, hangs, or fills the memory; each is refused in plain words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from manifest.bombs import BOMBS, MEMORY, SECONDS
from tempo import PATIENCE

from flux_pipeline.errors import ManifestError
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas

HERE = Path(__file__).parent
FILES = sorted(file for file in (HERE / "hostile").iterdir() if file.suffix == ".yaml")
SCHEMAS = Schemas()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_hostile_manifest_gives_exactly_the_problems_beside_it(file):
    try:
        problems = expand(file.read_bytes(), file=file.name, schemas=SCHEMAS).warnings
    except ManifestError as error:
        problems = error.problems
    told = "".join(f"{problem.severity} {problem.code} {problem}\n" for problem in problems)
    assert told == file.with_suffix(".txt").read_text("utf-8")
    assert told.replace("\n", "").isprintable()


def test_there_are_many_hostile_manifests():
    assert len(FILES) >= 40
    assert len(BOMBS) >= 80


@pytest.fixture(scope="module")
def defused():
    script = HERE / "bombs.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False, cwd=HERE.parents[1]
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {told["name"]: told for told in map(json.loads, done.stdout.splitlines())}


@pytest.mark.alone
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_judged_within_two_seconds_and_half_a_gibibyte(defused, name):
    told, code = defused[name], BOMBS[name][1]
    assert "raised" not in told, told
    assert told["seconds"] < SECONDS * PATIENCE, told
    assert told["bytes"] < MEMORY, told
    assert told["shown"] < 1 << 20, told  # nobody reads a megabyte of complaints
    assert code in told["codes"] or (code is None and "cells" in told), told
