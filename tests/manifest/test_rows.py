"""Rows of files: what is read, what it sets, and what is wrong with it."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.errors import ManifestError, UsageError
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.rows import MAX_BYTES, read_rows
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.manifest.table import MAX_PROBLEMS

SCHEMAS = Schemas()


def cells(entry, head="version: 1", **files):
    text = f"{head}\nentries:\n  - {{id: hero, {entry}}}\n"
    return expand(text.encode(), file="folder/m.yaml", schemas=SCHEMAS, read=reader(files)).cells


def reader(files):
    named = {name.replace("_", "."): value for name, value in files.items()}

    def read(name):
        if name not in named:
            raise UsageError(f"{name}: No such file or directory")
        value = named[name]
        return value.encode() if isinstance(value, str) else value

    return read


def problems(entry, **files):
    with pytest.raises(ManifestError) as caught:
        cells(entry, **files)
    return [str(problem).partition("\n")[0] for problem in caught.value.problems]


def faults(source, file="rows.csv"):
    table = read_rows(source if isinstance(source, bytes) else source.encode(), file)
    return [(problem.line, problem.message) for problem in table.problems]


def test_each_row_makes_the_whole_product_before_the_next_one_does():
    made = cells("prompt: '{{ sku }}', foreach: a.csv, matrix: {seed: [1, 2]}", a_csv="sku,name\nB,x\nA,y\n")
    assert [(cell.id, cell.path) for cell in made] == [
        ("hero/seed=1,sku=B", "outputs/hero/1-B-x.png"),
        ("hero/seed=2,sku=B", "outputs/hero/2-B-x.png"),
        ("hero/seed=1,sku=A", "outputs/hero/1-A-y.png"),
        ("hero/seed=2,sku=A", "outputs/hero/2-A-y.png"),
    ]
    assert [dict(cell.axes) for cell in made[:2]] == [{"seed": 1}, {"seed": 2}]
    assert dict(made[0].row) == {"sku": "B", "name": "x"}


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        ("[{a: 1, b: x}, {a: 2, b: x}]", ["a=1", "a=2"]),
        ("[{a: 1, b: x}, {a: 1, b: y}]", ["a=1,b=x", "a=1,b=y"]),
        ("[{b: x, a: 1}, {b: X, a: 2}]", ["b=x,a=1", "b=X,a=2"]),
        ("[{deep: {x: 1}, a: 1}, {deep: {x: 2}, a: 2}]", ["a=1", "a=2"]),
        ("[{a: 1, b: x}, {b: y}]", ["b=x", "b=y"]),
        ("[{a: 1, deep: {x: 1}}, {a: 1, deep: {x: 2}}]", ["row=1", "row=2"]),
        ("[{a: one}]", ["a=one"]),
    ],
)
def test_an_id_names_the_fewest_leading_fields_that_tell_the_rows_apart(rows, parts):
    told_apart = "{{ a | default('') }}-{{ b | default('') }}-{{ row.deep.x | default('') }}"
    made = cells(f'prompt: "x {told_apart}", foreach: {rows}', f'version: 1\noutput: "o/{told_apart}.png"')
    assert [cell.id for cell in made] == [f"hero/{part}" for part in parts]


def test_fields_are_variables_by_name_and_under_row():
    rows = "[{sku: A1, maker: {name: Fern}, the name: Tonic}]"
    (cell,) = cells(
        f"""prompt: "{{{{ sku }}}} {{{{ row.sku }}}} {{{{ row.maker.name }}}} {{{{ row['the name'] }}}}", foreach: {rows}"""
    )
    assert cell.params["prompt"] == "A1 A1 Fern Tonic"


def test_narrower_wins_with_rows_between_entry_and_axis():
    head = "version: 1\nvars: {a: manifest, b: manifest}\nparams: {seed: 1, safetyTolerance: 1, width: 64, height: 64}"
    entry = (
        "prompt: '{{ a }} {{ b }} {{ width }}', vars: {a: entry}, params: {seed: 2, safetyTolerance: 2}, "
        "foreach: [{a: row, seed: 3, width: 128}], matrix: {size: [256x512]}"
    )
    (cell,) = cells(entry, head)
    assert cell.params["prompt"] == "row manifest 128"
    assert [cell.params[name] for name in ("seed", "safetyTolerance", "width", "height")] == [3, 2, 256, 512]


def test_output_is_told_the_real_size_and_not_the_row_s():
    head = "version: 1\noutput: 'o/{{ width }}-{{ seed }}-{{ row.width }}.png'"
    (cell,) = cells("prompt: x, foreach: [{width: 128, seed: 5}], matrix: {size: [256x512]}", head)
    assert cell.path == "o/256-5-128.png"


def test_a_column_named_like_a_parameter_sets_it_as_the_schema_s_type():
    table = "sku,seed,size,format,safetyTolerance\nA,7,512x256,jpeg,\nB,8,square,png,4\n"
    one, two = cells(
        "prompt: '{{ sku }} {{ size }}', foreach: a.csv", "version: 1\npresets: {square: 256x256}", a_csv=table
    )
    assert one.params == {
        "prompt": "A 512x256", "width": 512, "height": 256, "safetyTolerance": 2, "seed": 7, "outputFormat": "jpeg",
    }  # fmt: skip
    assert one.path.endswith(".jpg")
    assert (two.params["width"], two.params["safetyTolerance"], two.params["prompt"]) == (256, 4, "B square")
    assert dict(one.row) == {"sku": "A", "seed": 7, "size": "512x256", "format": "jpeg"}


def test_a_prompt_column_is_a_template_and_an_empty_one_leaves_the_entry_s():
    head = "version: 1\noutput: 'o/{{ sku }}.png'"
    made = cells("prompt: 'plain {{ sku }}', foreach: a.csv", head, a_csv="sku,prompt\nA,own {{ sku }}\nB,\n")
    assert [cell.params["prompt"] for cell in made] == ["own A", "plain B"]


@pytest.mark.parametrize("ending", ["csv", "CSV", "json", "jsonl", "ndjson", "yaml", "yml"])
def test_every_kind_of_file_says_the_same(ending):
    rows = [{"sku": "A1", "name": 'gin, "dry"'}, {"sku": "B2", "name": "a b"}]
    table = io.StringIO()
    csv.writer(table).writerows([["sku", "name"], *(row.values() for row in rows)])
    text = {
        "csv": table.getvalue(),
        "jsonl": "\n".join(map(json.dumps, rows)),
        "ndjson": "\r\n".join(map(json.dumps, rows)) + "\r\n\r\n",
    }.get(ending.lower(), json.dumps(rows))
    found = read_rows(text.encode(), f"rows.{ending}")
    assert (list(found.rows), found.problems) == (rows, ())


NAMES = st.lists(st.sampled_from(["a", "b", "sku", "the name", "Ü"]), min_size=1, max_size=4, unique=True)
TEXTS = st.text(
    st.characters(blacklist_categories=["Cc", "Cs"], blacklist_characters="\u2028\u2029\ufffe\uffff"), max_size=9
)
FIELDS = TEXTS | st.sampled_from(['"', '""', "a\nb", "a\r\nb", ",", "x,y", "1"])


@given(
    NAMES.flatmap(
        lambda names: st.tuples(
            st.just(names), st.lists(st.lists(FIELDS, min_size=len(names), max_size=len(names)), min_size=1, max_size=6)
        )
    ),
    st.sampled_from(["\r\n", "\n"]),
    st.booleans(),
)
def test_what_any_program_writes_as_csv_is_read_as_it_was_meant(table, ending, marked):
    names, rows = table
    text, starts = io.StringIO(), []
    for row in [names, *rows]:
        starts.append(len(io.StringIO(text.getvalue(), newline="").readlines()) + 1)
        csv.writer(text, lineterminator=ending, quoting=csv.QUOTE_ALL).writerow(row)
    found = read_rows(text.getvalue().encode("utf-8-sig" if marked else "utf-8"), "rows.csv")
    assert found.problems == ()
    assert [list(row.values()) for row in found.rows] == rows
    assert [*found.starts] == starts[1:]


@given(st.binary(max_size=60), st.sampled_from(["csv", "json", "jsonl", "yaml"]))
def test_whatever_the_bytes_are_there_are_rows_or_problems(source, ending):
    table = read_rows(source, f"rows.{ending}")
    assert table.rows or table.problems


@given(st.text('{}[]",:a1 \n\\e.-', max_size=40), st.sampled_from(["csv", "json", "jsonl", "yaml"]))
def test_whatever_looks_like_data_gives_rows_or_problems(source, ending):
    table = read_rows(source.encode(), f"rows.{ending}")
    assert table.rows or table.problems


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", (1, "the file is empty; its first line names the columns")),
        ("a,b\n", (1, "the file has a header and no rows")),
        ("a,b\n\n\n1\n", (4, "the row has 1 field, and the header names 2 columns")),
        ("a,b\n1,2\n1,2,3\n", (3, "the row has 3 fields, and the header names 2 columns; a comma inside a field needs quotes around the field")),
        ("a,a\n1,2\n", (1, 'two columns have one name: "a"')),
        ("a,\n1,2\n", (1, "column 2 has no name; name it, or take it out")),
        ("a;b\n1;2\n", (1, "the columns seem to be parted by semicolons; part them by commas")),
        ('a,b\n"x\ny",1\n"z,2\n', (4, "a quote that is opened in this row is never closed")),
        ('a,b\n"x"y,1\n', (2, 'a quoted field goes on behind its quote; write a quote inside quotes twice: ""')),
        ("a,b\n1,\0\n", (2, "the character U+0000 has no place in text; remove it")),
        (b"a,b\n1,\xe9\n", (2, "the file is not UTF-8 at byte 6 (0xE9); save it as UTF-8")),
        ("a\n".encode("utf-16"), (0, "the file is UTF-16; save it as UTF-8")),
        (f"a\n{'x' * 70_000}\n", (2, "70,000 characters are more than the 65,536 that one text may have")),
        (f"a\n{'x' * 140_000}\n", (2, "this is not CSV: field larger than field limit (131072)")),
        ("," * 5000 + "\n", (1, "there are 5,001 columns, more than the 1,000 allowed")),
    ],
)  # fmt: skip
def test_what_is_wrong_with_csv_is_said_with_its_line(source, said):
    assert said in faults(source)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{}", (1, "the file is no list; it has to be a list of objects: [{…}, {…}]")),
        ("", (1, "the file is no list; it has to be a list of objects: [{…}, {…}]")),
        ("[]", (1, "the file has no rows")),
        ('[\n{"a": 1},\n{"a": 1} 5]', (3, "a comma or the closing ] is missing behind a row")),
        ('[{"a": 1},]', (1, "this is not JSON: Expecting value (column 11)")),
        ('[{"a": 1}]\n[]', (2, "something follows the list")),
        ('[{"a": 1e999}]', (1, "a number is too large to be kept; quote it for text")),
        ('[{"a": 1234567890123456789}]', (1, "a number of more than 18 digits cannot be kept exactly; quote it for text")),
        ('[\n\n{"a": "\\u0000"}]', (3, "the row has the character U+0000 in a text; remove it")),
        ('[{"a": "\\ud800"}]', (1, "the row has the character U+D800 in a text; remove it")),
        ('[{"a": ' + "[" * 100_000, (1, "lists and objects are nested too deeply")),
        ('[{"a": ' + "[" * 70 + "]" * 70 + "}]", (1, "the row has lists and objects that are nested more than 64 deep")),
        ('[{"": 1}]', (1, "the row has a field without a name")),
        ('[{"a": {"b": 1, "b": 2}}]', (1, '"b" is written twice in one object')),
    ],
)  # fmt: skip
def test_what_is_wrong_with_json_is_said_with_its_line(source, said):
    assert said in faults(source, "rows.json")


def test_a_file_that_is_wrong_everywhere_is_not_read_out_to_the_end():
    found = faults("a,b\n" + "1\n" * 1000)
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1][1] == "and 980 more problems like these in this file"
    said = problems("prompt: x, foreach: a.csv", a_csv="sku,seed\n" + "".join(f"A{n},x{n}\n" for n in range(1000)))
    assert len(said) == MAX_PROBLEMS


def test_a_file_of_too_many_bytes_is_not_read():
    assert faults(b"a" * (MAX_BYTES + 1))[0][1].startswith("the file has 16,777,217 bytes")


def test_a_wrong_value_is_reported_in_its_own_file_beside_the_manifest():
    said = problems("prompt: '{{ sku }}', foreach: data/a.csv", **{"data/a_csv": "sku,seed\nA1,1\nA2,one\n"})
    assert said == ['folder/data/a.csv:3:1 [1].seed: "one" is not an integer']
    said = problems("prompt: x, foreach: a.yml", a_yml="- {sku: A1}\n- {sku: A2,\n   seed: one}\n")
    assert said == ['folder/a.yml:3:10 [1].seed: "one" is not an integer']
    said = problems("prompt: x, foreach: a.csv, matrix: {sku: [1]}", a_csv="id,seed,sku\nA1,one,1\n")
    assert said == [
        'folder/a.csv:2:1 [0].seed: "one" is not an integer',
        (
            'folder/a.csv:1:1 [0].sku: "sku" is a field of the rows and an axis of the matrix: the axis wins; rename one of '
            "the two"
        ),
    ]


def test_an_axis_wins_over_the_field_of_its_name_for_parameters_and_for_variables():
    text = """version: 1
entries:
  - id: a
    prompt: A {{ color }} bottle
    foreach: [{sku: A1, color: blue, seed: 300}, {sku: B2, color: green, seed: 301}]
    matrix: {color: [red], seed: [1, 2]}
"""
    expansion = expand(text.encode(), file="m.yaml", schemas=SCHEMAS)
    assert {cell.params["prompt"] for cell in expansion.cells} == {"A red bottle"}
    assert [cell.params["seed"] for cell in expansion.cells] == [1, 2, 1, 2]
    assert {warning.code for warning in expansion.warnings} == {"shadowed", "shared-render"}


def test_a_file_that_two_entries_name_is_read_once_and_complained_about_once():
    asked = []

    def read(name):
        asked.append(name)
        return b"sku\nA\nB,2\n"

    text = b"version: 1\nentries: [{id: a, prompt: x, foreach: a.csv}, {id: b, prompt: x, foreach: a.csv}]"
    with pytest.raises(ManifestError) as caught:
        expand(text, file="m.yaml", schemas=SCHEMAS, read=read)
    assert (asked, len(caught.value.problems)) == (["a.csv"], 1)


@pytest.mark.parametrize(
    "name", ["/etc/a.csv", "https://host/a.csv", "~/a.csv", "C:\\a.csv", "\\\\host\\a.csv", "file:///a.csv"]
)
def test_rows_are_read_only_from_places_relative_to_the_manifest(name):
    def read(_):
        raise AssertionError("nothing outside is read")

    text = f"version: 1\nentries: [{{id: a, prompt: x, foreach: {json.dumps(name)}}}]"
    with pytest.raises(ManifestError, match="by its path from the manifest's folder"):
        expand(text.encode(), file="m.yaml", schemas=SCHEMAS, read=read)


def test_a_default_path_that_gets_too_long_says_to_write_output():
    (said,) = problems("prompt: '{{ a }}', foreach: a.csv", a_csv=f"a\n{'x' * 300}\n")
    assert "a part of the path is longer than 231 bytes" in said
    assert "in an output: of your own" in said


def test_rows_are_counted_with_the_axes():
    table = "sku\n" + "".join(f"A{n}\n" for n in range(5001))
    (said,) = problems("prompt: x, foreach: a.csv, matrix: {seed: [1, 2], include: [{seed: 5}]}", a_csv=table)
    assert "5,001 rows × (2 + 1 included) = 15,003 cells, more than the 10,000" in said
