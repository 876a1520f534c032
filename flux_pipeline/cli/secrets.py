"""What pages show of the account's secrets: nothing. Ids, paths and addresses stay, or a page would lead nowhere."""

from __future__ import annotations

from dataclasses import replace

from flux_pipeline.cli.voice import masked
from flux_pipeline.comparison import Comparison, Row, Version
from flux_pipeline.ledger.keys import Json
from flux_pipeline.report.gallery import Album, Card


def album(made: Album) -> Album:
    """Return what a page shows with its texts masked."""
    sections = tuple(replace(one, cards=tuple(map(_card, one.cards))) for one in made.sections)
    return replace(made, sections=sections)


def comparison(made: Comparison) -> Comparison:
    """Return a comparison with the texts of its requests masked."""
    return replace(made, rows=tuple(map(_row, made.rows)))


def _card(card: Card) -> Card:
    parameters = {name: masked(value) for name, value in card.parameters.items()}
    return replace(card, prompt=masked(card.prompt), reason=masked(card.reason), parameters=parameters)


def _row(row: Row) -> Row:
    return replace(row, before=_version(row.before), after=_version(row.after))


def _version(one: Version | None) -> Version | None:
    if one is None or one.request is None:
        return one
    params: dict[str, Json] = {
        name: masked(value) if isinstance(value, str) else value for name, value in one.request.params.items()
    }
    return replace(one, request=replace(one.request, params=params))
