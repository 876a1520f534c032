"""Text → cells: order, ids, parameters, keys and paths."""

from __future__ import annotations

import gc

import pytest

from flux_pipeline.errors import ManifestError
from flux_pipeline.ledger.keys import key_of
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas

SCHEMAS = Schemas()
MODEL = "black-forest-labs/flux-2-pro-t2i"
DEFAULTS = {"width": 1024, "height": 1024, "safetyTolerance": 2, "seed": 123, "outputFormat": "png"}


def cells(text, **options):
    return expand(text.encode(), file="m.yaml", schemas=SCHEMAS, **options).cells


def problems(text, **options):
    with pytest.raises(ManifestError) as caught:
        expand(text.encode(), file="m.yaml", schemas=SCHEMAS, **options)
    return caught.value.problems


def entry(body, head="version: 1"):
    return f"{head}\nentries:\n  - {{id: hero, prompt: 'A {{{{ color | default(\"plain\") }}}} bottle', {body}}}\n"


def test_the_golden_example_expands_to_these_very_cells():
    made = cells(entry("matrix: {color: [red, teal], seed: [1, 2], size: [1024x1344], format: [jpeg]}"))
    assert [(cell.id, cell.path) for cell in made] == [
        ("hero/color=red,seed=1,size=1024x1344,format=jpeg", "outputs/hero/red-1-1024x1344-jpeg.jpg"),
        ("hero/color=red,seed=2,size=1024x1344,format=jpeg", "outputs/hero/red-2-1024x1344-jpeg.jpg"),
        ("hero/color=teal,seed=1,size=1024x1344,format=jpeg", "outputs/hero/teal-1-1024x1344-jpeg.jpg"),
        ("hero/color=teal,seed=2,size=1024x1344,format=jpeg", "outputs/hero/teal-2-1024x1344-jpeg.jpg"),
    ]
    assert made[0].params == {
        "prompt": "A red bottle", "width": 1024, "height": 1344, "safetyTolerance": 2, "seed": 1, "outputFormat": "jpeg",
    }  # fmt: skip
    assert made[0].key == key_of(MODEL, made[0].params)
    assert dict(made[0].axes) == {"color": "red", "seed": 1, "size": "1024x1344", "format": "jpeg"}
    assert made[0].entry == "hero"
    assert made[0].model == MODEL


def test_a_key_never_changes_from_one_version_to_the_next():
    (cell,) = cells("version: 1\nentries: [{id: hero, prompt: A red bottle}]")
    assert cell.params == {"prompt": "A red bottle", **DEFAULTS}
    assert cell.key == "2c178afe6a5e33af4d046916a8472a40cad8558ad054adfd4394608c651719ca"


def test_an_entry_without_matrix_is_one_cell_named_like_it():
    (cell,) = cells("version: 1\nentries: [{id: hero, prompt: A red bottle}]")
    assert (cell.id, cell.path, dict(cell.axes)) == ("hero", "outputs/hero/hero.png", {})


def test_narrower_wins_from_default_to_axis():
    head = "version: 1\nparams: {seed: 5, safetyTolerance: 0, width: 512, height: 512}"
    made = cells(entry("params: {safetyTolerance: 4, width: 256}, matrix: {size: [64x128]}", head))
    assert made[0].params["seed"] == 5
    assert made[0].params["safetyTolerance"] == 4
    assert (made[0].params["width"], made[0].params["height"]) == (64, 128)
    (plain,) = cells(entry("params: {safetyTolerance: 4, width: 256}", head))
    assert (plain.params["width"], plain.params["height"]) == (256, 512)


def test_entry_variables_win_over_the_manifests_and_axes_over_both():
    head = "version: 1\nvars: {color: gold}"
    assert cells(entry("vars: {color: blue}", head))[0].params["prompt"] == "A blue bottle"
    assert cells(entry("vars: {color: blue}, matrix: {color: [red]}", head))[0].params["prompt"] == "A red bottle"


def test_cells_that_ask_for_the_same_share_one_render_object():
    text = "version: 1\nentries:\n  - {id: a, prompt: x}\n  - {id: b, prompt: 'x '}\n"
    expansion = expand(text.encode(), file="m", schemas=SCHEMAS)
    assert expansion.cells[0].render is expansion.cells[1].render
    assert [problem.code for problem in expansion.warnings] == ["shared-render"]


def test_numbers_and_truth_are_written_into_ids_as_in_json():
    made = cells(entry("vars: {}, matrix: {a: [1, 1.5, true, 1.0, '2']}", "version: 1\noutput: 'o/{{ a }}.png'"))
    assert [cell.id for cell in made] == ["hero/a=1", "hero/a=1.5", "hero/a=true", "hero/a=1.0", "hero/a=2"]
    assert [cell.path for cell in made] == ["o/1.png", "o/1.5.png", "o/true.png", "o/1.0.png", "o/2.png"]


def test_values_that_python_takes_for_equal_stay_apart_in_prompts():
    text = "version: 1\nentries: [{id: a, prompt: 'v {{ v }}', matrix: {v: [1, true, 1.0], seed: [1, 2]}}]"
    prompts = [cell.params["prompt"] for cell in cells(text)]
    assert prompts == ["v 1", "v 1", "v true", "v true", "v 1.0", "v 1.0"]


def test_place_moves_paths_before_they_are_compared():
    text = entry("matrix: {seed: [1, 2]}")
    assert [c.path for c in cells(text, place=lambda path: "rehearsal/" + path)] == [
        "rehearsal/outputs/hero/1.png", "rehearsal/outputs/hero/2.png",
    ]  # fmt: skip
    assert [p.code for p in problems(text, place=lambda _: "same.png")] == ["path-clash"]


def test_the_output_template_is_told_the_facts_of_the_render():
    head = "version: 1\noutput: 'o/{{ entry }}-{{ width }}x{{ height }}-{{ seed }}-{{ key }}.{{ ext }}'"
    (cell,) = cells(entry("params: {outputFormat: jpeg}", head))
    assert cell.path == f"o/hero-1024x1024-123-{cell.key}.jpg"


def test_a_matrix_above_the_limit_shows_its_product_and_makes_nothing():
    axes = ", ".join(
        f"{name}: [{', '.join(map(str, range(size)))}]" for name, size in (("a", 100), ("b", 50), ("seed", 3))
    )
    (problem,) = problems(entry(f"matrix: {{{axes}}}"))
    assert problem.message == (
        "100 × 50 × 3 = 15,000 cells, more than the 10,000 that max_cells allows; raise it with --max-cells or run.max_cells"
    )
    assert (
        len(expand(entry(f"matrix: {{{axes}}}").encode(), file="m", schemas=SCHEMAS, max_cells=15_000).cells) == 15_000
    )


def test_a_matrix_of_astronomic_size_is_refused_without_being_tried():
    axes = ", ".join(f"a{n}: [{', '.join(map(str, range(100)))}]" for n in range(20))
    (problem,) = problems(entry(f"matrix: {{{axes}}}"))
    assert problem.code == "too-many-cells"


def test_the_argument_wins_over_the_manifests_own_limit():
    text = entry("matrix: {seed: [1, 2, 3]}", "version: 1\nrun: {max_cells: 2}")
    assert problems(text)[0].code == "too-many-cells"
    assert len(cells(text, max_cells=3)) == 3
    assert problems(text, max_cells=2)[0].code == "too-many-cells"


def test_entries_are_counted_together():
    many = "".join(f"  - {{id: e{n}, prompt: x, matrix: {{seed: [1, 2]}}}}\n" for n in range(3))
    (problem,) = problems("version: 1\nentries:\n" + many, max_cells=5)
    assert problem.message.startswith("6 cells in 3 entries (the largest, e0: 2 = 2), more than the 5")


def test_one_bad_node_is_complained_about_once_however_many_cells_use_it():
    seeds = ", ".join(map(str, range(2000)))
    found = problems(entry(f"matrix: {{seed: [{seeds}]}}", "version: 1\noutput: '../{{ seed }}.{{ ext }}'"))
    assert [problem.path for problem in found] == ["output"]


def test_a_dropped_axis_makes_no_second_complaint():
    found = problems("version: 1\nentries: [{id: a, prompt: 'A {{ color }}', matrix: {color: 5}}]")
    assert [problem.path for problem in found] == ["entries[0].matrix.color"]


@pytest.mark.parametrize("broken", ["matrix: 5", "vars: 5", "matirx: {color: [red]}", "foreach: a.csv"])
def test_names_that_a_broken_section_would_define_are_not_called_undefined(broken):
    found = problems(f"version: 1\nentries: [{{id: a, prompt: 'A {{{{ color }}}}', {broken}}}]")
    assert len(found) == 1


def test_a_misspelt_prompt_is_one_problem():
    (problem,) = problems("version: 1\nentries: [{id: a, promt: x}]")
    assert 'did you mean "prompt"?' in problem.message


def test_errors_come_by_line_and_warnings_after_them():
    text = "version: 1\nvars: {seed: 1}\nentries:\n  - {id: a, prompt: '{{ x }}'}\n  - {id: a, prompt: y}\n"
    found = problems(text)
    assert [(problem.severity, problem.line) for problem in found] == [("error", 4), ("error", 5), ("warning", 2)]


def test_expanding_leaves_the_garbage_collector_as_it_was():
    assert gc.isenabled()
    cells(entry("matrix: {seed: [1]}"))
    assert gc.isenabled()
    with pytest.raises(ManifestError):
        cells("[")
    assert gc.isenabled()


def test_nothing_that_looks_like_a_key_is_echoed():
    secret = "8f3a9b2c7d1e4f6a8b0c2d4e6f8a0b1c"
    text = f"version: 1\n{secret}: 1\nentries: [{{id: {secret}-x, prompt: '{{{{ a }}}} {secret}', matrix: {{size: ['{secret}']}}}}]"
    said = "\n".join(map(str, problems(text)))
    assert secret not in said


def test_the_manifest_itself_is_part_of_the_answer():
    text = entry("vars: {a: 1}, matrix: {seed: [1, 2]}", "version: 1\nrun: {rate: 300/m, max_cost: 0.10, timeout: 2h}")
    manifest = expand(text.encode(), file="m.yaml", schemas=SCHEMAS).manifest
    assert manifest.run.rate == 5.0
    assert str(manifest.run.max_cost) == "0.1"
    assert manifest.run.timeout == 7200
    assert manifest.model == MODEL
    assert [(axis.name, axis.values) for axis in manifest.entries[0].matrix] == [("seed", (1, 2))]
    with pytest.raises(TypeError):
        manifest.entries[0].vars["a"] = 2
