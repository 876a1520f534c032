"""Rows of files on the command line, and what a plan says beside its steps."""

from __future__ import annotations

import os

import pytest

MANIFEST = """\
version: 1
output: "outputs/{{ entry }}/{{ sku }}-{{ seed }}.{{ ext }}"
entries:
  - id: hero
    prompt: "A bottle of {{ product }}"
    foreach: ROWS
    matrix: {seed: {count: 2}}
  - id: card
    prompt: A card
    vars: {sku: none}
"""


@pytest.fixture
def shelf(workshop):
    """Return a workshop whose manifest names rows beside it, and a way to write them."""

    def put(name, text, rows=None):
        file = workshop.manifest.parent / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        workshop.manifest.write_text(MANIFEST.replace("ROWS", rows or name))
        return workshop

    return put


def test_rows_are_found_beside_the_manifest_wherever_the_command_runs(shelf):
    workshop = shelf("data/products.csv", "sku,product\nA1,tonic\nB2,gin\n")
    cells = workshop.call("expand", str(workshop.manifest), "--json").document["cells"]
    assert [cell["params"]["prompt"] for cell in cells] == [
        "A bottle of tonic", "A bottle of tonic", "A bottle of gin", "A bottle of gin", "A card",
    ]  # fmt: skip
    assert cells[0]["row"] == {"sku": "A1", "product": "tonic"}
    assert cells[0]["axes"] == {"seed": cells[0]["params"]["seed"]}
    assert "row" not in cells[4]


def test_rows_above_the_manifest_s_folder_can_be_shared(shelf):
    assert shelf("../products.csv", "sku,product\nA1,tonic\n").call("validate", "manifests/m.yaml").code == 0


def test_a_plan_notes_the_seeds_that_nobody_gave_and_names_shared_renders(shelf):
    workshop = shelf("products.csv", "sku,product\nA1,tonic\nB2,tonic\n")
    workshop.manifest.write_text(workshop.manifest.read_text().replace("{count: 2}", "[1, 2]"))
    done = workshop.call("plan", "manifests/m.yaml", "--json")
    note = "card: no seed given; the model's default 123 is sent"
    assert done.document["notes"] == [note]
    assert f"note: {note}\n" in done.err
    assert "hero/seed=1,sku=B2 asks for the same picture as hero/seed=1,sku=A1" in done.err
    assert (
        workshop.call("plan", "manifests/m.yaml", "--json", "--select", "hero/*").document.keys().isdisjoint({"notes"})
    )


@pytest.mark.parametrize("command", ["validate", "expand"])
def test_a_mistake_in_the_rows_is_reported_in_their_file(shelf, command):
    done = shelf("products.csv", "sku,product\nA1,tonic\nB2\n").call(command, "manifests/m.yaml")
    assert done.code == 2
    assert "manifests/products.csv:3:1: the row has 1 field, and the header names 2 columns\n    B2\n" in done.said


def test_rows_that_cannot_be_read_are_reported_where_they_are_named(shelf):
    missing = shelf("products.csv", "", rows="nowhere.csv").call("validate", "manifests/m.yaml")
    assert "manifests/m.yaml:6:14 entries[0].foreach: manifests/nowhere.csv: No such file or directory" in missing.out
    workshop = shelf("products.csv", "", rows="pipe.csv")
    os.mkfifo(workshop.manifest.parent / "pipe.csv")
    assert "manifests/pipe.csv is not a file" in workshop.call("validate", "manifests/m.yaml").out
    (workshop.manifest.parent / "big.csv").write_bytes(b"a" * ((16 << 20) + 1))
    workshop.manifest.write_text(MANIFEST.replace("ROWS", "big.csv"))
    assert (
        "16,777,217 bytes, more than the 16,777,216 of a file of rows"
        in workshop.call("validate", "manifests/m.yaml").out
    )
