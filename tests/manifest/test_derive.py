"""`derive:` → recipes and paths: what is asked for of each picture, without a pixel being touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.errors import ManifestError
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.derive import Derived, Recipe
from flux_pipeline.manifest.schema import Schemas

SCHEMAS = Schemas()
SIDES = st.integers(1, 16_384)


def expanded(derive, matrix="{seed: [1], size: [1024x768]}", **options):
    text = f"version: 1\nentries: [{{id: hero, prompt: A red bottle, matrix: {matrix}, derive: {derive}}}]"
    return expand(text.encode(), file="m.yaml", schemas=SCHEMAS, **options)


def test_a_cell_without_derive_has_nothing_derived():
    text = b"version: 1\nentries: [{id: hero, prompt: A red bottle}]"
    (cell,) = expand(text, file="m.yaml", schemas=SCHEMAS).cells
    assert cell.derived == ()


def test_a_derived_file_stands_beside_its_picture_with_its_suffix_and_extension():
    (cell,) = expanded("[{format: webp}, {format: jpeg, width: 512, suffix: '@half'}, {height: 64, suffix: -s}]").cells
    assert cell.derived == (
        Derived("outputs/hero/1-1024x768.webp", Recipe(format="webp", quality=82)),
        Derived("outputs/hero/1-1024x768@half.jpg", Recipe(format="jpeg", width=512, quality=85)),
        Derived("outputs/hero/1-1024x768-s.png", Recipe(format="png", height=64)),
    )


def test_pictures_that_differ_only_in_format_share_what_is_derived_of_them():
    cells = expanded("[{format: webp, quality: 82}]", "{seed: [1, 2], format: [png, jpeg]}", place=None).cells
    assert [[one.path for one in cell.derived] for cell in cells] == [
        ["outputs/hero/1-png.webp"],
        ["outputs/hero/1-jpeg.webp"],
        ["outputs/hero/2-png.webp"],
        ["outputs/hero/2-jpeg.webp"],
    ]
    text = """version: 1
output: "outputs/{{ entry }}/{{ seed }}.{{ ext }}"
entries:
  - {id: a, prompt: x, matrix: {seed: [1, 2], format: [png, jpeg]}, derive: [{format: webp}]}
"""
    shared = expand(text.encode(), file="m.yaml", schemas=SCHEMAS)
    assert [[one.path for one in cell.derived] for cell in shared.cells] == [
        ["outputs/a/1.webp"],
        [],
        ["outputs/a/2.webp"],
        [],
    ]
    assert shared.warnings == ()


def test_without_a_format_a_derived_file_has_the_format_of_its_picture():
    cells = expanded("[{suffix: '@copy'}]", "{format: [png, jpeg]}").cells
    assert [cell.derived[0].recipe.format for cell in cells] == ["png", "jpeg"]
    assert [cell.derived[0].path for cell in cells] == ["outputs/hero/png@copy.png", "outputs/hero/jpeg@copy.jpg"]


def test_derived_files_go_where_their_picture_really_goes():
    (cell,) = expanded("[{format: webp}]", place=lambda path: f"elsewhere/{path}").cells
    assert cell.derived[0].path == "elsewhere/outputs/hero/1-1024x768.webp"


def test_a_format_that_cannot_be_written_here_is_a_problem_of_its_own_line():
    with pytest.raises(ManifestError) as caught:
        expanded("[{format: webp}, {format: avif}]", writable=lambda form: form != "avif")
    (problem,) = caught.value.problems
    assert (problem.path, problem.code) == ("entries[0].derive[1].format", "derive")
    assert "cannot write avif" in problem.message


def test_cells_of_one_size_share_their_recipes():
    cells = expanded("[{format: webp}]", "{seed: [1, 2, 3]}").cells
    assert len({id(cell.derived[0].recipe) for cell in cells}) == 1


def test_the_digest_of_a_recipe_never_changes_from_one_version_to_the_next():
    recipe = Recipe(format="jpeg", width=512, height=300, fit="cover", quality=85)
    assert recipe.digest() == "2df33b56240dfe7a4a8d90c751bd9feb1fbe1a7b9f3a6fa019be25dc14114975"
    assert recipe.digest() != Recipe(format="jpeg", width=512, height=300, fit="contain", quality=85).digest()


@pytest.mark.parametrize(
    ("recipe", "size"),
    [
        ({}, (1024, 768)),
        ({"width": 512}, (512, 384)),
        ({"height": 512}, (683, 512)),
        ({"width": 1}, (1, 1)),
        ({"width": 300, "height": 300, "fit": "cover"}, (300, 300)),
        ({"width": 300, "height": 300, "fit": "contain"}, (300, 225)),
        ({"width": 300, "height": 90, "fit": "contain"}, (120, 90)),
        ({"width": 4096, "height": 3, "fit": "contain"}, (4, 3)),
    ],
)
def test_the_size_of_a_file_follows_from_its_recipe_and_the_size_of_its_picture(recipe, size):
    assert Recipe(format="png", **recipe).size(1024, 768) == size


@given(width=SIDES, height=SIDES, across=SIDES, down=SIDES)
def test_what_is_contained_is_inside_the_box_touches_it_and_keeps_the_ratio_to_the_pixel(width, height, across, down):
    made = Recipe(format="png", width=across, height=down, fit="contain").size(width, height)
    assert made[0] == across or made[1] == down
    assert 1 <= made[0] <= across
    assert 1 <= made[1] <= down
    for one, other in ((0, 1), (1, 0)):
        exact = made[one] * (width, height)[other] / (width, height)[one]
        if made[one] == (across, down)[one]:
            assert abs(made[other] - max(exact, 1)) <= 0.5
            break


@given(width=SIDES, height=SIDES, side=SIDES)
def test_one_side_alone_keeps_the_ratio_and_never_loses_the_other_side(width, height, side):
    assert (
        Recipe(format="png", width=side).size(width, height)
        == Recipe(format="png", height=side).size(height, width)[::-1]
    )
    assert min(Recipe(format="png", width=side).size(width, height)) >= 1
