"""Where the pictures of a comparison can be looked at: on disk, at a revision of git, or nowhere, and why."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from flux_pipeline.cli.revision import Revision
from flux_pipeline.comparison import Comparison, Version
from flux_pipeline.errors import FluxError
from flux_pipeline.files.checker import Checker
from flux_pipeline.files.folders import split
from flux_pipeline.files.image import Rejected
from flux_pipeline.files.save import Files
from flux_pipeline.files.thumbnails import Thumbnails
from flux_pipeline.files.walk import LIMIT_BYTES
from flux_pipeline.ledger.facts import FileFact, Submission
from flux_pipeline.ledger.history import History
from flux_pipeline.plan import why_missing
from flux_pipeline.report.compare import Look

_CACHE = Path(".flux-pipeline/thumbnails")  # the same as the gallery's
_MOST_SHOWN = 600  # pictures in a page: some 20 MB
_MOST_COMMITTED = 400  # pictures that git is asked for


@dataclass(frozen=True, slots=True)
class _Found:
    """A picture with a file that holds it: at `path` below the root, or, where that is empty, only at the revision."""

    picture: FileFact
    path: str
    file: Path


def find(
    comparison: Comparison,
    histories: tuple[History, History],
    root: Path,
    then: Revision | None,
    folder: Path,
    *,
    shown: bool,
) -> Mapping[str, tuple[Look | None, Look | None]]:
    """Return the looks of every cell that differs; with thumbnails if `shown`. `folder` is where the report stands."""
    rows = comparison.differing
    places = {
        side.key: _places(side, histories) for row in rows for side in (row.before, row.after) if side and side.picture
    }
    present = _survey(root, {path for paths in places.values() for path in paths})
    with TemporaryDirectory(prefix="flux-pipeline-") as aside:
        past = _Past(then, root, Path(aside))
        looks: dict[str, tuple[Look | None, Look | None]] = {}
        found: dict[str, _Found] = {}
        for row in rows:
            pair = []
            for side, history in zip((row.before, row.after), histories, strict=True):
                if side is None or side.picture is None:
                    pair.append(Look(reason=_why(history.best(side.key))) if side else None)
                    continue
                pair.append(_look(side, side.picture, places[side.key], present, root, folder, past, found))
            looks[row.cell] = (pair[0], pair[1])
        if not shown:
            return looks
        sources = dict(_thumbnails(found))
        return {
            row.cell: (
                _dressed(row.before, looks[row.cell][0], sources),
                _dressed(row.after, looks[row.cell][1], sources),
            )
            for row in rows
        }


def _places(side: Version, histories: Iterable[History]) -> tuple[str, ...]:
    once = (path for history in histories for one in history.of(side.key) for path in sorted(one.files))
    return tuple(dict.fromkeys((*([side.path] if side.path else []), *once)))


def _survey(root: Path, paths: Iterable[str]) -> Mapping[str, str]:
    """Return the sums of the files that are there; a lockfile may name any path, and none outside the root is read."""
    below = [path for path in paths if _is_below(path)]
    return {path: getattr(one, "sha256", "") for path, one in Files(root).survey(below).items()}


def _is_below(path: str) -> bool:
    try:
        split(path)
    except FluxError:
        return False
    return True


class _Past:
    """Pictures that are committed at a revision, written aside so that they can be made small."""

    def __init__(self, then: Revision | None, root: Path, aside: Path) -> None:
        self._then = then
        self._root = root
        self._aside = aside
        self._asked = 0

    def file(self, picture: FileFact, paths: Iterable[str]) -> Path | None:
        """Return a file that holds the picture as it is committed at one of these paths, None where none does."""
        for path in paths if self._then else ():
            if self._asked >= _MOST_COMMITTED or not _is_below(path):
                continue
            self._asked += 1
            data = self._then.read(self._root / path, LIMIT_BYTES) if self._then else None
            if data is not None and hashlib.sha256(data).hexdigest() == picture.sha256:
                file = self._aside / picture.sha256
                file.write_bytes(data)
                return file
        return None

    @property
    def name(self) -> str:
        return self._then.name if self._then else ""


def _why(best: Submission | None) -> str:
    """Return why there is no picture, in the words of a plan."""
    if best is None:
        return "not made yet"
    return "not on record" if best.files else why_missing(best)


def _look(
    side: Version,
    picture: FileFact,
    paths: tuple[str, ...],
    present: Mapping[str, str],
    root: Path,
    folder: Path,
    past: _Past,
    found: dict[str, _Found],
) -> Look:
    look = Look(width=picture.width, height=picture.height)
    if path := next((path for path in paths if present.get(path) == picture.sha256), ""):
        found.setdefault(picture.sha256, _Found(picture, path, (root / path).absolute()))
        return replace(look, path=path, address=_address(root / path, folder))
    file = found[picture.sha256].file if picture.sha256 in found else past.file(picture, paths)
    if file is not None:
        found.setdefault(picture.sha256, _Found(picture, "", file))
        return replace(look, reason=f"not on disk any more; committed at {past.name}")
    return replace(look, reason=f"{side.path}: {_where(side.path or '', present, root, past.name)}")


def _where(path: str, present: Mapping[str, str], root: Path, revision: str) -> str:
    """Say why no file at a path is the picture; of two lockfiles nobody knows in which folder their pictures are."""
    if path in present:
        return "another file is there now"
    if revision and _is_below(path):
        return "not on disk any more"
    return "not below this folder" if root == Path() else f"not below {root}"


def _address(file: Path, folder: Path) -> str:
    """Return the way from a report's folder to a file, as a browser reads it."""
    return quote(os.fsencode(os.path.relpath(file.absolute(), folder.absolute())))


def _dressed(side: Version | None, look: Look | None, sources: Mapping[str, tuple[str, int, int]]) -> Look | None:
    picture = side.picture if side else None
    if look is None or picture is None or picture.sha256 not in sources:
        return look
    source, width, height = sources[picture.sha256]
    if not source.startswith("data:"):
        return replace(look, reason=f"cannot be shown: {source}")
    return replace(look, source=source, width=width, height=height)


def _thumbnails(found: Mapping[str, _Found]) -> Iterator[tuple[str, tuple[str, int, int]]]:
    """Yield by its sum every picture as a data URI with its size in pixels, or why it cannot be made small."""
    chosen = [*found.values()][:_MOST_SHOWN]

    def make(one: _Found) -> tuple[str, tuple[str, int, int]]:
        try:
            small = maker.make(one.file, one.picture)
        except FluxError as error:
            small = Rejected(str(error))
        if isinstance(small, Rejected):
            return one.picture.sha256, (small.reason, one.picture.width, one.picture.height)
        source = f"data:image/{small.format};base64,{base64.b64encode(small.data).decode()}"
        return one.picture.sha256, (source, small.width, small.height)

    with Checker() as checker, ThreadPoolExecutor(2) as workers:
        maker = Thumbnails(_CACHE, checker.derive)
        yield from workers.map(make, chosen)
