"""Whatever is put into a manifest, in whatever place, there are cells or problems."""

from __future__ import annotations

import copy
import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from manifest.shelf import beside

from flux_pipeline.errors import ManifestError
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.manifest.yaml_text import parse

SCHEMAS = Schemas()
FILE = Path(__file__).parent / "corpus" / "valid" / "whole-language.yaml"
WHOLE = parse(FILE.read_bytes(), FILE.name).data
ODD = [
    *(
        None,
        True,
        0,
        -1,
        1.5,
        10**17,
        "",
        "x",
        "a/b",
        "{{ x }}",
        "{{ row }}",
        "{{ look.mood }}",
        "red",
        "square",
        "1x1",
    ),
    *([], {}, [[]], [{}], [None], ["x"], [1, 2], {"range": [1, 2]}, {"count": 2}, {"mood": "calm"}, {"sku": "A1"}),
    *(
        [{"sku": "A1"}],
        [{"color": "red"}],
        {"seed": {"count": 3}},
        {"include": [{"seed": 1}]},
        "products.csv",
        "no.csv",
    ),
]


def places(node, path=()):
    yield path
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, value in inner:
        yield from places(value, (*path, step))


PLACES = [path for path in places(WHOLE) if path]
NAMES = [
    "color",
    "seed",
    "size",
    "look",
    "sku",
    "row",
    "prompt",
    "exclude",
    "include",
    "width",
    "format",
    "foreach",
    "matrix",
]


@st.composite
def manifests(draw):
    data = copy.deepcopy(WHOLE)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PLACES))
        node = data
        try:
            for step in path[:-1]:
                node = node[step]
            if isinstance(node, dict) and draw(st.booleans()):
                node[draw(st.sampled_from(NAMES))] = copy.deepcopy(draw(st.sampled_from(ODD)))
            elif draw(st.booleans()):
                node[path[-1]] = copy.deepcopy(draw(st.sampled_from(ODD)))
            else:
                del node[path[-1]]
        except (LookupError, TypeError):
            continue
    return data


@settings(max_examples=300)
@given(manifests())
def test_whatever_a_manifest_says_there_are_cells_or_problems(data):
    source = json.dumps(data).encode()
    try:
        cells = expand(source, file="m.yaml", schemas=SCHEMAS, read=beside(FILE), max_cells=2000).cells
    except ManifestError as error:
        cells, problems = (), error.problems
    else:
        problems = ()
    assert bool(cells) != bool(problems)
    assert len({cell.id for cell in cells}) == len({cell.path for cell in cells}) == len(cells)
