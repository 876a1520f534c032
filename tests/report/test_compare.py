"""A comparison as text, Markdown, JSON and a page: complete, bounded, and deaf to what stands in ids and prompts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_pipeline.comparison import Comparison, Dollars, Row, Version
from flux_pipeline.ledger.facts import FileFact
from flux_pipeline.ledger.keys import Render
from flux_pipeline.report import compare as told
from flux_pipeline.report import summary
from flux_pipeline.report.compare import Look, Report
from flux_pipeline.report.compare_markdown import MOST, markdown
from flux_pipeline.report.compare_page import page
from flux_pipeline.report.compare_text import text
from flux_pipeline.report.widths import width
from flux_pipeline.report.wording import fitted, pieces

PIXEL = "data:image/png;base64,iVBORw0KGgo="
_SEEDS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</code></summary></details><h1>x",
    "| a | b |",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "`code` **bold** _it_ ~~no~~",
    "@everyone #1 GH-1",
    "https://evil.example www.evil.example a@b.example",
    "<!-- -->",
    "]]> --> ?>",
    "&lt;script&gt; &#60;b&#62; &amp",
    '" onload=alert(1) x="',
    "' onfocus=alert(1) autofocus x='",
    "</style><style>*{display:none}",
    "</title><script>",
    "\n\n# heading\n\n- item\n",
    "\n\n<details open>\n",
    "```\nfence\n```",
    "$x$ \\( \\) \\| \\",
    ":+1: <del> <ins>",
    "\x00\x1b[31m\u202e\u2066\u200f",
    "javascript:alert(1)",
    "data:text/html,<b>",
    "{{ 7*7 }} ${7*7} <%= 7 %>",
)
_WRAPS = ("{}", "a{}b", " {} ", "{0}{0}", '">{}', "'>{}", "\\{}", "\n{}", "\n\n{}\n\n", "[{}]", "({})", "<{}>", "`{}`")
_MORE = ("|{}|", "*{}*", "!{}", "#{}", "&{};", "%3C{}", "{}\\")
PAYLOADS = [wrap.format(seed) for seed in _SEEDS for wrap in (*_WRAPS, *_MORE)]


def version(key="1", prompt="A red mug", **params):
    render = Render(model="m/m", params={"prompt": prompt, **params}, key=key * 64)
    fact = FileFact(sha256="a" * 64, bytes=1, width=64, height=64)
    return Version(
        key=render.key, state="saved", path="outputs/a.png", picture=fact, task="1", model="m/m", request=render
    )


def row(cell="mug/seed=1", old="A red mug", new="A teal mug", value="png", **known):
    cents = Dollars(Decimal("0.03"))
    return Row(
        cell=cell,
        before=version("1", old, outputFormat="x"),
        after=version("2", new, outputFormat=value),
        **({"spent_before": cents, "spent_after": cents, "due": cents} | known),
    )


def report(*rows, looks=None, old="m.yaml at main", new="m.yaml now", **known):
    pair = (
        Look(reason="not on disk any more"),
        Look(path="o/a.png", address="o/a.png", source=PIXEL, width=9, height=9),
    )
    comparison = Comparison(rows, Row(cell="", before=None, after=None))
    return Report(comparison=comparison, old=old, new=new, looks=looks or {one.cell: pair for one in rows}, **known)


def html(given):
    return "".join(page(given))


class _Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.words = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag):
        self.found.append((f"/{tag}",))

    def handle_comment(self, data):
        self.found.append(("comment", data))

    def handle_data(self, data):
        self.words.append(data)


def tags(text):
    """Return every tag with the names of its attributes, but for the breaks and changes that a text may bring."""
    return [
        one
        for one in _Tags(text.replace("&#64;<span></span>", "")).found
        if one[0].strip("/") not in {"br", "del", "ins"}
    ]


def skeleton(text):
    """Return the signs that Markdown acts on, with everything that is a letter, a number or an escape taken out."""
    return re.sub(r"&#64;<span></span>|&#\d+;|<br>|</?(?:del|ins)>|[\w ,./=-]|[^\x00-\x7f]", "", text)


def everywhere(payload):
    looks = {payload: (Look(reason=payload), Look(path=payload, address="a", source=PIXEL, width=1, height=1))}
    one = row(payload, old=f"A {payload}", new=f"The {payload}", value=payload, twin=None)
    return report(one, looks=looks, old=payload, new=payload, mixed=payload, unread=payload)


def test_there_are_five_hundred_payloads():
    assert len(set(PAYLOADS)) >= 499


@pytest.mark.parametrize("payload", _SEEDS)
def test_no_hostile_text_changes_a_tag_of_the_page_or_a_sign_of_the_comment(payload):
    plain = everywhere("payload")
    for wrap in (*_WRAPS, *_MORE):
        hostile = everywhere(wrap.format(payload))
        assert tags(html(hostile)) == tags(html(plain))
        assert tags(markdown(hostile)) == tags(markdown(plain))
        assert skeleton(markdown(hostile)) == skeleton(markdown(plain))
        assert markdown(hostile).count("\n") == markdown(plain).count("\n")
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e\u2066]", markdown(hostile) + html(hostile))
        lines = [*text(hostile)]
        assert len(lines) == len([*text(plain)])
        assert not re.search(r"[\x00-\x1f\x7f\u202e\u2066]", "".join(lines))


@pytest.mark.parametrize(
    "payload", ["user@evil.example", "a <mailto:b@c.example>", "@everyone", "www.evil.example", "1. one"]
)
def test_a_forge_finds_no_address_and_no_mention_in_a_text_after_it_has_read_the_references(payload):
    for form in (markdown(everywhere(payload)), summary.escaped(payload)):
        assert not re.search(r"www\.|^\d+\.\s", form)
        texts = _Tags(re.sub(r"!\[[^]]*\]\([^)]*\)", "", form)).words  # no forge makes a link of the words of a picture
        assert [text for text in texts if re.search(r"[\w.+-]+@[\w-]+\.\w|(?:^|\W)@\w", text)] == []


def test_what_is_escaped_is_still_what_was_said():
    payload = "</code> & <b> | * _ ` @you"
    assert payload in "".join(_Tags(html(everywhere(payload))).words)
    assert payload in "".join(_Tags(markdown(everywhere(payload))).words)


def test_the_page_loads_nothing_and_its_style_is_the_one_that_its_policy_names():
    made = html(report(row()))
    (style,) = re.findall(r"<style>(.*?)</style>", made, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', made)
    assert policy.startswith("default-src 'none'")
    assert f"style-src 'sha256-{digest}'" in policy
    assert re.findall(r"unsafe|https?:|script|style=", policy + re.sub(r"<style>.*?</style>", "", made)) == []
    assert all("alt" in one for one in tags(made) if one[0] == "img")


def test_a_comment_of_very_many_or_very_long_changes_is_bounded_and_counts_the_rest():
    many = report(*(row(f"mug/seed={number}") for number in range(5000)))
    assert len(markdown(many)) <= MOST
    assert re.search(r"… and 4[789]\d\d more;", markdown(many))
    long = report(
        *(row(f"<{number}>" * 500, old="<a>" * 50_000, new="<b>" * 50_000, value="|" * 9_000) for number in range(90))
    )
    assert len(markdown(long)) <= MOST
    assert "more" in markdown(long)
    assert tags(markdown(long)).count(("details",)) == tags(markdown(long)).count(("/details",))


def test_nothing_that_differs_is_said_in_every_form():
    same = Row(cell="a", before=version(), after=version())
    assert "Nothing differs." in markdown(report(same))
    assert "Nothing differs" in html(report(same))
    assert [*text(report(same))][2:] == [
        "1 same",
        "$0.00 before, $0.00 after ($0.00); nothing was paid in between, nothing is due",
    ]


def test_a_terminal_gets_lines_of_its_width_in_which_a_path_stays_whole():
    path = "outputs/" + "a" * 90 + ".png"
    long = row(old="A red mug" + " on a table" * 40, new="A teal mug" + " on a table" * 40)
    given = report(long, looks={long.cell: (Look(path=path), Look(reason="not made yet " * 9))})
    lines = [*text(given, 60)]
    assert all(width(line) <= 60 for line in lines if path not in line)
    assert f"  before   {path}" in lines
    whole = " ".join("\n".join(text(given)).split())
    assert " ".join("\n".join(lines).split()) == whole
    painted = "".join(text(given, 60, lambda role, words: f"<{role}>{words}</>"))
    assert "<failed>[-red-]</><saved>{+teal+}</>" in painted


@pytest.mark.parametrize("change", ["added", "removed"])
def test_the_prompt_of_a_cell_that_came_or_went_is_told_in_every_form(change):
    one = row(old="A teal mug", new="A teal mug")
    one = replace(one, **{"before" if change == "added" else "after": None})
    for form in (markdown(report(one)), html(report(one)), "\n".join(text(report(one)))):
        assert "A teal mug" in form


@pytest.mark.parametrize("remark", [{"mixed": "old.lock is of a rehearsal"}, {"unread": "m.yaml does not ask for it"}])
def test_a_remark_that_begins_with_the_name_of_a_file_leaves_it_as_it_is_written(remark):
    (said,) = remark.values()
    shown = _Tags(html(report(row(), **remark))).words
    assert f"Note: {said}." in shown
    commented = "".join(_Tags(markdown(report(row(), **remark))).words)
    assert f"_Note: {said}._" in commented


def test_dollars_without_another_row_have_one_of_their_own_in_every_form():
    cents = Dollars(Decimal("0.12"))
    stray = Row(cell="", before=None, after=None, spent_after=cents, difference=cents, paid=cents)
    tried = Row(cell="a", before=version(), after=version(), spent_after=cents, difference=cents, paid=cents)
    given = Report(comparison=Comparison((tried,), stray), old="old", new="new", looks={})
    for form in (markdown(given), html(given), "\n".join(text(given))):
        words = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), form)
        assert "(not in the manifest)" in words
        assert "$0.12 was paid in between for renders that no cell asks for now" in words
        assert "$0.12 was paid in between though its request is the same" in words
        assert "Nothing differs" not in words
    document = told.document(given)
    assert (document["differs"], document["not_in_manifest"]["cost_usd"]["paid"]) == (True, 0.12)


@pytest.mark.parametrize(
    ("sums", "said"),
    [
        ((3, 3, 0, 3), "$0.03 before and after, $0.03 may still be due"),
        ((0, 0, 0, 0), "nothing paid"),
        ((0, 3, 3, 0), "nothing before, $0.03 after (+$0.03)"),
    ],
)
def test_the_dollars_of_a_cell_are_said_in_words(sums, said):
    names = ("spent_before", "spent_after", "difference", "due")
    known = {name: Dollars(Decimal(cents) / 100) for name, cents in zip(names, sums, strict=True)}
    assert f'<span class="money">{said}</span>' in html(report(row(**known)))


def test_a_side_that_is_not_there_takes_no_room_and_two_empty_sides_are_one_sentence():
    added = Row(cell="a", before=None, after=version())
    looks = {"a": (None, Look(path="o/a.png", address="o/a.png", source=PIXEL, width=9, height=9))}
    assert html(report(added, looks=looks)).count("<figure>") == 1
    for form in (html(report()), markdown(report())):
        assert form.count("Neither side has a cell, so there is nothing to compare.") == 1
        assert not re.search("Nothing differs|no cells", form)
    assert "no cells on either side" in [*text(report())]


@pytest.mark.parametrize(
    ("sums", "said"),
    [
        ({"due": Dollars(Decimal("0.03"))}, "$0.03 may still be due though its request is the same"),
        ({"difference": Dollars(Decimal("-0.03"))}, "$0.03 less is on record now"),
        ({"difference": Dollars(Decimal("0.03"))}, "$0.03 more is counted for it than before"),
        ({"difference": Dollars(unknown=1)}, "what it has cost is known for one side only"),
    ],
)
def test_a_cell_that_is_the_same_but_for_its_dollars_says_so(sums, said):
    assert told.notes(Row(cell="a", before=version(), after=version(), **sums)) == (said,)


def test_an_unknown_price_is_unknown_in_every_form_and_null_in_the_document():
    given = report(row(due=Dollars(unknown=1), difference=Dollars(unknown=1)))
    assert "| $0.03 | $0.03 | unknown | unknown |" in markdown(given)
    assert "$0.03 before, $0.03 after (unknown), unknown may still be due" in html(given)
    assert "unknown may still be due" in [*text(given)][-1]
    money = told.document(given)["cost_usd"]
    assert (money["due"], money["difference"], money["unknown_prices"]) == (None, None, {"difference": 1, "due": 1})


def test_the_document_is_json_and_names_both_versions_of_each_cell():
    (cell,) = json.loads(json.dumps(told.document(report(row()))))["cells"]
    assert (cell["change"], cell["params"]) == ("changed", {"outputFormat": {"old": "x", "new": "png"}})
    assert cell["prompt"] == [["kept", "A "], ["gone", "red"], ["new", "teal"], ["kept", " mug"]]
    assert (cell["old"]["not_shown"], cell["new"]["on_disk"]) == ("not on disk any more", "o/a.png")


def test_a_request_that_nobody_knows_is_shown_by_its_key_and_the_way_to_know_it():
    blind = [
        Version(key=key * 64, state="saved", path=None, picture=None, task=None, model=None, request=None)
        for key in "12"
    ]
    given = report(Row(cell="a", before=blind[0], after=blind[1]))
    assert "  key      111111111111 → 222222222222" in [*text(given)]
    for form in (markdown(given), html(given), "\n".join(text(given))):
        assert "manifest" in form
        assert "111111111111" in form


words = st.lists(st.sampled_from(["red", "teal", "a", " ", "  ", ",", "\n", "é", "mug-1"]), max_size=30).map("".join)


@given(words | st.text(max_size=40), words | st.text(max_size=40))
def test_the_pieces_of_two_prompts_make_both_of_them(old, new):
    found = pieces(old, new)
    assert "".join(piece.text for piece in found if piece.fate != "new") == old
    assert "".join(piece.text for piece in found if piece.fate != "gone") == new


def test_very_long_prompts_without_sentences_are_not_compared_word_by_word():
    old, new = "red mug " * 20_000, "teal mug " * 20_000
    assert [piece.fate for piece in pieces(old, new)] == ["gone", "new", "kept"]
    assert [piece.fate for piece in pieces(old, old)] == ["kept"]


def changes(found):
    return [(piece.fate, piece.text) for piece in found if piece.fate != "kept"]


def test_a_word_that_changed_in_a_long_prompt_is_all_that_changed():
    words = [f"word{number}" for number in range(3000)]
    new = [*words[:-1], "end"]
    assert changes(pieces(" ".join(words), " ".join(new))) == [("gone", "word2999"), ("new", "end")]
    both = ["start", *new[1:]]
    assert len(changes(pieces(" ".join(words), " ".join(both)))) == 2, "one change from end to end, which is cut to fit"


def test_of_a_long_prompt_the_sentences_that_changed_are_compared_by_their_words():
    sentences = [f"Sentence number {number} speaks of a mug, and of the light on it." for number in range(300)]
    new = [*sentences]
    new[3], new[290] = new[3].replace("mug", "jug"), new[290].replace("light", "shade")
    found = pieces(" ".join(sentences), " ".join(new))
    assert changes(found) == [("gone", "mug"), ("new", "jug"), ("gone", "light"), ("new", "shade")]


@pytest.mark.parametrize("at", [0, 1500, 2999])
def test_what_changed_in_a_long_prompt_is_seen_in_every_form(at):
    words = [f"word{number}" for number in range(3000)]
    new = [*words]
    new[at] = "another"
    given = report(row(old=" ".join(words), new=" ".join(new)))
    (line,) = (one for one in text(given) if one.startswith("  prompt"))
    assert f"[-word{at}-]{{+another+}}" in line
    assert len(line) < 600
    assert f"<del>word{at}</del>&#8201;<ins>another</ins>" in markdown(given)
    assert re.search(f"<del>word{at}</del>\\s*<ins>another</ins>", html(given))


def test_of_a_long_change_the_part_that_differs_is_shown():
    old = "x" * 30_000 + "red" + "y" * 30_000
    found = fitted(pieces(old, old.replace("red", "teal")), 1000)
    assert ["red" in piece.text for piece in found] == [True, False]
    assert ["teal" in piece.text for piece in found] == [False, True]
    far = fitted(pieces("a" * 9000, "b" * 9000), 1000)
    assert [(piece.fate, len(piece.text) <= 1000) for piece in far] == [("gone", True), ("new", True)]


@given(words | st.text(max_size=40), words | st.text(max_size=40), st.integers(1, 30))
def test_what_changed_is_never_cut_while_it_has_room(old, new, most):
    whole, cut = pieces(old, new), fitted(pieces(old, new), most)
    assert [piece.fate for piece in whole] == [piece.fate for piece in cut]
    short = [piece for piece in whole if piece.fate != "kept" and len(piece.text) <= most]
    pairs = zip(whole, cut, strict=True)
    assert all(one == other for one, other in pairs if one in short and len(old) + len(new) <= most)


def test_very_many_changes_are_counted_where_there_is_no_room_for_all():
    old = ". ".join(f"The {number} mug" for number in range(300))
    given = report(row(old=old, new=old.replace("mug", "jug" * 20)))
    assert re.search(r"… and \d+ more changes</code>", markdown(given))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("a\nb", "a b", "a[-⏎-]{+ +}b"), ("a b", "a\tb", "a[- -]{+⇥+}b"), ("a\nb", "a\nc", "a [-b-]{+c+}")],
)
def test_a_change_of_what_nobody_sees_is_seen(old, new, said):
    lines = [*text(report(row(old=old, new=new)))]
    assert f"  prompt   {said}" in lines
    if "⏎" in said:
        assert "<del>⏎<br></del>&#8201;<ins> </ins>" in markdown(report(row(old=old, new=new)))
        assert "<del>⏎\n</del>" in html(report(row(old=old, new=new)))
