"""Every text is only ever a text, whatever is in it."""

from __future__ import annotations

import json
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.report.markup import Html, element, escaped, script_data

TEXT = st.text() | st.text("<>&\"'/!-=` \x00\u2028scriptSCRIPT\ud800")


class Reader(HTMLParser):
    """What a parser finds: the tags, their attributes and the text between them."""

    def __init__(self, markup):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        raise AssertionError(data)


@given(TEXT, TEXT)
def test_a_text_opens_no_tag_and_ends_no_attribute(inside, attribute):
    found = Reader(element("p", inside, title=attribute))
    assert [(tag, list(attributes)) for tag, attributes in found.tags] == [("p", ["title"])]


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn"))))
def test_a_text_is_read_as_it_was_written(text):
    found = Reader(element("p", text, title=text))
    assert (found.text, found.tags[0][1]["title"]) == (text, text)


@given(st.recursive(TEXT | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner)))
def test_data_for_a_script_is_the_data_and_ends_no_script(data):
    written = script_data(data)
    assert json.loads(written) == data
    assert not set("<>&\u2028\u2029\x00") & set(written)
    written.encode()


def test_what_html_cannot_hold_is_shown_as_unreadable():
    assert escaped("a\x00b\x1b[c\x85d") == "a\ufffdb\ufffd[c\ufffdd"
    assert escaped("two\nlines\tand a tab") == "two\nlines\tand a tab"


def test_markup_is_not_escaped_twice_and_attributes_can_be_left_out():
    inner = element("b", "1 < 2")
    assert element("p", inner, id=3, hidden=True, title=None, lang=False) == '<p id="3" hidden><b>1 &lt; 2</b></p>'
    assert element("img", src="a.png", data_axis="x", class_="y") == '<img src="a.png" data-axis="x" class="y">'
    assert isinstance(inner, Html)
