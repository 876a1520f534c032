"""An album as one HTML page: its cards as plain HTML, its data as JSON, and a program that knows how to arrange them.

The page loads nothing: its style and its program are in it, named by their hashes in its content policy, and whatever else
a text in it may say cannot run. Without JavaScript it is a grid of pictures that are links to the files.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import Any, Final

from flux_pipeline.report.controls import plain
from flux_pipeline.report.gallery import Album, Card, Section
from flux_pipeline.report.markup import Html, element, script_data
from flux_pipeline.report.page.data import document
from flux_pipeline.report.text import money

MARK: Final = '<!doctype html>\n<html lang="en" data-flux-pipeline="gallery">'
# The program's parts, in the order in which they stand in the page: each uses only what is before it.
_PROGRAM: Final = ("album.js", "view.js", "grid.js", "controls.js", "large.js", "compare.js", "start.js")
_ALT: Final = 300
_STATES: Final = {"paid": "not fetched yet"}  # in the head of the page, where dollars are what is paid
# Cards in a block, of which a browser lays out only those near the screen; a multiple of every number of columns in page.css.
_BLOCK: Final = 120


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture: where a page finds it, and its size in pixels."""

    source: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class NoThumbnail:
    """Why there is none; reads on from the file's name."""

    reason: str


Thumbnails = Mapping[str, Thumbnail | NoThumbnail]


def page(
    album: Album, thumbnails: Thumbnails, link: Callable[[str], str], review: Mapping[str, Any] | None = None
) -> str:
    """Return the page; `thumbnails` are by SHA-256, and `link` makes the address of a picture's path.

    With `review`, which docs/review.md describes, pictures can be decided on, and the page has to be served.
    """
    style, program = _parts(reviewed=review is not None)
    names = ", ".join(PurePath(manifest).name for manifest in album.manifests)
    title = f"{'Gallery' if review is None else 'Review'} of {names}"
    numbers = {id(card): number for number, card in enumerate(album.cards)}
    noun = _noun(album)
    sections = [_section(one, at, noun, numbers, thumbnails, link) for at, one in enumerate(album.sections)]
    head = (
        element("meta", charset="utf-8"),
        element(
            "meta",
            http_equiv="Content-Security-Policy",
            content=_policy(style, program, served=review is not None),
        ),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content="flux-pipeline"),
        element("link", rel="icon", href="data:,"),  # none: else a browser asks the server for /favicon.ico
        element("title", plain(title)),
        element("style", Html(style)),
    )
    body = (
        element("a", "Skip to the pictures", class_="skip", href="#pictures"),
        element("header", element("h1", title), *_summary(album), class_="top"),
        element("div", id="controls"),
        element("main", *_welcome(album), *sections, id="pictures", tabindex=-1),
        element("footer", element("p", "Made by flux-pipeline from the manifest, the lockfile and the files on disk.")),
        element("script", script_data(document(album, link)), type="application/json", id="album"),
        *([element("script", script_data(review), type="application/json", id="review")] if review else []),
        element("script", Html(program)),
    )
    return f"{MARK}\n<head>\n{_lines(head)}</head>\n<body>\n{_lines(body)}</body>\n</html>\n"


def refused(why: str) -> tuple[str, str]:
    """Return the page that says why there are no pictures to be shown, and what its headers have to allow."""
    style = _asset("page.css")
    head = (
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", "The pictures cannot be shown"),
        element("style", Html(style)),
    )
    body = element(
        "main",
        element("header", element("h1", "The pictures cannot be shown"), class_="top"),
        element("pre", why, class_="text"),
        element("p", "Put that right, then ", element("a", "look again", href=""), "."),
    )
    text = f'<!doctype html>\n<html lang="en">\n<head>\n{_lines(head)}</head>\n<body>\n{body}\n</body>\n</html>\n'
    own = f"default-src 'none'; style-src '{_hash(style)}'; base-uri 'none'; form-action 'none'"
    return text, f"{own}; frame-ancestors 'none'"


def served_policy() -> str:
    """Return what the headers of a page with a review have to allow, and nothing more."""
    style, program = _parts(reviewed=True)
    return f"{_policy(style, program, served=True)}; frame-ancestors 'none'"


def _parts(*, reviewed: bool) -> tuple[str, str]:
    """Return the page's style and its program."""
    if reviewed:
        return _asset("page.css") + _asset("review.css"), _program((*_PROGRAM[:-1], "review.js", _PROGRAM[-1]))
    return _asset("page.css"), _program(_PROGRAM)


def _policy(style: str, program: str, *, served: bool) -> str:
    images = "img-src 'self' data:; connect-src 'self'" if served else "img-src 'self' file: data:"
    own = f"script-src '{_hash(program)}'; style-src '{_hash(style)}'"
    return f"default-src 'none'; {own}; {images}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


@cache
def _program(parts: tuple[str, ...]) -> str:
    return f'"use strict";\n(() => {{\n{"".join(map(_asset, parts))}}})();\n'


def _lines(parts: tuple[str, ...]) -> str:
    return "".join(f"{part}\n" for part in parts)


def _summary(album: Album) -> Iterator[str]:
    spent, unknown = album.spent
    hedge = f" and {unknown} of unknown cost" if unknown else ""
    paid = [f"{money(spent)} paid{hedge}"] if album.pictures else []
    facts = (
        *([] if _noun(album) == "picture" else [_counted(len(album.cards), "cell")]),
        _counted(album.pictures, "picture"),
        _counted(len(album.sections), "entry", "entries"),
        *(f"{count} {_STATES.get(state, state)}" for state, count in album.counts().items() if state != "saved"),
        *(["a rehearsal: nothing was paid"] if album.simulated else paid),
    )
    yield element("ul", *(element("li", fact) for fact in facts), class_="facts")


def _noun(album: Album) -> str:
    """Return what the page counts: pictures where every cell has one, or else cells."""
    return "picture" if album.pictures == len(album.cards) else "cell"


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def _welcome(album: Album) -> Iterator[str]:
    """Yield what there is to say where there is nothing to see."""
    if album.pictures:
        return
    command = f"flux-pipeline run {shlex.join(album.manifests)}{' --simulate' if album.simulated else ''}"
    cells = _counted(len(album.cards), "picture is", "pictures are")
    yield element(
        "div",
        element("h2", "No pictures yet"),
        element("p", f"{cells} described and not on disk. This makes them, and this page again shows them:"),
        element("p", element("code", command)),
        class_="empty",
    )


def _section(
    section: Section,
    at: int,
    noun: str,
    numbers: Mapping[int, int],
    thumbnails: Thumbnails,
    link: Callable[[str], str],
) -> Html:
    cards = [_card(card, numbers[id(card)], section.labels, thumbnails, link) for card in section.cards]
    count = element("span", _counted(len(cards), noun), class_="count")
    return element(
        "section",
        element("h2", element("span", section.name, class_="name"), Html(" "), count, id=f"entry-{at}"),
        element("div", *_blocks(cards), class_="cards", role="list"),
        class_="entry",
        aria_labelledby=f"entry-{at}",
    )


def _blocks(cards: list[Html]) -> Iterator[Html]:
    """Yield blocks of cards, which are one list all the same."""
    for at in range(0, len(cards), _BLOCK):
        yield element("ul", Html("\n"), *cards[at : at + _BLOCK], class_="grid", role="presentation")


def _card(card: Card, number: int, labels: tuple[str, ...], thumbnails: Thumbnails, link: Callable[[str], str]) -> Html:
    anchor = f"card-{number}"
    thumbnail = thumbnails.get(card.picture.sha256) if card.picture else None
    href = link(card.picture.path) if card.picture else f"#{anchor}"
    face = _face(card, thumbnail)
    values = [
        element("span", value, title=f"{axis}: {value}", data_axis=axis)
        for axis in labels
        if (value := card.axes.get(axis))
    ]
    mark = element("input", type="checkbox", class_="mark", aria_label=f"Compare {card.id}") if card.picture else ""
    html = element(
        "li",
        element("a", *face, class_="open", href=href),
        mark,
        element("p", *(values or [element("span", card.id)]), class_="values"),
        element("p", card.prompt, class_="prompt"),
        *_beside(card, link),
        class_="card",
        role="listitem",
        id=anchor,
        data_state=card.state,
    )
    return Html(f"{html}\n")


def _beside(card: Card, link: Callable[[str], str]) -> Iterator[Html]:
    """Yield links to what is derived of a picture, each by that part of its name in which it differs."""
    if made := [one for one in card.derived if one.sha256]:
        stem = PurePath(card.path).stem
        links = [element("a", PurePath(one.path).name.removeprefix(stem), href=link(one.path)) for one in made]
        yield element("p", element("span", "Derived: ", class_="unseen"), *links, class_="derived")


def _face(card: Card, thumbnail: Thumbnail | NoThumbnail | None) -> Iterator[str]:
    """Yield what a card shows: its picture, or a drawn one and why."""
    if isinstance(thumbnail, Thumbnail):
        yield element(
            "img",
            src=thumbnail.source,
            width=thumbnail.width,
            height=thumbnail.height,
            alt=_clipped(card.prompt) or card.id,
            loading="lazy",
            decoding="async",
        )
        if card.state != "saved":
            yield element("span", card.state, class_="badge")
        return
    broken = isinstance(thumbnail, NoThumbnail)
    reason = f"the file {thumbnail.reason}" if isinstance(thumbnail, NoThumbnail) else card.reason
    yield element(
        "span",
        element("span", "broken" if broken else card.state, class_="badge"),
        element("span", reason, class_="reason", title=reason),
        element("span", f"Show {card.id}", class_="unseen"),
        class_="blank",
        data_state="broken" if broken else card.state,
    )


def _clipped(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _ALT else f"{words[:_ALT].rstrip()}…"
