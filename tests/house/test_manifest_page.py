"""docs/manifest.md: every example is expanded, and makes what is shown below it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.manifest.words import SPECIAL

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "manifest.md").read_text("utf-8")
SCHEMAS = Schemas((ROOT / "schemas",))
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [
    (text, [line.split() for line in BLOCKS[index + 1][1].splitlines()])
    for index, (language, text) in enumerate(BLOCKS)
    if language == "yaml"
]
CSV = next(text for language, text in BLOCKS if language == "csv")


def test_the_page_has_an_example_for_every_part_of_the_language():
    assert len(EXAMPLES) >= 12
    languages = [language for language, _ in BLOCKS if language != "csv"]
    assert languages == ["yaml", "text"] * len(EXAMPLES), "what an example makes stands below it"


@pytest.mark.parametrize(("manifest", "shown"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_makes_the_cells_that_are_shown_below_it(manifest, shown):
    def read(name):
        assert name == "products.csv"
        return CSV.encode()

    expansion = expand(manifest.encode(), file="m.yaml", schemas=SCHEMAS, read=read)
    assert expansion.warnings == ()
    made = [[cell.id, cell.path] for cell in expansion.cells]
    assert [line[: len(show)] for line, show in zip(made, shown, strict=True)] == shown


def test_every_key_of_the_manifest_is_on_the_page():
    schema = json.loads((ROOT / "schemas" / "manifest.schema.json").read_text())
    keys = {*schema["properties"], *schema["$defs"]["entry"]["properties"], *schema["$defs"]["run"]["properties"]}
    assert {key for key in {*keys, *SPECIAL, "range", "count"} if not re.search(rf"\b{key}\b", PAGE)} == set()
