"""`derive:` → what is made locally of every picture: recipes, where their files go, and what is wrong or odd about them."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from flux_pipeline.manifest import paths
from flux_pipeline.manifest.complaints import Complaints, show
from flux_pipeline.manifest.document import Path
from flux_pipeline.manifest.shape import holds_lost

Writable = Callable[[str], bool]

LIMIT_PIXELS: Final = 40_000_000  # what a file may have that is checked afterwards
_QUALITY: Final = {"jpeg": 85, "webp": 82, "avif": 65}  # where none is stated
_SIDES: Final = {"webp": 16_383}  # the longest side that a format can have, where it is short
_NAME: Final = 255  # bytes; what a suffix may add is within the room that paths.MAX_COMPONENT leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a file is made from its master, everything written in.

    `format` is png, jpeg, webp or avif. `width` and `height` are pixels; one alone keeps the ratio, and `fit` says what
    both together mean: `cover` is exactly that size, `contain` fits inside it. `quality` is None for png.
    """

    format: str
    width: int | None = None
    height: int | None = None
    fit: str | None = None
    quality: int | None = None

    def digest(self) -> str:
        """Return the SHA-256, as 64 hex digits, over the recipe as canonical JSON without what is None."""
        stated = {name: value for name, value in asdict(self).items() if value is not None}
        return hashlib.sha256(json.dumps(stated, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height of the file that a master of this width and height gives."""
        if self.width is not None and self.height is not None:
            if self.fit != "contain":
                return self.width, self.height
            across = self.width * height <= self.height * width
            return (self.width, _scaled(height, self.width, width)) if across else self._by_height(width, height)
        if self.width is not None:
            return self.width, _scaled(height, self.width, width)
        return (width, height) if self.height is None else self._by_height(width, height)

    def _by_height(self, width: int, height: int) -> tuple[int, int]:
        assert self.height is not None
        return _scaled(width, self.height, height), self.height


def _scaled(side: int, new: int, old: int) -> int:
    """Return `side` times new/old, rounded half up, and never nothing."""
    return max((2 * side * new + old) // (2 * old), 1)


@dataclass(frozen=True, slots=True)
class Derived:
    """A file that a cell wants besides its picture: where it goes, and how it is made."""

    path: str
    recipe: Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One sound item of `derive:` as written. `format` is None for the master's own."""

    place: Path
    format: str | None
    width: int | None
    height: int | None
    fit: str | None
    quality: int | None
    suffix: str

    def recipe(self, master: str) -> Recipe:
        form = self.format or master
        fit = (self.fit or "cover") if self.width and self.height else None
        quality = self.quality or _QUALITY.get(form)
        return Recipe(format=form, width=self.width, height=self.height, fit=fit, quality=quality)


def read_derive(path: Path, section: Any, complaints: Complaints, writable: Writable) -> tuple[Wanted, ...]:
    """Complain about every item that makes no sense whatever the picture is; return the others."""
    found = []
    for index, item in enumerate(section if isinstance(section, list) else ()):
        place = (*path, index)
        if isinstance(item, dict) and not holds_lost(item):
            before = len(complaints)
            one = _wanted(place, item)
            _judge(one, complaints, writable)
            if len(complaints) == before:
                found.append(one)
    return tuple(found)


def _wanted(place: Path, item: Mapping[str, Any]) -> Wanted:
    def whole(name: str) -> int | None:
        return int(item[name]) if name in item else None  # 512.0 is an integer to JSON schema

    return Wanted(
        place=place,
        format=item.get("format"),
        width=whole("width"),
        height=whole("height"),
        fit=item.get("fit"),
        quality=whole("quality"),
        suffix=unicodedata.normalize("NFC", item.get("suffix", "")),
    )


def _judge(one: Wanted, complaints: Complaints, writable: Writable) -> None:
    if one.format is not None and not writable(one.format):
        said = f"the Pillow that is installed cannot write {one.format}: install one that can, or choose another format"
        complaints.add((*one.place, "format"), said, "derive")
    if one.fit is not None and not (one.width and one.height):
        said = f"{one.fit} needs both width and height; one of them alone keeps the ratio"
        complaints.add((*one.place, "fit"), said, "derive", on="key")
    if one.quality is not None and one.format == "png":
        complaints.add((*one.place, "quality"), _LOSSLESS, "derive", on="key")
    if "{{" in one.suffix or "{%" in one.suffix:
        said = f"{show(one.suffix)} is no template: suffix is text that is put before the extension as it is"
        complaints.add((*one.place, "suffix"), said, "derive")
    elif fault := next(paths.faults(f"a{one.suffix}.png"), None):
        said = f"{show(one.suffix)} cannot be part of a name: {fault.message.partition(';')[0]}"
        complaints.add((*one.place, "suffix"), said, fault.code)


_LOSSLESS: Final = "a png loses nothing and has no quality; leave quality out, or choose format: jpeg, webp or avif"


class Derivations:
    """The derived files of one entry's cells; costs nothing where there are none."""

    def __init__(self, wanted: tuple[Wanted, ...], complaints: Complaints) -> None:
        self._wanted = wanted
        self._complaints = complaints
        self._known: dict[tuple[str, int, int], tuple[tuple[str, Recipe, Wanted], ...]] = {}
        self._made: list[tuple[str, str, Path]] = []
        self._firsts: dict[str, tuple[str, Recipe, Mapping[str, Any]]] = {}  # by path: who makes it, of what
        self._clashes: dict[Path, list[str]] = {}

    def of(self, path: str, params: Mapping[str, Any], cell: str) -> tuple[Derived, ...]:
        """Return what is derived of the picture at `path`, which has an extension.

        Of pictures that differ in nothing but their format, the first one gives a file that each of them would give.
        """
        if not self._wanted:
            return ()
        width, height = params.get("width"), params.get("height")
        size = (width, height) if isinstance(width, int) and isinstance(height, int) else (0, 0)
        picture = (str(params.get("outputFormat", "png")), *size)
        if picture not in self._known:
            self._known[picture] = self._for_pictures(*picture, cell)
        stem = path.rpartition(".")[0]
        found = []
        for ending, recipe, one in self._known[picture]:
            derived = stem + ending
            first, same, of = self._firsts.setdefault(derived, (cell, recipe, params))
            if first != cell and same == recipe and _but_for_format(of) == _but_for_format(params):
                continue
            fault = next((fault for fault in paths.faults(derived) if fault.code != "path-long"), None)
            if fault is None and len(derived.rpartition("/")[2].encode()) > _NAME:
                fault = paths.PathFault(code="path-long", message=f"a name has {_NAME} bytes at most", culprit="")
            if fault is not None:
                said = f"{fault.message}: {show(derived)} of {cell}"
                self._complaints.add((*one.place, "suffix"), said, fault.code, once=fault.code)
            found.append(Derived(derived, recipe))
            self._made.append((derived, cell, one.place))
        return tuple(found)

    def claim(self, claims: paths.Claims) -> None:
        """Complain about every path that somebody has already; to be called when all pictures have theirs."""
        for path, cell, place in self._made:
            mine = f"{cell} (derive[{place[-1]}])"
            owner = claims.claim(path, mine)
            if owner is not None:
                self._clashes.setdefault(place, []).append(f"{show(path)} would be the path of both {owner} and {mine}")
        for place, found in self._clashes.items():
            more = f", and {len(found) - 1:,} more are taken" if len(found) > 1 else ""
            said = f"{found[0]}{more}; add a suffix that tells them apart, such as {_suffix(place, self._wanted)}"
            self._complaints.add(place, said, "path-clash")

    def _for_pictures(self, form: str, width: int, height: int, cell: str) -> tuple[tuple[str, Recipe, Wanted], ...]:
        """Judge the items for pictures of one format and size (0x0 if unknown), of which `cell` has the first."""
        found = []
        for one in self._wanted:
            recipe = one.recipe(form)
            if one.quality is not None and recipe.format == "png":
                said = f"{_LOSSLESS} (for {cell})"
                self._complaints.add((*one.place, "quality"), said, "derive", on="key", once="lossless")
            self._judge_size(recipe, one, width, height, cell)
            found.append((f"{one.suffix}.{paths.extension(recipe.format)}", recipe, one))
        return tuple(found)

    def _judge_size(self, recipe: Recipe, one: Wanted, width: int, height: int, cell: str) -> None:
        """Refuse what no file can be and warn of what would be enlarged, where the size is known beforehand."""
        known = width > 0 and height > 0
        if not known and not (one.width and one.height):
            return
        across, down = recipe.size(width, height) if known else (one.width or 1, one.height or 1)
        place = (*one.place, "width" if one.width else "height")
        most = _SIDES.get(recipe.format, LIMIT_PIXELS)
        if across * down > LIMIT_PIXELS:
            said = f"{across}x{down} are more than {LIMIT_PIXELS:,} pixels (for {cell}); choose a smaller size"
            self._complaints.add(place, said, "derive", once="pixels")
        elif max(across, down) > most:
            said = f"{across}x{down}: no side of a {recipe.format} picture has more than {most:,} pixels (for {cell})"
            self._complaints.add(place, said, "derive", once="side")
        elif known and (across > width or down > height):
            said = f"{across}x{down} is larger than the {width}x{height} of {cell}: enlarging adds no detail"
            self._complaints.add(place, said, "enlarged", once="enlarged", severity="warning")


def _but_for_format(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name != "outputFormat"}


def _suffix(place: Path, wanted: tuple[Wanted, ...]) -> str:
    one = next(each for each in wanted if each.place == place)
    return f'suffix: "@{one.width or one.height or "small"}"'
