"""Which files are promoted under which names, and the index that says which of them a promotion has put there; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from flux_pipeline.errors import UsageError
from flux_pipeline.manifest.paths import MAX_PATH

INDEX: Final = "promoted.json"
_VERSION: Final = "flux_pipeline_promoted"
_FOLDERS: Final = ("outputs/simulated/", "outputs/")
_MOST_BYTES: Final = 255  # of one name
_SUM: Final = re.compile("[0-9a-f]{64}")

_CHANGED: Final = "changed since it was promoted, so it is left: move it away, and promote again"

State = Literal["promoted", "kept", "missing", "in the way"]
Parting = Literal["stale", "pruned", "left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file to promote: its name there, its path below the output root, and the sums that it may have.

    `manifest` is the way to its manifest from the folder of the promotion. `absent` says why there is no such file, and is
    empty where there is one.
    """

    name: str
    path: str
    sums: frozenset[str]
    cell: str
    key: str
    manifest: str
    absent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file that a promotion has put there; `was` are the sums of those that it was replacing when it was last seen."""

    sha256: str
    cell: str
    key: str
    manifest: str
    was: tuple[str, ...] = ()

    @property
    def sums(self) -> frozenset[str]:
        return frozenset((self.sha256, *self.was))


@dataclass(frozen=True, slots=True)
class There:
    """What has a name already: the SHA-256 of a file, or why it is none that can be read."""

    sha256: str
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """A file that was promoted and is no longer approved: what becomes of it, and why."""

    name: str
    state: Parting
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Everything that promotions have put into a folder, by name; of rehearsals, or of paid pictures."""

    entries: Mapping[str, Entry]
    simulated: bool = False


def name_of(path: str) -> str:
    """Return the name under which a path is promoted: the same path, without the folder of all outputs."""
    prefix = next((each for each in _FOLDERS if path.startswith(each)), "")
    return path.removeprefix(prefix)


def entry(one: Wanted, sha256: str, *was: str) -> Entry:
    """Return what an index says of a file."""
    return Entry(sha256=sha256, cell=one.cell, key=one.key, manifest=one.manifest, was=was)


def apart(wanted: Iterable[Wanted]) -> tuple[Wanted, ...]:
    """Return the files, each once; no two may have one name, on a disk that folds case too.

    Raises:
        UsageError: two have.
    """
    owners: dict[str, Wanted] = {}
    for one in wanted:
        other = owners.setdefault(one.name.casefold(), one)
        if other.path != one.path:
            raise UsageError(
                f"{other.path} and {one.path} would both become {one.name}; write `output` so that they differ"
            )
    return tuple(owners.values())


def decide(one: Wanted, there: There | None, index: Index, lives: Callable[[str], bool]) -> tuple[State, str]:
    """Say what is to be done for a file, and why it cannot.

    `there` is what has the name already, None if nothing has it; `lives` tells whether a manifest of the index still exists.
    """
    known = index.entries.get(one.name)
    if one.absent:
        return "missing", one.absent
    if there is None:
        return "promoted", ""
    if there.sha256 in one.sums:
        return "kept", ""
    if there.obstacle:
        return "in the way", f"{there.obstacle}: move it away, or name another folder with --to"
    if known is None:
        return (
            "in the way",
            "a file of that name is there which no promotion put there: move it away, and promote again",
        )
    if there.sha256 not in known.sums:
        return "in the way", f"it was {_CHANGED}"
    if known.manifest != one.manifest and lives(known.manifest):
        return "in the way", f"{known.manifest} has promoted a picture of that name: use another folder for one of them"
    return "promoted", ""


def stale(
    index: Index, wanted: Iterable[Wanted], manifests: Iterable[str], chosen: Callable[[str], bool]
) -> Iterator[str]:
    """Yield the names of what was promoted of these manifests and is not wanted any more; `chosen` tells which cells."""
    names = {one.name for one in wanted}
    manifests = frozenset(manifests)
    for name, known in index.entries.items():
        if name not in names and known.manifest in manifests and chosen(known.cell):
            yield name


def part(name: str, there: There | None, index: Index, *, prune: bool) -> Gone:
    """Say what becomes of a file that is no longer approved; `there` is as for `decide`."""
    state: Parting = "left" if prune else "stale"
    if there is not None and there.obstacle:
        return Gone(name, state, f"it is no longer approved, but {there.obstacle}: move it away, and promote again")
    if there is not None and there.sha256 not in index.entries[name].sums:
        return left(name, prune=prune)
    reason = "it is no longer approved" if there is not None else "it is no longer approved, and not there any more"
    return Gone(name, "pruned", reason) if prune else Gone(name, "stale", f"{reason}: --prune")


def left(name: str, *, prune: bool = True) -> Gone:
    """Say that a file which is no longer approved is not the one that was promoted, so nobody may remove it."""
    return Gone(name, "left" if prune else "stale", f"it is no longer approved, and was {_CHANGED}")


def read(data: bytes | None, where: str, *, simulated: bool) -> Index:
    """Read an index; there is none at first.

    Raises:
        UsageError: it is damaged, or the folder is for rehearsals and this is none, or the other way round.
    """
    if data is None:
        return Index(entries={}, simulated=simulated)
    remedy = "restore it, or promote into another folder; nothing was copied"
    try:
        document = json.loads(data)
        index = Index(
            entries={_text(name): _entry(one) for name, one in document["files"].items()},
            simulated=document["simulated"] is True,
        )
        newer = document[_VERSION] != 1
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{where} is damaged: {remedy}") from error
    if newer:
        raise UsageError(f"{where} was written by a newer version: upgrade flux-pipeline; nothing was copied")
    for name in index.entries:
        if not _is_below(name):
            raise UsageError(f"{where} is damaged: it names {name!r}, which is no file of its folder: {remedy}")
    if index.simulated is not simulated:
        what, other = ("rehearsed", "paid") if index.simulated else ("paid", "rehearsed")
        raise UsageError(f"{where} is of {what} pictures, and these are {other}: name another folder with --to")
    return index


def _is_below(name: str) -> bool:
    parts = name.split("/")
    fits = len(name.encode()) <= MAX_PATH and all(len(part.encode()) <= _MOST_BYTES for part in parts)
    return fits and "\0" not in name and not {"", ".", ".."}.intersection(parts)


def write(index: Index) -> bytes:
    """Return an index as the bytes of its file."""
    files = {name: _body(one) for name, one in sorted(index.entries.items())}
    document = {_VERSION: 1, "simulated": index.simulated, "files": files}
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def _body(one: Entry) -> dict[str, Any]:
    body: dict[str, Any] = {
        "sha256": one.sha256,
        "cell": one.cell,
        "key": one.key,
        "manifest": one.manifest,
    }
    return body | ({"was": list(one.was)} if one.was else {})


def _entry(one: Mapping[str, Any]) -> Entry:
    was: Sequence[Any] = one.get("was", [])
    return Entry(
        sha256=_sum(one["sha256"]),
        cell=_text(one["cell"]),
        key=_text(one["key"]),
        manifest=_text(one["manifest"]),
        was=tuple(map(_sum, was)),
    )


def _sum(value: Any) -> str:
    if _SUM.fullmatch(_text(value)) is None:
        raise ValueError
    return _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # half a surrogate pair is no text
    return value
