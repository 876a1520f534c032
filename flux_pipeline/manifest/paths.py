"""Which output paths are safe and mean the same on every system, and which two would be one file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_COMPONENT: Final = 255 - 24  # bytes; the room is for suffixes such as `.part` and `@half`
MAX_PATH: Final = 4000  # bytes
MAX_FOLDERS: Final = 32

_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?=[. ]|$)", re.IGNORECASE)
# What nearly every path looks like needs no closer look; anything unusual falls through to the rules.
_PLAIN_PART: Final = (
    r"(?!(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])[./ ])[A-Za-z0-9_](?:[A-Za-z0-9_@=+,. -]{0,198}[A-Za-z0-9_@=+,-])?"
)
_PLAIN: Final = re.compile(rf"(?:{_PLAIN_PART}/){{0,12}}{_PLAIN_PART}\.[a-z]{{3,4}}")
_FORBIDDEN: Final = re.compile(r'[<>:"\\|?*]')
_INVISIBLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ue0000-\ue007f]".replace(
        "\ue0000-\ue007f", "\U000e0000-\U000e007f"
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFault:
    """What is wrong with a path, and the piece of text that is to blame."""

    code: str
    message: str
    culprit: str


def faults(path: str) -> Iterator[PathFault]:
    """Yield what is wrong with a relative path, first things first; nothing for one that is safe everywhere."""
    if _PLAIN.fullmatch(path):
        return
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path):
        yield PathFault(
            code="path-absolute", message="the path must be relative to the output folder", culprit=path[:1]
        )
    if path.startswith(("-", "~")):
        yield PathFault(
            code="path-name",
            message=f'a path that begins with "{path[0]}" is an option to other programs',
            culprit=path[0],
        )
    if len(path.encode("utf-8", "replace")) > MAX_PATH:
        yield PathFault(code="path-long", message=f"the path is longer than {MAX_PATH:,} bytes", culprit=path)
        return
    if path.count("/") > MAX_FOLDERS:
        yield PathFault(code="path-long", message=f"the path has more than {MAX_FOLDERS} folders", culprit=path)
        return
    for part in path.removeprefix("/").split("/"):
        fault = _fault_of(part)
        if fault is not None:
            yield fault


def _fault_of(part: str) -> PathFault | None:
    alike = unicodedata.normalize("NFKC", part)
    if part == "":
        return PathFault(code="path-empty", message="a part of the path is empty", culprit=part)
    if part == ".":
        return PathFault(code="path-outside", message='"." names no folder; leave it out', culprit=part)
    if part == "..":
        return PathFault(code="path-outside", message=f'"{part}" would lead out of the output folder', culprit=part)
    if found := _INVISIBLE.search(part):
        message = f"the character U+{ord(found[0]):04X} cannot be seen in a file name"
        return PathFault(code="path-character", message=message, culprit=found[0])
    if found := _FORBIDDEN.search(part):
        message = f'"{found[0]}" cannot be in a file name on every system; write output: with {{{{ … | slug }}}}'
        return PathFault(code="path-character", message=message, culprit=found[0])
    if part.startswith("."):
        return PathFault(code="path-hidden", message=f'"{part}" begins with a dot and would be hidden', culprit=part)
    if part.endswith((".", " ")) or part.startswith(" "):
        return PathFault(
            code="path-name", message=f'"{part}" begins or ends with a space or ends with a dot', culprit=part
        )
    if found := _RESERVED.match(part):
        return PathFault(code="path-reserved", message=f'"{part}" is a name that Windows reserves', culprit=found[0])
    if "/" in alike or alike.startswith("."):
        return PathFault(
            code="path-character", message=f'"{part}" looks like "{alike}", which is not safe', culprit=part
        )
    if len(unicodedata.normalize("NFC", part).encode("utf-8", "replace")) > MAX_COMPONENT:
        message = f"a part of the path is longer than {MAX_COMPONENT} bytes; write output: with {{{{ … | truncate(60) | slug }}}}"
        return PathFault(code="path-long", message=message, culprit=part)
    return None


def extension_fault(path: str, picture: str) -> PathFault | None:
    """Return what is wrong with the extension for a picture of format `png` or `jpeg`."""
    allowed = ("jpg", "jpeg") if picture == "jpeg" else (picture,)
    _, dot, found = path.rpartition("/")[2].rpartition(".")
    if dot and found.lower() in allowed:
        return None
    said = f"the extension .{found}" if dot else "a path without extension"
    message = f"{said} does not fit a {picture} picture; end the path with .{{{{ ext }}}}"
    return PathFault(code="path-extension", message=message, culprit=found)


def extension(picture: str) -> str:
    return "jpg" if picture == "jpeg" else picture


def fold(text: str) -> str:
    """Return what two names have in common when some file system takes them for one."""
    if text.isascii():
        lower = text.lower()
        return text if lower == text else lower  # no second copy of what is a million times the same
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFC", text).casefold())


class Claims:
    """Who has which path."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    def claim(self, path: str, cell: str) -> str | None:
        """Note that `path` is `cell`'s, or return the cell that has it, or that needs it as a folder."""
        name = fold(path)
        owner = self._files.setdefault(name, cell)
        if owner is not cell:
            return owner
        folder = name.rpartition("/")[0]
        while folder and folder not in self._folders:
            self._folders[folder] = cell
            folder = folder.rpartition("/")[0]
        return None

    def swallowed(self) -> Iterator[tuple[str, str, str]]:
        """Yield (path, cell, other cell) for each path that is a picture of one and a folder of another."""
        for folder, cell in self._folders.items():
            if folder in self._files:
                yield folder, self._files[folder], cell
