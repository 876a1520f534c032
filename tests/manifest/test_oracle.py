"""The expansion against a second one: slow, plain, and straight from the data."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from flux_pipeline.errors import ManifestError
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas

SCHEMAS = Schemas()
PRESETS = {"square": "256x256", "story": "64x128"}
VARS = {"color": "plain", "look": {"mood": "none"}, "take": "zero", "sku": "nothing"}
PROMPT = "{{ color }} {{ look.mood }} {{ take }} {{ sku }} {{ row.note | default('-') }}"
PLAIN = PROMPT.replace(" {{ row.note | default('-') }}", "")
MISSING = object()

AXES = {
    "color": ["red", "teal", "Deep Blue", True],
    "take": [1, 2, 2.5, "x"],
    "look": [
        {"mood": "calm", "light": "dawn"},
        {"mood": "bold", "light": "noon"},
        {"mood": "bold", "light": "dusk"},
        "odd",
    ],
    "size": ["square", "story", "512x256"],
    "seed": [5, 6, {"range": [1, 7, 3]}, {"count": 3}],
    "safetyTolerance": [0, 1, {"range": [3, 1, -1]}],
    "format": ["png", "jpeg"],
}
ROWS = [
    {"sku": "A1", "note": "first"},
    {"sku": "B2", "note": "second", "width": 512},
    {"sku": "b2", "note": {"deep": 1}},
    {"sku": "C3", "extra": 4},
]


@st.composite
def axis(draw, name):
    chosen = draw(st.lists(st.sampled_from(AXES[name]), min_size=1, max_size=3, unique_by=json.dumps))
    mapped = [value for value in chosen if isinstance(value, dict) and value.keys() <= {"range", "count"}]
    return mapped[0] if mapped else chosen


def values_of(name, written):
    """Return the values of an axis as written; a count's are only numbered."""
    if isinstance(written, list):
        return written
    if "count" in written:
        return [("seed", index) for index in range(written["count"])]
    first, last, step = (*written["range"], 1)[:3]
    return list(range(first, last + (1 if step > 0 else -1), step))


@st.composite
def entries(draw):
    names = draw(st.permutations(sorted(AXES)))[: draw(st.integers(0, 3))]
    matrix = {name: draw(axis(name)) for name in names}
    rows = draw(st.lists(st.sampled_from(ROWS), max_size=3, unique_by=json.dumps))
    if draw(st.booleans()):
        excludes = []
        for _ in range(draw(st.integers(1, 2))):
            picked = {}
            for name in draw(st.lists(st.sampled_from(names), unique=True)) if names else ():
                value = draw(st.sampled_from(values_of(name, matrix[name])))
                if isinstance(value, dict) and draw(st.booleans()):
                    value = {"mood": value["mood"]}
                picked |= {} if isinstance(value, tuple) else {name: value}
            if rows and (not picked or draw(st.booleans())):
                picked["sku"] = draw(st.sampled_from(rows))["sku"]
            excludes += [picked] if picked else []
        matrix |= {"exclude": excludes} if excludes else {}
    if draw(st.booleans()):
        extra = draw(st.lists(st.sampled_from(sorted(AXES)), min_size=1, max_size=3, unique=True))
        allowed = [
            name
            for name in extra
            if name in (*names, "size", "seed", "format", "safetyTolerance", "color", "look", "take")
        ]
        plain = {
            name: [value for value in AXES[name] if not (isinstance(value, dict) and value.keys() & {"range", "count"})]
            for name in allowed
        }
        matrix["include"] = [{name: draw(st.sampled_from(plain[name])) for name in allowed}]
    entry: dict[str, Any] = {"id": "hero", "prompt": PROMPT if rows else PLAIN, "matrix": matrix}
    return entry | ({"foreach": rows} if rows else {})


def text(value):
    return {True: "true"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def namer(values):
    """Return how the values of an axis are written: a mapping by its first value if that is enough for all of them."""
    distinct = []
    for value in values:
        if not any(value == other and type(value) is type(other) for other in distinct):
            distinct.append(value)
    firsts = [text(next(iter(value.values())) if isinstance(value, dict) else value).lower() for value in distinct]
    brief = len(set(firsts)) == len(firsts)

    def name(value):
        if not isinstance(value, dict):
            return text(value)
        return text(next(iter(value.values()))) if brief else "-".join(map(text, value.values()))

    return name


def matches(wanted, given):
    if isinstance(wanted, dict):
        return isinstance(given, dict) and all(
            matches(inner, given.get(name, MISSING)) for name, inner in wanted.items()
        )
    return given is not MISSING and not isinstance(given, dict) and text(wanted) == text(given)


def seed_of(others, first, count):
    """Return the seeds that the documents promise: SHA-256, canonical JSON, the next free one where two meet."""
    found = []
    for index in range(count):
        canonical = json.dumps([others, first, index], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        seed = int.from_bytes(hashlib.sha256(canonical.encode()).digest()[:8], "big") % 2**31
        while seed in found:
            seed = (seed + 1) % 2**31
        found.append(seed)
    return found


def row_parts(rows):
    columns = list(dict.fromkeys(name for row in rows for name in row))
    scalar = [name for name in columns if all(isinstance(row.get(name), str | int) for row in rows)]
    for end in range(1, len(scalar) + 1):
        parts = [",".join(f"{name}={row[name]}" for name in scalar[:end]) for row in rows]
        if len({part.lower() for part in parts}) == len(rows):
            return parts
    return [f"row={number}" for number in range(1, len(rows) + 1)]


def oracle(entry):
    """Return (id, axes, row, parameters, path) of every cell, in order."""
    matrix = {name: value for name, value in entry["matrix"].items() if name not in {"exclude", "include"}}
    excludes, includes = entry["matrix"].get("exclude", []), entry["matrix"].get("include", [])
    names = list(matrix)
    rows = entry.get("foreach", [None])
    parts = row_parts(rows) if rows != [None] else [""]
    namers = {
        name: namer([*values_of(name, matrix.get(name, [])), *(item[name] for item in includes if name in item)])
        for name in AXES
    }
    for row, part in zip(rows, parts, strict=True):
        made = []
        if names or not includes:
            for values in itertools.product(*(values_of(name, matrix[name]) for name in names)):
                cell = dict(zip(names, values, strict=True))
                if isinstance(cell.get("seed"), tuple):
                    others = {name: value for name, value in cell.items() if name != "seed"}
                    first = next(iter(row.values())) if row else None
                    cell["seed"] = seed_of(others, first, cell["seed"][1] + 1)[-1]
                if not any(all(hits(name, value, cell, row) for name, value in wanted.items()) for wanted in excludes):
                    made.append(cell)
        for item in includes:
            known = [name for name in names if name in item]
            made.append({name: item[name] for name in (*known, *(name for name in item if name not in names))})
        for cell in made:
            yield described(cell, row, part, namers)


def hits(name, wanted, cell, row):
    if name in cell:
        if name == "size":
            return PRESETS.get(wanted, wanted) == PRESETS.get(cell[name], cell[name])
        return matches(wanted, cell[name])
    return matches(wanted, (row or {}).get(name, MISSING))


def described(cell, row, part, namers):
    words = [f"{name}={namers[name](value)}" for name, value in cell.items()] + ([part] if part else [])
    params = {"width": 1024, "height": 1024, "safetyTolerance": 2, "seed": 123, "outputFormat": "png"}
    params |= {name: value for name, value in (row or {}).items() if name in params}
    params |= {name: value for name, value in cell.items() if name in params}
    if "size" in cell:
        params["width"], params["height"] = map(int, PRESETS.get(cell["size"], cell["size"]).split("x"))
    params["outputFormat"] = cell.get("format", params["outputFormat"])
    known = VARS | (row or {}) | cell
    mood = known["look"]["mood"] if isinstance(known["look"], dict) else None
    params["prompt"] = f"{text(known['color'])} {mood} {text(known['take'])} {known['sku']}"
    if row is not None:
        note = row.get("note", "-")
        params["prompt"] += f" {note}" if not isinstance(note, dict) else " (a mapping)"
    scalars = [text(value) for value in (row or {}).values() if isinstance(value, str | int)]
    name = "-".join([*(namers[name](value) for name, value in cell.items()), *scalars]) or "hero"
    path = f"outputs/hero/{name}.{'jpg' if params['outputFormat'] == 'jpeg' else 'png'}"
    return "hero" + ("/" + ",".join(words) if words else ""), cell, row or {}, params, path


def sound(cells):
    unique = all(len({cell[at].lower() for cell in cells}) == len(cells) for at in (0, 4))
    written = all("None" not in cell[3]["prompt"] and "(a mapping)" not in cell[3]["prompt"] for cell in cells)
    return cells and unique and written


@settings(max_examples=300)
@given(entries())
def test_the_cells_are_those_of_a_plain_loop_over_the_data(entry):
    expected = list(oracle(entry))
    manifest = {"version": 1, "presets": PRESETS, "vars": VARS, "entries": [entry]}
    source = json.dumps(manifest).encode()
    if not sound(expected):
        event("refused")
        with pytest.raises(ManifestError):
            expand(source, file="m.yaml", schemas=SCHEMAS)
        return
    event("made")
    cells = expand(source, file="m.yaml", schemas=SCHEMAS).cells
    assert [cell.id for cell in cells] == [cell[0] for cell in expected]
    for cell, (_, axes, row, params, path) in zip(cells, expected, strict=True):
        assert dict(cell.axes) == axes
        assert dict(cell.row) == row
        assert dict(cell.params) == params
        assert cell.path == path
