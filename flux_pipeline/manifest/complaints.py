"""From "this node is wrong" to a Problem with its line: collected, each place complained about once."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable
from typing import Any, Final, Literal, Protocol

from flux_pipeline.errors import ManifestError, Problem
from flux_pipeline.manifest.document import Document, Path, Spot
from flux_pipeline.manifest.quoting import find_in_template, is_flow, node_end, quote, redact, visible
from flux_pipeline.manifest.yaml_scalars import ScalarError, plain

MAX_PROBLEMS: Final = 1000

_SHOWN: Final = 60
_LISTED: Final = 40
_COMPARED: Final = 300
_NUMBER: Final = re.compile(r"(-?[0-9][0-9.e+-]*) (?:is|must) ")
_PLAIN_KEY: Final = re.compile(r"[\w-]+")


class Sheet(Protocol):
    """Another file that a node of the document stands for: it knows where its own nodes are."""

    @property
    def file(self) -> str: ...
    @property
    def lines(self) -> list[str]: ...
    @property
    def problems(self) -> tuple[Problem, ...]: ...
    def spot(self, path: Path, *, on: Literal["key", "value"] = "value") -> Spot: ...


class Complaints:
    """Every problem of one document, in the order found; `sorted` gives errors by line, then warnings by line."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._sheets: dict[Path, Sheet] = {}
        self._problems: dict[Hashable, Problem] = dict(enumerate(document.problems))
        self.spoilt = {_entry_of(path) for path in document.lost}
        self._errors = len(document.problems)
        self._warnings = 0

    def __len__(self) -> int:
        return len(self._problems)

    def take(self, path: Path, sheet: Sheet) -> None:
        """Take over the problems of the file that the node at `path` names; what is below it stands in that file.

        Raises:
            ManifestError: these are as many errors as anybody can want to read.
        """
        self._sheets[path] = sheet
        if sheet.problems:
            self.spoilt.add(_entry_of(path))
        for problem in sheet.problems:
            if problem not in self._problems:
                self._problems[problem] = problem
                self._errors += 1
        if self._errors >= MAX_PROBLEMS:
            raise self.too_many()

    def _home(self, path: Path) -> tuple[Document | Sheet, Path]:
        """Return the file in which a node stands, and its path there."""
        sheet = self._sheets.get(path[:3]) if len(path) > 3 else None
        return (self._document, path) if sheet is None else (sheet, path[3:])

    def line(self, path: Path) -> int:
        return self._document.place(path)[0]

    def has(self, path: Path) -> bool:
        """Tell whether the document has a node at `path`."""
        return self._document.place(path) != self._document.place(path[:-1])

    @property
    def errors(self) -> bool:
        return self._errors > 0

    def add(
        self,
        path: Path,
        message: str,
        code: str,
        *,
        on: Literal["key", "value"] = "value",
        once: Hashable = None,
        severity: Literal["error", "warning"] = "error",
        word: str = "",
    ) -> None:
        """Note a problem of the node at `path`, or of one word of the template that it is.

        Of all with the same `once`, only the first is kept.

        Raises:
            ManifestError: these are as many errors as anybody can want to read.
        """
        if severity == "error":
            self.spoilt.add(_entry_of(path))
        home, inner = self._home(path)
        mark = (message if once is None else once, home.file, inner, code)
        if mark not in self._problems:
            if severity == "error":
                self._errors += 1
            else:
                self._warnings += 1
                if self._warnings > MAX_PROBLEMS:
                    return
            line, column, end = _span(home, inner, on, word)
            message = _as_read(home.lines, message, line, column, end)
            self._problems[mark] = problem_at(
                home, line, column, end, path=inner, message=message, code=code, severity=severity
            )
            if self._errors >= MAX_PROBLEMS:
                raise self.too_many()

    def too_many(self) -> ManifestError:
        """Return what says all problems found so far, and that the rest was not looked at."""
        return ManifestError((*self.sorted(), too_many(self._document.file)))

    def sorted(self) -> tuple[Problem, ...]:
        """Return the problems; the warnings beyond the thousandth are counted only."""

        def order(problem: Problem) -> tuple[bool, bool, str, int, int, str]:
            elsewhere = problem.file != self._document.file
            place = (elsewhere, problem.file, problem.line, problem.column)
            return (problem.severity == "warning", *place, problem.message)

        found = tuple(sorted(self._problems.values(), key=order))
        if self._warnings <= MAX_PROBLEMS:
            return found
        said = f"{self._warnings - MAX_PROBLEMS:,} more warnings are not shown"
        return (*found, _of_file(self._document.file, said, "more", severity="warning"))


def _span(home: Document | Sheet, path: Path, on: Literal["key", "value"], word: str) -> tuple[int, int, int]:
    """Return the line of a node, the column where it begins, and the one after its last on that line."""
    spot = home.spot(path, on=on)
    lines = home.lines
    if not 0 < spot.line <= len(lines):
        return spot.line, spot.column, 0
    start = spot.column - 1
    around = spot.around
    flow = around is not None and is_flow(lines[around[0] - 1], around[1] - 1)
    end = node_end(lines[spot.line - 1], start, flow=flow, whole=spot.whole)
    if word and (found := find_in_template(lines, spot.line, start, end, word)):
        return found[0], found[1] + 1, found[2] + 1
    return spot.line, spot.column, end + 1


def _as_read(lines: list[str], message: str, line: int, column: int, end: int) -> str:
    """Say how a number was written where a message shows it otherwise: `0x10 is read as 16, and 16 is not text`."""
    found = _NUMBER.match(message)
    raw = lines[line - 1][column - 1 : end - 1] if found and end and end - column <= _SHOWN else ""
    try:
        same = found is not None and raw != found[1] and raw != "" and show(plain(raw)) == found[1]
    except ScalarError:
        same = False
    return f"{raw} is read as {found[1]}, and {message}" if found and same else message


def _entry_of(path: Path) -> int | None:
    return path[1] if len(path) > 1 and path[0] == "entries" and isinstance(path[1], int) else None


def too_many(file: str) -> Problem:
    """Return the problem that ends a list of too many."""
    return _of_file(
        file, f"there are {MAX_PROBLEMS:,} problems or more, and these are the first; mend them first", "more"
    )


def _of_file(file: str, message: str, code: str, *, severity: Literal["error", "warning"] = "error") -> Problem:
    return Problem(file=file, line=0, column=0, path="", message=message, code=code, severity=severity)


class Source:
    """The lines of a file, to quote from."""

    __slots__ = ("file", "lines")

    def __init__(self, file: str, lines: list[str]) -> None:
        self.file = file
        self.lines = lines


def problem_at(
    source: Source | Document | Sheet,
    line: int,
    column: int,
    end: int = 0,
    *,
    path: Path = (),
    message: str,
    code: str,
    severity: Literal["error", "warning"] = "error",
) -> Problem:
    """Return the problem at a line and column (from 1; 0 for the file as a whole), with its line quoted.

    `end` is the column after the last that is meant; without it, one character is.
    """
    text = source.lines[line - 1] if 0 < line <= len(source.lines) else ""
    quoted, marks = quote(text, column - 1, end - 1) if text.strip() and column else ("", "")
    return Problem(
        file=source.file,
        line=line,
        column=column,
        end_column=max(end, column + 1) if line else 0,
        path=visible(redact(path_text(path))),
        message=visible(redact(message)),
        source=quoted,
        marks=marks,
        code=code,
        severity=severity,
    )


def path_text(path: Path) -> str:
    """Write `("entries", 0, "matrix")` as `entries[0].matrix`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step) and len(step) <= _SHOWN:
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(_cut(step), ensure_ascii=False)}]"
    return text


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def show(value: Any) -> str:
    """Return a value as a message shows it: short, quoted when it is text."""
    if isinstance(value, str):
        value = value[: _SHOWN + 1]
    return _cut(json.dumps(value, ensure_ascii=False, default=str))


def listed(names: Iterable[str]) -> str:
    """Return the names in order, the first forty of them."""
    known = sorted(names)
    more = f" and {len(known) - _LISTED:,} more" if len(known) > _LISTED else ""
    return (", ".join(map(_cut, known[:_LISTED])) or "nothing") + more


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` was probably meant to be."""
    import difflib

    name = name[:_SHOWN].casefold()
    folded = {
        candidate.casefold(): candidate for candidate in known if abs(len(candidate) - len(name)) <= 1 + len(name) // 2
    }
    if len(folded) > _COMPARED:  # comparing takes long, and few mistype the first letter
        folded = {candidate: folded[candidate] for candidate in folded if candidate[:1] == name[:1]}
        folded = {candidate: folded[candidate] for candidate in list(folded)[:_COMPARED]}
    close = difflib.get_close_matches(name, folded, n=1, cutoff=0.72)
    return folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean "color"?`, or nothing when no name is close."""
    meant = suggestion(name, known)
    return f'; did you mean "{meant}"?' if meant else ""
