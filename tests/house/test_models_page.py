"""What docs/models.md says is so: its commands are run, its tables and examples compared."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from house.test_documents import ROOT, blocks, mugs, start, table, ticked

from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.price import estimate

PAGE = (ROOT / "docs" / "models.md").read_text()
FLEX = "black-forest-labs/flux-2-flex-t2i"


@pytest.fixture
def reader(tmp_path):
    """Stand where a reader of the page stands, with the README's manifest and the page's own."""
    run = start(tmp_path, mugs())
    (manifest,) = blocks(PAGE, "yaml")
    (tmp_path / "manifests" / "steps.yaml").write_text(manifest)
    return tmp_path, run


def test_the_commands_of_the_page_work_in_its_order(reader):
    folder, run = reader
    for lines in blocks(PAGE, "sh"):
        done = run(lines)
        assert done.returncode == 0, f"{lines}\n{done.stdout}{done.stderr}"
    assert (folder / "schemas" / "models" / f"{FLEX}.schema.json").exists()


def test_the_drift_of_the_page_is_reported_as_it_says(reader):
    folder, run = reader
    run(f"flux-pipeline schema pull {FLEX} --simulate")
    file = Path(folder / "schemas" / "models" / f"{FLEX}.schema.json")
    changed = json.loads(file.read_text())
    changed["properties"]["seed"]["default"] = 7
    file.write_text(json.dumps(changed))
    ((command, said),) = re.findall(r"^```\n\$ (.*)\n((?:.+\n)+)```$", PAGE, re.MULTILINE)
    done = run(command)
    assert (done.returncode, done.stderr) == (2, said)


def test_the_example_has_a_picture_for_every_pair_of_its_values():
    (manifest,) = blocks(PAGE, "yaml")
    expansion = expand(manifest.encode(), file="steps.yaml", schemas=Schemas((ROOT / "schemas",)))
    assert (len(expansion.cells), expansion.warnings) == (4, ())


def test_the_models_of_the_page_are_those_that_come_with_the_program():
    rows = {row[0].strip("`"): row for row in table(PAGE, "model")}
    assert tuple(sorted(rows)) == Schemas().models()
    for name, (_, takes, price) in rows.items():
        schema = Schemas().model(name)
        assert {word for word in ticked(takes) if word.isidentifier()} <= set(schema.properties)
        amount = estimate(schema.price, schema.defaults)
        assert price == ("unknown" if amount is None else f"${amount} a run")


def test_the_methods_of_the_page_are_those_that_are_known_beforehand():
    size = {"width": 1024, "height": 1024}
    for method, _, known in table(PAGE, "method"):
        listed = [{"inputs": {}, "price": "0.03", "priceMethod": method.strip("`")}]
        assert (estimate(listed, size) is not None) is (known == "yes")
