"""Every manifest of the corpus gives exactly the problems written beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifest.shelf import beside

from flux_pipeline.errors import ManifestError
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas

CORPUS = Path(__file__).parent / "corpus"
VALID = sorted((CORPUS / "valid").glob("*.yaml"))
INVALID = sorted((CORPUS / "invalid").glob("*.yaml"))
SCHEMAS = Schemas()


def told(problems):
    return "".join(f"{problem.severity} {problem.code} {problem}\n" for problem in problems)


def test_the_corpus_is_there():
    assert len(VALID) >= 5
    assert len(INVALID) >= 20


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_a_valid_manifest_has_cells_and_only_the_warnings_beside_it(file):
    expansion = expand(file.read_bytes(), file=file.name, schemas=SCHEMAS, read=beside(file))
    text = file.with_suffix(".txt")
    assert expansion.cells
    assert told(expansion.warnings) == (text.read_text("utf-8") if text.exists() else "")


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_an_invalid_manifest_gives_exactly_the_problems_beside_it(file):
    with pytest.raises(ManifestError) as caught:
        expand(file.read_bytes(), file=file.name, schemas=SCHEMAS, read=beside(file))
    assert told(caught.value.problems) == file.with_suffix(".txt").read_text("utf-8")


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_problems_quote_the_line_that_they_name(file):
    with pytest.raises(ManifestError) as caught:
        expand(file.read_bytes(), file=file.name, schemas=SCHEMAS, read=beside(file))
    for problem in caught.value.problems:
        if problem.line and "[…]" not in problem.source and "\\u" not in problem.source:
            lines = (file.parent / problem.file).read_text("utf-8").splitlines()
            assert problem.source.strip("…") in lines[problem.line - 1]


def test_the_shipped_catalogue_is_sound_and_of_moderate_size():
    file = Path(__file__).parents[2] / "manifests" / "catalog.yaml"
    expansion = expand(file.read_bytes(), file="catalog.yaml", schemas=SCHEMAS)
    assert 40 <= len({cell.key for cell in expansion.cells}) <= 80
    assert expansion.warnings == ()
