"""What docs/compare.md says is so: its commands are run, and its transcript compared."""

from __future__ import annotations

import re

import pytest
from house.test_documents import ROOT, blocks, mugs, start

PAGE = (ROOT / "docs" / "compare.md").read_text()
GIT = "git -c user.name=n -c user.email=e@example.invalid -c init.defaultBranch=main"


@pytest.fixture
def reader(tmp_path):
    """Stand where a reader of the page stands: with a rehearsal that is committed, and one picture of the next."""
    run = start(tmp_path, mugs())

    def done(lines):
        ended = run(lines)
        assert ended.returncode == 0, f"{lines}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    done("flux-pipeline run manifests/mugs.yaml --simulate --no-progress")
    done(f"{GIT} init -q . && git add manifests outputs && {GIT} commit -q -m before")
    manifest = tmp_path / "manifests" / "mugs.yaml"
    manifest.write_text(manifest.read_text().replace("soft morning light", "hard noon light"))
    done("flux-pipeline run manifests/mugs.yaml --simulate --no-progress --limit 1")
    return tmp_path, done


def test_the_commands_of_the_page_work_in_its_order_and_print_what_it_shows(reader):
    folder, done = reader
    for lines in blocks(PAGE, "sh"):
        assert done(lines)
    assert (folder / "compare.html").read_text().startswith("<!doctype html>")
    ((command, said),) = re.findall(r"^```\n\$ (.*)\n((?:.+\n)+)```$", PAGE, re.MULTILINE)
    assert done(command) == said
