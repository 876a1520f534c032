"""Pictures from the service to the disk: the two rooms that meet only here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from flux_pipeline.files.image import Expect, Picture, Rejected
from flux_pipeline.files.save import Files, TooLargeError
from flux_pipeline.ledger.facts import FileFact
from flux_pipeline.ledger.keys import Render
from flux_pipeline.run.events import Move, Saved, Unfit
from flux_pipeline.wiro.client import Wiro
from flux_pipeline.wiro.outcomes import Gone, Undelivered
from flux_pipeline.wiro.tasks import Output


class Album:
    """Fetches, checks and copies pictures below one root.

    `hurry` ends checks that are going on, for a run that ends and cannot wait for them.
    """

    def __init__(self, files: Files, wiro: Wiro, hurry: Callable[[], None] = lambda: None) -> None:
        self._files = files
        self._wiro = wiro
        self._hurry = hurry

    async def fetch(
        self, render: Render, output: Output, paths: tuple[str, ...], known: frozenset[str]
    ) -> Saved | Unfit | Gone | Undelivered:
        """Bring a picture to the first path, check it there, and copy it to the others."""
        first, *others = paths
        with self._files.part(first) as part:
            try:
                failure = await self._wiro.download(output.url, part, output.size)
            except TooLargeError as error:
                return Undelivered(reason=str(error))
            if failure is not None:
                return failure
            try:
                verdict = await asyncio.to_thread(part.finish, expected(render, output), ours=known)
            except asyncio.CancelledError:
                self._hurry()
                raise
        if isinstance(verdict, Rejected):
            return Unfit(f"{first} {verdict.reason}")
        fact = _fact(verdict)
        if not others:
            return Saved({first: fact})
        moves = tuple(Move(render.key, first, path, fact) for path in others)
        copied = await asyncio.to_thread(self.copy, moves, known)
        failed = next((outcome for outcome in copied.values() if isinstance(outcome, str)), None)
        if failed is not None:
            return Undelivered(reason=failed)
        return Saved(dict.fromkeys(paths, fact))

    def copy(self, moves: tuple[Move, ...], known: frozenset[str]) -> Mapping[Move, FileFact | str]:
        """Copy pictures that are on disk, all read before the first is replaced."""
        sources = {move.source: _picture(move.fact) for move in moves}
        copied = self._files.copy([(move.source, move.path) for move in moves], sources, ours=known)
        outcomes = {move: copied[move.path] for move in moves}
        return {
            move: f"{move.path}: {outcome.reason}" if isinstance(outcome, Rejected) else move.fact
            for move, outcome in outcomes.items()
        }


def expected(render: Render, output: Output) -> Expect:
    """Return what a render's picture has to be."""
    params = render.params
    width, height = params.get("width"), params.get("height")
    return Expect(
        format=str(params.get("outputFormat", "png")),
        width=width if isinstance(width, int) else 0,
        height=height if isinstance(height, int) else 0,
        bytes=output.size,
    )


def _fact(picture: Picture) -> FileFact:
    return FileFact(sha256=picture.sha256, bytes=picture.bytes, width=picture.width, height=picture.height)


def _picture(fact: FileFact) -> Picture:
    return Picture(sha256=fact.sha256, bytes=fact.bytes, width=fact.width, height=fact.height)
