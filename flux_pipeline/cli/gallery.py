"""`gallery`: the pictures as one page to look at, from the lockfile and the files."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from flux_pipeline.cli import options, voice
from flux_pipeline.cli.output import Outlet

if TYPE_CHECKING:
    from flux_pipeline.files.image import Rejected
    from flux_pipeline.files.thumbnails import Small
    from flux_pipeline.report.gallery import Album, Picture
    from flux_pipeline.report.page import Thumbnails

_CACHE = Path(".flux-pipeline/thumbnails")
_ANNOUNCED = 40  # more pictures than this take long enough for a word of it


@click.command()
@options.scope
@options.flag(
    "-o", "--output", "page", type=options.PATH, default=Path("gallery.html"), envvar=None, help="Write the page here."
)
@options.flag("--embed", is_flag=True, help="Put the thumbnails into the page, not into a folder beside it.")
@options.flag("--rows", metavar="AXIS", default="", envvar=None, help="Begin with the values of an axis as rows.")
@options.flag("--cols", metavar="AXIS", default="", envvar=None, help="Begin with the values of an axis as columns.")
def command(as_json: bool, page: Path, embed: bool, rows: str, cols: str, **scope: Any) -> None:
    """Make a page of the pictures of MANIFEST: to look through, filter and compare; nothing is asked of the service.

    The page is gallery.html unless said, and opens from disk. Its thumbnails are in a folder beside it, gallery_files; the
    large view shows the files themselves.
    """
    from flux_pipeline.cli import project, secrets
    from flux_pipeline.errors import UsageError
    from flux_pipeline.files.checker import Checker
    from flux_pipeline.files.thumbnails import Thumbnails, place, sweep
    from flux_pipeline.report import page as pages
    from flux_pipeline.report.gallery import album

    mark = pages.MARK.encode()
    outlet = Outlet(
        flag="-o", what="gallery", example="gallery.html", noun="page", is_ours=lambda head: head.startswith(mark)
    )
    work = project.load(**scope)
    history = work.history()
    plan, derived = work.plan(history), work.derivations(history)
    made = album(work.selected, plan, history, derived, simulated=work.simulate, rows=rows, columns=cols)
    outlet.make_sure(page)
    folder = page.with_name(f"{page.stem}_files")

    def keep(small: Small) -> str:
        if embed:
            return f"data:image/{small.format};base64,{base64.b64encode(small.data).decode()}"
        place(folder, small)
        return f"{quote(os.fsencode(folder.name))}/{small.file}"

    try:
        with Checker() as checker:
            maker = Thumbnails(_CACHE, checker.derive)
            new = {one.sha256 for card in made.cards if (one := card.picture) and not maker.has(one)}
            if len(new) > _ANNOUNCED:
                voice.echo(f"making {len(new)} thumbnails; the next page has them at once", err=True)
            shown = _shown(made, lambda one: maker.make(work.root.absolute() / one.path, one), keep)
        text = pages.page(secrets.album(made), shown, lambda path: _address(work.root / path, page.parent))
        outlet.put(page, [text.encode()])
        sweep(folder, () if embed else {Path(one.source).name for one in shown.values() if hasattr(one, "source")})
    except OSError as error:
        raise UsageError(
            f"{error.filename or page}: {error.strerror}; name a page that can be written with -o"
        ) from error
    cells = len(made.cards)
    if as_json:
        project.print_document({"gallery": str(page), "pictures": made.pictures, "cells": cells})
    else:
        voice.echo(f"{page}: {made.pictures} of {cells} pictures")


def _shown(made: Album, make: Callable[[Picture], Small | Rejected], keep: Callable[[Small], str]) -> Thumbnails:
    """Return the thumbnail of every picture that is on disk, by the sum of its file."""
    from flux_pipeline.files.image import Rejected
    from flux_pipeline.report.page import NoThumbnail, Thumbnail

    def one(picture: Picture) -> Thumbnail | NoThumbnail:
        small = make(picture)
        if isinstance(small, Rejected):
            return NoThumbnail(small.reason)
        return Thumbnail(keep(small), small.width, small.height)

    pictures = {card.picture.sha256: card.picture for card in made.cards if card.picture}
    with ThreadPoolExecutor(4) as workers:
        return dict(zip(pictures, workers.map(one, pictures.values()), strict=True))


def _address(file: Path, folder: Path) -> str:
    """Return the way from a page's folder to a file, as a browser reads it."""
    return quote(os.fsencode(os.path.relpath(file.absolute(), folder.absolute())))
