"""What a template may make is known before it is filled in, and honest manifests never meet a bound."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.errors import ManifestError
from flux_pipeline.manifest.bounds import LEAST_TEXT
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.prompt import template
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.manifest.template_cost import characters, extent
from flux_pipeline.manifest.template_filters import TemplateFault

SCHEMAS = Schemas()
WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="{}%#'\\\""), max_size=12)
NAMES = st.sampled_from(["short", "long", "number", "look.mood", "parts[1]", "fraction"])
LITERALS = st.one_of(WORDS.map(lambda word: f"'{word}'"), st.integers(0, 10**6).map(str))
FILTERS = st.sampled_from(
    ["upper", "lower", "title", "slug", "trim", "truncate(7)", "truncate", "length", "replace('a', 'bcd')",
     "replace(' ', '')", "default('none')", "first", "last", "string", "int", "float", "capitalize", "round(2)", "abs"]
)  # fmt: skip
EXPRESSIONS = st.recursive(
    NAMES | LITERALS,
    lambda inner: st.one_of(
        st.tuples(inner, FILTERS).map(lambda pair: f"({pair[0]}) | {pair[1]}"),
        st.tuples(inner, inner).map(" ~ ".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) + ({pair[1]})"),
        st.tuples(inner, inner, inner).map(lambda three: f"({three[0]}) if ({three[1]}) else ({three[2]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) == ({pair[1]})"),
        st.just("parts | join(', ')"),
    ),
    max_leaves=8,
)
SOURCES = st.lists(st.one_of(WORDS, EXPRESSIONS.map(lambda inner: f"{{{{ {inner} }}}}")), max_size=4).map("".join)
VALUES = {
    "short": "a", "long": "a b " * 30, "number": -12345, "fraction": 1.23456789e-300, "look": {"mood": "calm"},
    "parts": ["", "b", 3],
}  # fmt: skip


@given(SOURCES)
def test_no_template_makes_more_text_than_was_told_before(source):
    try:
        one = template(source)
        text = one.render(VALUES)
    except TemplateFault:
        return
    assert len(text) <= characters(one.cost.length, lambda name: extent(VALUES[name]))


def refusals(text):
    with pytest.raises(ManifestError) as caught:
        expand(text.encode(), file="m.yaml", schemas=SCHEMAS)
    return [(problem.code, problem.path) for problem in caught.value.problems]


def many(prompt, **variables):
    seeds = list(range(10_000))
    entry = {"id": "a", "prompt": prompt, "vars": variables, "matrix": {"n": seeds}}
    return json.dumps({"version": 1, "entries": [entry]})


def test_prompts_of_an_honest_length_are_fine_however_many_they_are():
    long = "words and words " * 300  # 4,800 characters
    assert len(expand(many("{{ n }} {{ long }}", long=long).encode(), file="m", schemas=SCHEMAS).cells) == 10_000
    assert len(long) * 10_000 < LEAST_TEXT


def test_too_much_text_is_refused_where_it_is_made():
    long = "x" * 60_000
    assert refusals(many("{{ n }} {{ long }}", long=long)) == [("too-much", "entries[0].prompt")]
    assert refusals(many("{{ n }} {{ long | slug | truncate(3) }}", long=long)) == [("too-much", "entries[0].prompt")]
    values = ", ".join(long[:-2] + str(number) for number in range(20))
    ids = (
        f"version: 1\nentries: [{{id: a, prompt: p, matrix: {{n: [{', '.join(map(str, range(99)))}], t: [{values}]}}}}]"
    )
    assert refusals(ids) == [("too-much", "entries[0].matrix")]


def test_variables_that_no_template_uses_cost_nothing():
    unused = {f"unused{number}": "x" * 1000 for number in range(1000)}
    assert len(expand(many("{{ n }}", **unused).encode(), file="m", schemas=SCHEMAS).cells) == 10_000
