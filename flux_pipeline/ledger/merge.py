"""Several lockfiles, or one with the conflict markers of a merge, as one set of facts; pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import orjson

from flux_pipeline.errors import LockfileForeign
from flux_pipeline.ledger.contents import CONFLICT, HEADER, Contents, parse
from flux_pipeline.ledger.history import History, fold

_BOM = b"\xef\xbb\xbf"


def read_both_sides(data: bytes, path: Path) -> tuple[Contents, int]:
    """Read a lockfile's bytes with conflict markers dropped and both sides kept; return how many markers there were.

    Whatever else is damaged stays so: every line is checked, and `path` and the line number name the one that is wrong.

    Raises:
        LockfileDamaged: a line cannot be trusted.
        LockfileForeign: the sides are of different servers, or of a newer version.
    """
    lines = data.removeprefix(_BOM).split(b"\n")
    markers = [number for number, line in enumerate(lines) if line.startswith(CONFLICT)]
    if not markers:
        return parse(data, path), 0
    for number in markers:
        lines[number] = b""  # not removed, so that every other line keeps its number
    heads = [number for number, line in enumerate(lines) if _server(line)]
    servers = {_server(lines[number]) for number in heads}
    if len(servers) > 1:
        raise LockfileForeign(f"{path}: its two sides belong to different servers: {' and '.join(sorted(servers))}")
    if heads and not any(lines[: heads[0]]):
        head, lines[heads[0]] = lines[heads[0]], b""
        lines[0] = head
        for number in heads[1:]:
            lines[number] = b""
    return parse(b"\n".join(lines), path), len(markers)


def _server(line: bytes) -> str:
    """Return the endpoint that a header names, nothing for any other line."""
    if HEADER.encode() not in line:
        return ""
    try:
        header = orjson.loads(line)
    except ValueError:
        return ""
    return str(header.get("endpoint", "")) if isinstance(header, dict) and HEADER in header else ""


def union(files: Iterable[tuple[Path, Contents]]) -> tuple[str, History]:
    """Return the endpoint and all facts of lockfiles of one server.

    Raises:
        LockfileForeign: they belong to different servers.
        ValueError: one submission has two keys.
    """
    files = tuple(files)
    first, head = files[0]
    for path, one in files[1:]:
        if one.endpoint != head.endpoint:
            raise LockfileForeign(
                f"{path} belongs to {one.endpoint}, but {first} to {head.endpoint}: "
                "lockfiles of different servers stay apart; nothing was written"
            )
    return head.endpoint, fold(one for _, each in files for one in each.history.submissions.values())
