"""Templates: what they can say, and what they can never do."""

from __future__ import annotations

import subprocess
import sys

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.manifest.prompt import template
from flux_pipeline.manifest.template_filters import MAX_TEXT, TemplateFault, slug

VALUES = {
    "x": "red",
    "n": 3,
    "f": 1.0,
    "t": True,
    "look": {"mood": "calm", "items": "things"},
    "parts": ["a", "b"],
    "s": "a/b",
}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain", "plain"), ("a {{ x }} b", "a red b"), ("{{x}}{{n}}", "red3"), ("{{ f }} {{ t }}", "1.0 true"),
        ("{{ look.mood }} {{ look['mood'] }} {{ look.items }}", "calm calm things"), ("{{ parts[0] }}", "a"),
        ("{{ parts | join(', ') }}", "a, b"), ("{{ x | upper }}", "RED"), ("{{ x ~ '-' ~ n }}", "red-3"),
        ("{{ n + 1 - 2 }}", "2"), ("{{ 'yes' if x == 'red' else 'no' }}", "yes"), ("{% if n > 2 %}big{% endif %}", "big"),
        ("{{ y | default('none given') }}", "none given"), ("{{ 'there' if y is defined else 'not' }}", "not"),
        ("{{ 'Crème Brûlée №5!' | slug }}", "creme-brulee-no5"), ("{{ x | replace('r', 'b') }}", "bed"),
        ("{{ 2.345 | round(1) }}", "2.3"), ("{{ x | truncate(2) }}", "re"), ("{# a comment #}x", "x"), ("ends\n", "ends\n"),
        ("{{ 'r' in x }}", "true"), ("{{{ not this", None), ("{ {x} }}", "{ {x} }}"), ("{{- x -}} y", "redy"),
    ],
)  # fmt: skip
def test_a_template_says_what_it_says(source, text):
    if text is None:
        with pytest.raises(TemplateFault):
            template(source)
    else:
        assert template(source).render(VALUES) == text


HOSTILE = [
    "{{ x.__class__ }}", "{{ x['__class__'] }}", "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ x|attr('__class__') }}",
    "{{ '{0.__class__}'.format(x) }}", "{{ '%s' % x }}", "{{ '%1000000000d' % 1 }}", "{{ 'a' * 10**9 }}", "{{ 10 ** 10000000 }}",
    "{{ range(10**9) }}", "{% for i in range(10**9) %}{% endfor %}", "{% for a in parts %}{{ a }}{% endfor %}", "{{ lipsum() }}",
    "{{ lipsum(n=10**6) }}", "{{ lipsum.__globals__['os'].popen('id') }}", "{{ cycler.__init__.__globals__ }}", "{{ joiner() }}",
    "{{ namespace() }}", "{{ self }}", "{{ self.__init__ }}", "{{ self._TemplateReference__context }}", "{{ x.upper() }}",
    "{% set y = 1 %}", "{% macro m() %}{% endmacro %}", "{% include '/etc/passwd' %}", "{% import 'a' as b %}", "{% extends 'a' %}",
    "{% from 'a' import b %}", "{% block a %}{% endblock %}", "{% call x() %}{% endcall %}", "{% filter upper %}a{% endfilter %}",
    "{% with a = 1 %}{% endwith %}", "{% autoescape true %}{% endautoescape %}", "{{ [1, 2] }}", "{{ {'a': 1} }}", "{{ (1, 2) }}",
    "{{ parts[0:1] }}", "{{ x | center(1000000000) }}", "{{ x | indent(1000000000) }}", "{{ x | format }}", "{{ x | xmlattr }}",
    "{{ x | urlize }}", "{{ x | tojson }}", "{{ x | map('upper') | list }}", "{{ x | pprint }}", "{{ parts | batch(10) }}",
    "{{ n // 2 }}", "{{ n / 0 }}", "{{ n % 2 }}", "{{ -n }}", "{{ not_there }}", "{{ look.nope }}", "{{ look }}", "{{ parts }}",
    "{{ look.mood.upper }}", "{{ parts[7] }}", "{{ n.real }}", "{{ x + 1 }}", "{{ 'x' | round }}", "{{ 1 | round(1000000000) }}",
    "{{ 'a' | replace('', 'b') }}", "{{ x is callable }}", "{{ debug }}", "{% debug %}", "{{ request }}", "{{ config }}", "{{", "{%",
    "{{ }}", "{% if %}", "{{ x | }}", "{% endif %}", "{{ " + "(" * 40 + "x" + ")" * 40 + " }}", "{{ " + "not " * 2000 + "x }}",
    "{{ x }}" * 600, "{{ " + "x ~ " * 600 + "x }}", "{{ " + " + ".join(["n"] * 240) + " + x }}", "{% if x %}" * 200 + "{% endif %}" * 200,
    "{{ x }}" + "a" * 8192, "{{ x|replace('r', '" + "r" * 3000 + "')|replace('r', '" + "r" * 3000 + "') }}", "{{ look.mood | int(1, 99) + x }}",
    "{{ parts | join(x, 'a') }}", "{{ x | sort(attribute='__class__') }}", "{{ parts | sort(false, false, '__class__.__mro__') | join }}",
]  # fmt: skip


@pytest.mark.parametrize("source", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_template_is_refused(source):
    with pytest.raises(TemplateFault) as caught:
        template(source).render(VALUES)
    assert len(str(caught.value)) < 600


def test_the_whole_hostile_corpus_takes_no_time_and_no_memory():
    code = (
        "import resource, runpy, sys\nresource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (20, 20))\nspace = runpy.run_path(sys.argv[1])\n"
        "for source in space['HOSTILE']:\n    try:\n        space['template'](source).render(space['VALUES'])\n"
        "    except space['TemplateFault']:\n        pass\nprint('survived')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, __file__], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "survived", done.stderr[-500:]


@pytest.mark.parametrize("source", ["{{ x | replace('a', y) }}", "{{ parts | join(y) }}", "{{ x }}" + "{{ y }}" * 20])
def test_no_template_makes_more_text_than_allowed(source):
    with pytest.raises(TemplateFault, match="more than"):
        template(source).render({"x": "a" * 60_000, "y": "b" * 60_000, "parts": ["a"] * 60_000})
    assert MAX_TEXT == 65_536


def test_a_missing_name_is_found_before_rendering_and_what_exists_is_listed():
    missing = template("{{ colour }} {{ brand }}").undefined(frozenset({"brand", "color", "entry", "seed", "size"}))
    assert missing == {
        "colour": '"colour" is not defined; defined here: brand, color, entry, seed, size; did you mean "color"?'
    }


def test_a_name_behind_default_or_is_defined_may_be_missing():
    assert template("{{ a | default('x') }}{% if b is defined %}{{ b }}{% endif %}").required == {"b"}
    assert template("{{ a | default(c) }}").required == {"c"}


def test_a_value_adds_no_folder_to_a_path():
    with pytest.raises(TemplateFault, match="folders"):
        template("o/{{ s }}.png", path=True).render(VALUES)
    with pytest.raises(TemplateFault, match="folders"):
        template("o/{{ 'a' ~ s }}.png", path=True).render(VALUES)
    assert template("o/{{ s | slug }}.png", path=True).render(VALUES) == "o/a-b.png"


@given(st.text(st.sampled_from("{} xn%#\n.'a-"), max_size=25), st.text(max_size=5))
def test_the_short_way_says_what_jinja_says(source, value):
    plain = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined, autoescape=False)
    values = {"x": value, "n": 3, "a": "b", "xx": "", "nx": "z"}
    try:
        ours = template(source).render(values)
    except TemplateFault:
        return
    assert ours == plain.from_string(source).render(values)


@given(st.text(max_size=40))
def test_a_slug_is_letters_digits_and_hyphens(text):
    made = slug(text)
    assert all(character.isalnum() or character == "-" for character in made)
    assert made == made.strip("-")
