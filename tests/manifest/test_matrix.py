"""Zipped values, presets, exclude and include, one rule at a time; `test_oracle` has them all at once."""

from __future__ import annotations

import json

import pytest
from manifest.test_corpus import INVALID, VALID

from flux_pipeline.errors import ManifestError
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.manifest.yaml_text import parse

SCHEMAS = Schemas()
LOOKS = [{"mood": "calm", "light": "dawn"}, {"mood": "bold", "light": "noon"}]


def expansion(matrix, **rest):
    head = {"version": 1, **{name: rest.pop(name) for name in ("presets", "vars", "params", "output") if name in rest}}
    document = {**head, "entries": [{"id": "hero", "prompt": "x", **rest, "matrix": matrix}]}
    return expand(json.dumps(document).encode(), file="m.yaml", schemas=SCHEMAS)


def ids(matrix, **rest):
    return [cell.id.removeprefix("hero").removeprefix("/") for cell in expansion(matrix, **rest).cells]


def refused(matrix, **rest):
    with pytest.raises(ManifestError) as caught:
        expansion(matrix, **rest)
    return [f"{problem.path.removeprefix('entries[0].')}: {problem.message}" for problem in caught.value.problems]


def test_zipped_values_go_together_and_are_named_by_what_tells_them_apart():
    made = expansion({"look": LOOKS}, prompt="{{ look.mood }} {{ look.light }}").cells
    assert [cell.params["prompt"] for cell in made] == ["calm dawn", "bold noon"]
    assert [(cell.id, cell.path) for cell in made] == [
        ("hero/look=calm", "outputs/hero/calm.png"), ("hero/look=bold", "outputs/hero/bold.png"),
    ]  # fmt: skip
    alike = [*LOOKS, {"mood": "Calm", "light": "dusk"}]
    assert ids({"look": alike}, prompt="{{ look.mood }}") == ["look=calm-dawn", "look=bold-noon", "look=Calm-dusk"]


def test_what_is_inside_a_zipped_value_sets_no_parameter():
    (cell,) = expansion({"look": [{"seed": 5, "width": 512}]}, prompt="{{ look.seed }}").cells
    assert (cell.params["seed"], cell.params["width"]) == (123, 1024)


def test_a_preset_shows_its_name_and_sets_its_numbers():
    presets = {"square": "512x512", "tall-2": "256x512"}
    matrix = {"size": ["square", "64x64"], "include": [{"size": "tall-2"}]}
    made = expansion(matrix, presets=presets, prompt="{{ size }}", output="o/{{ size }}-{{ width }}.{{ ext }}").cells
    assert [cell.id for cell in made] == ["hero/size=square", "hero/size=64x64", "hero/size=tall-2"]
    assert [(cell.params["width"], cell.params["height"]) for cell in made] == [(512, 512), (64, 64), (256, 512)]
    assert [cell.params["prompt"] for cell in made] == ["square", "64x64", "tall-2"]
    assert [cell.path for cell in made] == ["o/square-512.png", "o/64x64-64.png", "o/tall-2-256.png"]
    assert dict(made[0].axes) == {"size": "square"}


@pytest.mark.parametrize("wanted", ["square", "512x512"])
@pytest.mark.parametrize("written", ["square", "512x512"])
def test_a_size_is_excluded_by_its_name_and_by_its_numbers(wanted, written):
    assert ids({"size": [written, "64x64"], "exclude": [{"size": wanted}]}, presets={"square": "512x512"}) == [
        "size=64x64"
    ]


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ([{"seed": 1}], ["2,a", "2,b"]),
        ([{"seed": "1"}], ["2,a", "2,b"]),
        ([{"seed": 1.0}], ["2,a", "2,b"]),
        ([{"seed": 1, "x": "a"}], ["1,b", "2,a", "2,b"]),
        ([{"seed": 1, "x": "a"}, {"seed": 2, "x": "b"}], ["1,b", "2,a"]),
        ([{"seed": 1}, {"seed": 1, "x": "a"}], ["2,a", "2,b"]),
    ],
)
def test_an_exclude_matches_partially_by_the_typed_or_the_written_form(exclude, left):
    found = ids({"seed": [1, 2], "x": ["a", "b"], "exclude": exclude}, prompt="{{ x }}")
    assert [one.replace("seed=", "").replace("x=", "") for one in found] == left


def test_an_exclude_matches_inside_zipped_values_and_rows():
    rows = [{"sku": "A1", "maker": {"name": "Fern"}}, {"sku": "B2", "maker": {"name": "Hollow"}}]
    common = {"foreach": rows, "prompt": "{{ sku }} {{ look.mood }}"}
    both = {"look": LOOKS, "exclude": [{"look": {"mood": "calm"}, "sku": "A1"}]}
    assert ids(both, **common) == ["look=bold,sku=A1", "look=calm,sku=B2", "look=bold,sku=B2"]
    assert ids({"exclude": [{"maker": {"name": "Fern"}}]}, **common | {"prompt": "{{ sku }}"}) == ["sku=B2"]
    assert ids({"look": LOOKS, "exclude": [{"look": "calm"}]}, prompt="{{ look.mood }}") == ["look=bold"]


def test_an_extra_cell_has_only_the_axes_that_it_names_in_the_matrix_s_order():
    matrix = {"color": ["red"], "seed": [1], "include": [{"seed": 7, "color": "gold"}, {"seed": 8}]}
    made = expansion(matrix, prompt="{{ color }}", vars={"color": "plain"}, output="o/{{ seed }}.{{ ext }}").cells
    assert [cell.id for cell in made] == ["hero/color=red,seed=1", "hero/color=gold,seed=7", "hero/seed=8"]
    assert [cell.params["prompt"] for cell in made] == ["red", "gold", "plain"]
    assert dict(made[2].axes) == {"seed": 8}


def test_extra_cells_come_after_the_product_of_each_row():
    rows = [{"sku": "A1"}, {"sku": "B2"}]
    found = ids({"seed": [1, 2], "include": [{"seed": 9}]}, foreach=rows, prompt="{{ sku }}")
    assert found == [f"seed={seed},sku={sku}" for sku in ("A1", "B2") for seed in (1, 2, 9)]


def test_nothing_but_extra_cells_makes_only_those():
    assert ids({"include": [{"mood": "calm", "seed": 1}, {"seed": 2}]}, vars={"mood": "none"}, prompt="{{ mood }}") == [
        "mood=calm,seed=1", "seed=2",
    ]  # fmt: skip


def test_an_extra_cell_may_bring_back_what_was_excluded_and_nothing_that_is_there():
    matrix = {"color": ["red", "teal"], "seed": [1], "exclude": [{"color": "red"}]}
    back = matrix | {"include": [{"color": "red", "seed": 1}]}
    assert ids(back, prompt="{{ color }}") == ["color=teal,seed=1", "color=red,seed=1"]
    twice = matrix | {"include": [{"color": "TEAL", "seed": 1}]}
    assert refused(twice, prompt="{{ color }}") == [
        "matrix.include[0]: two cells have the id hero/color=TEAL,seed=1; an extra cell has to differ from all others"
    ]


def test_an_extra_cell_may_set_what_is_no_axis_if_it_is_known():
    matrix = {"color": ["red"], "include": [{"color": "red", "safetyTolerance": 5}, {"color": "red", "brand": "Fern"}]}
    made = expansion(matrix, prompt="{{ color }} {{ brand }}", vars={"brand": "Aurora"}).cells
    assert [(cell.params["safetyTolerance"], cell.params["prompt"]) for cell in made] == [
        (2, "red Aurora"), (5, "red Aurora"), (2, "red Fern"),
    ]  # fmt: skip
    assert refused({"color": ["red"], "include": [{"colour": "gold"}]}, prompt="{{ color }}") == [
        'matrix.include[0].colour: "colour" is not an axis, a variable or a parameter; did you mean "color"?'
    ]


def test_an_extra_cell_may_bring_its_prompt():
    matrix = {"seed": [1], "include": [{"prompt": "own {{ brand }}", "seed": 2}]}
    made = expansion(matrix, vars={"brand": "Aurora"}, output="o/{{ seed }}.png").cells
    assert [cell.params["prompt"] for cell in made] == ["x", "own Aurora"]
    said = refused({"seed": [1], "include": [{"prompt": "own {{ brnd }}", "seed": 2}]}, output="o/{{ seed }}.png")
    assert said == ['matrix.include[0].prompt: "brnd" is not defined; defined here: entry, seed']


def test_the_manifest_as_a_value_says_what_was_written():
    matrix = {"seed": {"range": [1, 2]}, "exclude": [{"seed": 1}], "include": [{"seed": 5}]}
    manifest = expansion(matrix, presets={"square": "64x64"}).manifest
    (entry,) = manifest.entries
    assert [(axis.name, dict(axis.values)) for axis in entry.matrix] == [("seed", {"range": [1, 2]})]
    assert (entry.exclude, entry.include, entry.foreach) == (({"seed": 1},), ({"seed": 5},), None)
    assert dict(manifest.presets) == {"square": "64x64"}


@pytest.mark.parametrize(
    ("matrix", "rest", "notes"),
    [
        ({}, {}, ["hero: no seed given; the model's default 123 is sent"]),
        ({"seed": [1]}, {}, []),
        ({"seed": {"count": 1}}, {}, []),
        ({}, {"params": {"seed": 5}}, []),
        ({}, {"foreach": [{"sku": 1, "seed": 5}]}, []),
        (
            {"seed": [1], "include": [{"size": "64x64"}]},
            {},
            ["hero: no seed given for 1 of 2 cells; the model's default 123 is sent"],
        ),
    ],
)
def test_a_seed_that_nobody_gave_is_noted_once_for_the_entry(matrix, rest, notes):
    assert [str(note) for note in expansion(matrix, **rest).notes] == notes


def test_any_schema_validator_agrees_about_the_corpus():
    """What the schema can tell, an editor tells as the program does: it refuses no sound manifest."""
    import jsonschema

    explain = jsonschema.Draft202012Validator(json.loads(SCHEMAS.text("manifest")))
    for file in VALID:
        assert list(explain.iter_errors(parse(file.read_bytes(), file.name).data)) == [], file.name
    shapes = {"matrix-shape", "shape", "rows", "matrix-rules"}
    for file in (one for one in INVALID if one.stem in shapes):
        assert list(explain.iter_errors(parse(file.read_bytes(), file.name).data)), file.name
