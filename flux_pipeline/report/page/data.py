"""The album as the JSON that the page's program reads; docs/gallery.md says what each field is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flux_pipeline.report.gallery import Album, Card
from flux_pipeline.report.text import money


def document(album: Album, link: Callable[[str], str]) -> dict[str, Any]:
    """Return the document; `link` makes the address of a picture's path."""
    cards = [
        {
            "name": card.name,
            "id": card.id,
            "manifest": card.manifest,
            "entry": card.entry,
            "axes": dict(card.axes),
            "fields": card.fields,
            "model": card.model,
            "prompt": card.prompt,
            "parameters": dict(card.parameters),
            "seed": card.seed,
            "size": card.size,
            "key": card.key,
            "task": card.task,
            "cost_usd": None if card.cost is None else f"{card.cost:f}",
            "cost": _cost(card),
            "state": card.state,
            "reason": card.reason,
            "path": card.path,
            "file": link(card.picture.path) if card.picture else None,
            "derived": [
                {
                    "path": one.path,
                    "format": one.format,
                    "size": one.size,
                    "file": link(one.path) if one.sha256 else None,
                    "reason": one.reason,
                }
                for one in card.derived
            ],
        }
        for card in album.cards
    ]
    axes = [{"name": name, "values": values} for name, values in album.axes().items()]
    return {"gallery": 1, "rows": album.rows, "columns": album.columns, "axes": axes, "cards": cards}


def _cost(card: Card) -> str:
    """Say what a card's render costs, in words for people."""
    if card.state not in ("saved", "paid"):
        if card.state in ("failed", "cancelled"):
            return "nothing: this is not charged" if not card.cost else money(card.cost)
        return f"about {money(card.estimate)}" if card.estimate is not None else "unknown"
    shared = f", once for {card.sharing} pictures" if card.sharing > 1 else ""
    return f"{money(card.cost)}{shared}"
