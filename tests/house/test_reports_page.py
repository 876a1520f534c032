"""What docs/reports.md says is so: its commands are run, its table and its columns compared."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from house.test_documents import ROOT, blocks, mugs, start, table

PAGE = (ROOT / "docs" / "reports.md").read_text()


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """Do what the page says, in its order; return the folder, how to run more, and what was said."""
    folder = tmp_path_factory.mktemp("reader")
    run = start(folder, mugs())
    done = {line: run(line) for lines in blocks(PAGE, "sh") for line in lines.splitlines()}
    return folder, run, done


def test_the_commands_of_the_page_work_in_its_order(reader):
    folder, _, done = reader
    assert {line: one.stderr for line, one in done.items() if one.returncode} == {}
    assert ET.parse(folder / "junit.xml").getroot().get("tests") == "4"


def test_the_table_of_the_page_is_the_program_s_own(reader):
    _, run, _ = reader
    ((command, said),) = re.findall(r"^```\n\$ (.*)\n((?:.+\n)+)```$", PAGE, re.MULTILINE)
    assert run(command).stdout == said


def test_the_columns_of_the_page_are_those_of_the_file(reader):
    _, _, done = reader
    (sheet,) = [one.stdout for line, one in done.items() if "csv" in line]
    named = {row[0].strip("`") for row in table(PAGE, "column")}
    assert set(sheet.splitlines()[0].split(",")) == named | {"day", "in_manifest"}
