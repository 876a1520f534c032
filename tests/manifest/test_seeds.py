"""Seeds that are derived, and ranges: which they are, and what never changes them."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.errors import ManifestError
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.ranges import Range, RangeFault
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.manifest.seeds import derived

SCHEMAS = Schemas()


def expansion(entry, **rest):
    document = {"version": 1, **rest, "entries": [{"id": "hero", "prompt": "x", **entry}]}
    return expand(json.dumps(document).encode(), file="m.yaml", schemas=SCHEMAS)


def seeds(entry):
    """Return the seeds of an entry by what else its cells are, in order."""
    found = {}
    for cell in expansion(entry).cells:
        others = json.dumps(
            [{name: value for name, value in cell.axes.items() if name != "seed"}, cell.row.get("sku")], sort_keys=True
        )
        found.setdefault(others, []).append(cell.axes["seed"])
    return found


def refused(entry):
    with pytest.raises(ManifestError) as caught:
        expansion(entry)
    return [problem.message for problem in caught.value.problems]


def test_a_derived_seed_never_changes_from_one_version_to_the_next():
    assert derived({}, None, 3) == [486998100, 2003742686, 567750276]
    assert derived({"size": "1024x1024", "color": "red"}, "A1", 2) == [2074107837, 1311139438]


VALUES = st.lists(st.sampled_from(["red", "teal", 1, 2.5, True, "Ü"]), min_size=1, max_size=3, unique_by=json.dumps)
SKUS = st.lists(st.sampled_from(["A1", "B2", "C3", "D4"]), min_size=1, max_size=3, unique=True)


@given(VALUES, VALUES, SKUS, st.integers(1, 4), st.data())
def test_no_rearrangement_changes_a_derived_seed(colors, takes, skus, count, data):
    def entry(colors, takes, skus, count, order, *, column=None):
        axes = {"color": colors, "take": takes, "seed": {"count": count}}
        rows = [{"sku": sku} | ({column: f"{column} {sku}"} if column else {}) for sku in skus]
        return {"id": "hero", "foreach": rows, "matrix": {name: axes[name] for name in order}}

    before = seeds(entry(colors, takes, skus, count, ["color", "take", "seed"]))
    more = entry(
        data.draw(st.permutations([*colors, "another"])),
        data.draw(st.permutations([*takes, "one more"])),
        data.draw(st.permutations([*skus, "Z9"])),
        count + 2,
        data.draw(st.permutations(["color", "take", "seed"])),
        column="name",
    )
    more["id"] = "renamed"
    after = seeds(more)
    for others, found in before.items():
        assert after[others][:count] == found
        assert len(set(found)) == count


@given(st.integers(1, 60), st.integers(0, 20))
def test_derived_seeds_are_distinct_and_inside_their_bounds_however_tight(count, spare):
    found = derived({"a": 1}, None, count, low=5, high=5 + count + spare - 1)
    assert len(set(found)) == count
    assert min(found) >= 5
    assert max(found) <= 5 + count + spare - 1
    assert derived({"a": 1}, None, count - 1, low=5, high=5 + count + spare - 1) == found[:-1]


def test_derived_seeds_keep_inside_the_bounds_of_the_model(tmp_path):
    file = tmp_path / "models" / "acme" / "painter.schema.json"
    file.parent.mkdir(parents=True)
    rule = {"type": "integer", "minimum": 10, "exclusiveMaximum": 14}
    file.write_text(json.dumps({"properties": {"prompt": {"type": "string"}, "seed": rule}}))
    schemas = Schemas((tmp_path,))
    text = "version: 1\nmodel: acme/painter\nentries: [{id: a, prompt: x, matrix: {seed: {count: N}}}]"
    made = expand(text.replace("N", "4").encode(), file="m", schemas=schemas).cells
    assert sorted(cell.params["seed"] for cell in made) == [10, 11, 12, 13]
    with pytest.raises(ManifestError, match="there are no 5 different seeds from 10 to 13"):
        expand(text.replace("N", "5").encode(), file="m", schemas=schemas)


def test_an_exclude_may_name_a_derived_seed_and_has_to_meet_one():
    (first, second) = [cell.axes["seed"] for cell in expansion({"matrix": {"seed": {"count": 2}}}).cells]
    left = expansion({"matrix": {"seed": {"count": 2}, "exclude": [{"seed": first}]}}).cells
    assert [cell.axes["seed"] for cell in left] == [second]
    assert refused({"matrix": {"seed": {"count": 2}, "exclude": [{"seed": 5}]}}) == ['{"seed": 5} matches no cell']


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        ([1, 3], [1, 2, 3]),
        ([3, 1, -1], [3, 2, 1]),
        ([1, 1], [1]),
        ([0.1, 0.3, 0.1], [0.1, 0.2, 0.3]),
        ([1, 2, 0.5], [1, 1.5, 2]),
        ([-2, 2, 2], [-2, 0, 2]),
    ],
)
def test_a_range_includes_both_ends(written, numbers):
    assert list(Range(written)) == numbers
    assert [type(one) for one in Range(written)] == [type(one) for one in numbers]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ([1, 10, 4], "from 1, steps of 4 pass 10 by; end it at 9 or 13"),
        ([10, 1], "from 10, steps of 1 lead away from 1; write [10, 1, -1]"),
        ([1, 10, -3], "from 1, steps of -3 lead away from 10; write [1, 10, 3]"),
        ([1, 10, 0], "a step of 0 never gets anywhere; leave it out for steps of 1"),
    ],
)
def test_a_range_that_never_gets_to_its_end_is_refused_with_one_that_does(written, said):
    with pytest.raises(RangeFault) as caught:
        Range(written)
    assert str(caught.value) == said


@given(st.integers(-50, 50), st.integers(-9, 9).filter(bool), st.integers(0, 40), st.sampled_from([1, 2, 4, 10]))
def test_a_range_has_as_many_numbers_as_it_counts_and_ends_where_it_says(first, step, steps, parts):
    ends = Fraction(first, parts), Fraction(first + step * steps, parts)
    numbers = Range([float(ends[0]), float(ends[1]), step / parts])
    assert numbers.count == len(list(numbers)) == steps + 1
    assert float(list(numbers)[-1]) == float(ends[1])


def test_a_range_serves_any_numeric_axis():
    made = expansion(
        {"prompt": "{{ n }}", "matrix": {"n": {"range": [1, 2, 0.5]}, "safetyTolerance": {"range": [0, 1]}}}
    ).cells
    assert [cell.id for cell in made] == [
        "hero/n=1,safetyTolerance=0", "hero/n=1,safetyTolerance=1", "hero/n=1.5,safetyTolerance=0",
        "hero/n=1.5,safetyTolerance=1", "hero/n=2,safetyTolerance=0", "hero/n=2,safetyTolerance=1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ({"seed": {"range": [1, 10**12]}}, "1,000,000,000,000 = 1,000,000,000,000 cells, more than the 10,000"),
        ({"seed": {"count": 10**9}, "n": [1, 2]}, "1,000,000,000 × 2 = 2,000,000,000 cells"),
        ({"seed": {"range": [0, 1e300, 1e-300]}}, "more than 10^300 = more than 10^300 cells"),
        ({f"a{n}": {"range": [0, 10**17]} for n in range(400)}, " × … = more than 10^300 cells"),
    ],
)
def test_what_is_astronomic_is_refused_at_once_with_its_product(matrix, said):
    assert any(said in message for message in refused({"matrix": matrix}))
