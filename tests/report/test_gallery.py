"""What a page shows of a manifest, its lockfile and its files, as a value."""

from __future__ import annotations

import re
import time
from decimal import Decimal
from html import unescape

import pytest
from browser.albums import Fate, card, entry, picture, project
from browser.albums import album as of

from flux_pipeline.cli.project import load
from flux_pipeline.errors import UsageError
from flux_pipeline.report.gallery import album
from flux_pipeline.report.page import NoThumbnail, Thumbnail, page
from flux_pipeline.report.page.data import document


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """Return `shown(*entries, fate=…, **chosen)`: the album of a project as `gallery` puts it together."""
    monkeypatch.chdir(tmp_path)

    def made(*entries, fate=lambda *_: Fate(), output="outputs/{{ entry }}/{{ key }}.{{ ext }}", **chosen):
        manifests = [project(tmp_path, one, fate=fate, name=f"m{at}", output=output) for at, one in enumerate(entries)]
        work = load(manifests)
        history = work.history()
        parts = [(str(part.manifest), part.expansion.cells) for part in work.parts]
        return album(parts, work.plan(history), history, **chosen)

    return made


def test_every_cell_has_a_card_in_the_manifest_s_order(shown):
    made = shown(entry("hero", color=["red", "teal"], place=["oak"], seed=[1, 2], size=["240x240"]))
    assert [one.id for one in made.cards][:2] == [
        "hero/color=red,place=oak,seed=1,size=240x240",
        "hero/color=red,place=oak,seed=2,size=240x240",
    ]
    first = made.cards[0]
    assert first.axes == {"color": "red", "place": "oak", "seed": "1", "size": "240x240"}
    assert (first.seed, first.size, first.prompt, first.task) == ("1", "240x240", "A red bottle on oak", "2000")
    assert (first.cost, first.state, first.reason) == (Decimal("0.03"), "saved", "")
    assert first.picture.path == first.path
    assert "prompt" not in first.parameters
    assert made.sections[0].varying == ("color", "seed")
    assert made.axes() == {"color": ("red", "teal"), "place": ("oak",), "seed": ("1", "2"), "size": ("240x240",)}
    assert (made.pictures, made.spent) == (4, (Decimal("0.12"), 0))


@pytest.mark.parametrize(
    ("fate", "state", "reason"),
    [
        (Fate("failed", "too dark"), "failed", "task 2000 failed: too dark"),
        (Fate("refused", "no"), "failed", "was refused (1): no"),
        (Fate("doubtful"), "doubtful", "nobody knows what came of the submission intended at 2026-11-23T01:00:00Z"),
        (Fate("running"), "running", "task 2000 was submitted and is not known to have ended"),
        (Fate("paid"), "paid", "paid for, not on disk; it is fetched from task 2000"),
        (Fate("pending"), "pending", "never submitted"),
    ],
)
def test_a_cell_without_a_picture_says_why(shown, fate, state, reason):
    (one,) = shown(entry("hero", "A bottle", seed=[1]), fate=lambda *_: fate).cards
    assert (one.state, one.reason, one.picture) == (state, reason, None)


def test_an_unknown_cost_is_unknown_and_not_nothing(shown):
    made = shown(entry("hero", "A bottle", seed=[1, 2]), fate=lambda _, at: Fate(cost=Decimal("0.03") if at else None))
    assert [one.cost for one in made.cards] == [None, Decimal("0.03")]
    assert made.spent == (Decimal("0.03"), 1)
    assert [one["cost"] for one in document(made, str)["cards"]] == ["unknown", "$0.03"]
    assert "$0.03 paid and 1 of unknown cost" in page(made, {}, str)


def test_a_picture_that_is_elsewhere_is_shown_from_there(shown, tmp_path):
    made = shown(entry("hero", "A bottle", seed=[1]))
    was = made.cards[0].path
    work = tmp_path / "manifests" / "m0.yaml"
    work.write_text(work.read_text().replace("outputs/{{ entry }}", "outputs/moved"))
    project_ = load([work])
    history = project_.history()
    (one,) = album([("m0.yaml", project_.cells)], project_.plan(history), history).cards
    assert one.path == was.replace("hero", "moved")
    assert (one.state, one.picture.path) == ("saved", was)
    assert one.reason == f"the same picture is at {was}"


def test_cells_that_share_a_render_say_that_it_is_paid_for_once(shown):
    made = shown(entry("hero", "A bottle", mood=["calm", "bold"], seed=[1]), output="outputs/{{ mood }}.{{ ext }}")
    assert [one.sharing for one in made.cards] == [2, 2]
    assert made.spent == (Decimal("0.03"), 0)
    assert document(made, str)["cards"][0]["cost"] == "$0.03, once for 2 pictures"


def test_two_manifests_may_have_the_same_ids(shown):
    made = shown(entry("hero", "A bottle", seed=[1, 2]), entry("hero", "A jar", seed=[2]))
    names = [one.name for one in made.cards]
    assert names == ["hero/seed=1", "manifests/m0.yaml: hero/seed=2", "manifests/m1.yaml: hero/seed=2"]
    assert [(one.manifest, one.entry) for one in made.sections] == [
        ("manifests/m0.yaml", "hero"),
        ("manifests/m1.yaml", "hero"),
    ]
    assert [one.name for one in made.sections] == ["manifests/m0.yaml: hero", "manifests/m1.yaml: hero"]
    others = shown(entry("hero", "A bottle", seed=[1]), entry("mug", "A mug", seed=[1])).sections
    assert [one.name for one in others] == ["hero", "mug"]


def test_zipped_values_are_axes_of_their_own(shown):
    looks = [{"mood": "calm", "light": "dawn"}, {"mood": "bold", "light": "noon"}]
    made = shown(entry("hero", "A {{ look.mood }} bottle", look=looks, seed=[1]))
    assert made.cards[1].axes == {"look.mood": "bold", "look.light": "noon", "seed": "1"}


ABOUT = "A drink for long evenings on the terrace, {} and a little bitter"
DRINKS = [
    {"kind": "tonic", "label": "dry", "sku": "A1", "about": ABOUT.format("clear"), "maker": {"name": "Ada"}},
    {"kind": "tonic", "label": "dry", "sku": "A2", "about": ABOUT.format("sweet"), "maker": {"name": "Eve"}},
    {"kind": "gin", "label": "old", "sku": "B1", "about": ABOUT.format("old"), "maker": {"name": "Eve"}, "note": None},
]


def test_the_fields_of_a_row_are_axes_too_and_an_axis_hides_one_of_its_name(shown):
    rows = [{"sku": "A1", "color": "any", "maker": {"name": "Ada"}}, {"sku": "B2", "color": "any", "note": None}]
    made = shown(entry("hero", "A {{ color }} bottle of {{ sku }}", foreach=rows, color=["red"], seed=[1]), rows="sku")
    assert [one.axes for one in made.cards] == [
        {"color": "red", "seed": "1", "sku": "A1", "maker.name": "Ada"},
        {"color": "red", "seed": "1", "sku": "B2"},
    ]
    assert [one.fields for one in made.cards] == [("sku", "maker.name"), ("sku",)]
    assert made.sections[0].varying == ("sku", "maker.name")
    assert made.axes()["sku"] == ("A1", "B2")


def test_a_card_is_labelled_by_what_tells_it_apart_and_long_texts_are_left_to_the_large_view(shown):
    made = shown(entry("hero", "A bottle of {{ sku }}", foreach=DRINKS, mood=["calm", "bold"], seed={"count": 2}))
    assert made.cards[0].id.endswith("kind=tonic,label=dry,sku=A1")
    assert made.sections[0].varying == ("mood", "seed", "kind", "label", "sku", "about", "maker.name")
    assert made.sections[0].labels == ("mood", "seed", "kind", "label", "sku")


def test_a_long_text_labels_a_card_only_where_nothing_short_tells_it_apart(shown):
    rows = [{name: row[name] for name in ("about", "kind")} for row in DRINKS]
    made = shown(entry("hero", "{{ about }}", foreach=rows, seed=[1]))
    assert made.sections[0].labels == ("about", "kind")
    rows = [{name: row[name] for name in ("about", "sku", "maker")} for row in DRINKS]
    assert shown(entry("hero", "{{ about }}", foreach=rows, seed=[1])).sections[0].labels == ("sku",)


def test_an_axis_that_is_nowhere_is_refused_with_those_that_are(shown):
    with pytest.raises(
        UsageError, match='--rows sed: no entry has this axis; the axes are color, seed; did you mean "seed"'
    ):
        shown(entry("hero", "A {{ color }} jar", color=["red"], seed=[1]), rows="sed")


def test_zipped_values_are_refused_as_one_axis_with_the_parts_that_are(shown):
    looks = [{"mood": "calm", "light": "dawn"}, {"mood": "bold", "light": "noon"}]
    with pytest.raises(UsageError, match=r'--rows look: .*; did you mean "look.mood"'):
        shown(entry("hero", "A {{ look.mood }} jar", look=looks, seed=[1]), rows="look")


def test_one_axis_cannot_be_rows_and_columns(shown):
    with pytest.raises(UsageError, match="--rows seed --cols seed: one axis cannot be both") as raised:
        shown(entry("hero", "A jar", seed=[1, 2]), rows="seed", columns="seed")
    assert raised.value.exit_code == 2


def test_numbers_that_a_browser_would_round_stay_as_they_are(shown):
    made = shown(entry("hero", "A bottle", seed=[4294967295]))
    assert document(made, str)["cards"][0]["seed"] == "4294967295"
    assert all(isinstance(value, str) for value in made.cards[0].parameters.values())


def test_the_page_is_the_same_each_time_and_names_itself():
    cards = [card(at, "text", entry="hero", axes={"n": str(at)}, picture=picture("a.png")) for at in range(3)]
    made = of(cards)
    small = {"a" * 64: Thumbnail("small.webp", 3, 2)}
    assert page(made, small, str) == page(made, small, str)
    assert page(made, small, str).count('loading="lazy"') == 3
    assert "img-src 'self' file: data:;" in unescape(page(made, small, str))


def test_a_review_has_its_own_title_and_no_page_asks_for_an_icon():
    made = of([card(0, "text", entry="hero", axes={}, picture=picture("a.png"))])
    alone, reviewed = page(made, {}, str), page(made, {}, str, review={"cells": {}})
    assert ("<title>Gallery of " in alone, "<h1>Gallery of " in alone) == (True, True)
    assert ("<title>Review of " in reviewed, "<h1>Review of " in reviewed) == (True, True)
    for text in (alone, reviewed):
        assert text.count('<link rel="icon" href="data:,">') == 1
        assert re.search(r"img-src [^;]*data:", unescape(text))


def test_what_is_counted_are_pictures_where_every_cell_has_one_and_cells_elsewhere():
    there, failed = (
        card(at, "text", entry=name, axes={}, picture=one)
        for at, (name, one) in enumerate([("hero", picture("a.png")), ("jar", None)])
    )
    counts = {
        "whole": re.findall(r"[0-9]+ (?:pictures?|cells?)\b", page(of([there]), {}, str).partition("<script")[0]),
        "mixed": re.findall(
            r"[0-9]+ (?:pictures?|cells?)\b", page(of([there, failed]), {}, str).partition("<script")[0]
        ),
    }
    assert counts == {"whole": ["1 picture", "1 picture"], "mixed": ["2 cells", "1 picture", "1 cell", "1 cell"]}


def test_a_file_that_is_no_picture_has_a_card_that_says_so():
    made = of([card(0, "text", entry="hero", axes={}, picture=picture("a.png"))])
    assert "the file is cut off" in page(made, {"a" * 64: NoThumbnail("is cut off")}, str)


def test_thousands_of_cells_that_share_a_render_take_no_longer_than_others(shown):
    many = [f"v{number}" for number in range(3000)]
    began = time.process_time()
    made = shown(
        {"id": "hero", "prompt": "A bottle", "matrix": {"take": many, "size": ["64x64"]}},
        output="outputs/{{ take }}.{{ ext }}",
    )
    assert (made.pictures, made.cards[0].sharing) == (3000, 3000)
    assert time.process_time() - began < 60, "by the cube it took minutes"


def test_a_field_is_named_by_the_id_only_where_it_is_a_name_of_its_own(shown, tmp_path):
    rows = [{"sku": "a", "ground": "x"}, {"sku": "b", "ground": "y"}]
    made = shown(
        {
            "id": "hero",
            "prompt": "{{ sku }} {{ ground }} {{ background }}",
            "foreach": rows,
            "matrix": {"background": ["red", "tan"]},
        }
    )
    assert made.sections[0].labels == ("background", "sku")
