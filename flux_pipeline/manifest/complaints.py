"""From "this node is wrong" to a Problem with its line: collected, each place complained about once."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable
from typing import Any, Final, Literal

from flux_pipeline.errors import Problem
from flux_pipeline.manifest.document import Document, Path

_QUOTED: Final = 160
_SHOWN: Final = 60
_LONG_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{23,}")
_PLAIN_KEY: Final = re.compile(r"[\w-]+")
_INVISIBLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


class Complaints:
    """Every problem of one document, in the order found; `sorted` gives errors by line, then warnings by line."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._problems: dict[Hashable, Problem] = dict(enumerate(document.problems))
        self.spoilt = {_entry_of(path) for path in document.lost}

    def __len__(self) -> int:
        return len(self._problems)

    def line(self, path: Path) -> int:
        return self._document.place(path)[0]

    def has(self, path: Path) -> bool:
        """Tell whether the document has a node at `path`."""
        return self._document.place(path) != self._document.place(path[:-1])

    @property
    def errors(self) -> bool:
        return any(problem.severity == "error" for problem in self._problems.values())

    def add(
        self,
        path: Path,
        message: str,
        code: str,
        *,
        on: Literal["key", "value"] = "value",
        once: Hashable = None,
        severity: Literal["error", "warning"] = "error",
    ) -> None:
        """Note a problem of the node at `path`; of all with the same `once`, only the first is kept."""
        if severity == "error":
            self.spoilt.add(_entry_of(path))
        mark = (message if once is None else once, path, code)
        if mark not in self._problems:
            line, column = self._document.place(path, on=on)
            self._problems[mark] = problem_at(
                self._document, line, column, path=path, message=message, code=code, severity=severity
            )

    def sorted(self) -> tuple[Problem, ...]:
        def order(problem: Problem) -> tuple[bool, int, int, str]:
            return (problem.severity == "warning", problem.line, problem.column, problem.message)

        return tuple(sorted(self._problems.values(), key=order))


def _entry_of(path: Path) -> int | None:
    return path[1] if len(path) > 1 and path[0] == "entries" and isinstance(path[1], int) else None


class Source:
    """The lines of a file, to quote from."""

    __slots__ = ("file", "lines")

    def __init__(self, file: str, lines: list[str]) -> None:
        self.file = file
        self.lines = lines


def problem_at(
    source: Source | Document,
    line: int,
    column: int,
    *,
    path: Path = (),
    message: str,
    code: str,
    severity: Literal["error", "warning"] = "error",
) -> Problem:
    """Return the problem at a line and column (from 1; 0 for the file as a whole), with its line quoted."""
    text = source.lines[line - 1] if 0 < line <= len(source.lines) else ""
    start = max(0, column - _QUOTED // 2) if len(text) > _QUOTED else 0
    quoted = ("…" if start else "") + text[start : start + _QUOTED] + ("…" if len(text) > start + _QUOTED else "")
    return Problem(
        file=source.file,
        line=line,
        column=column,
        path=redact(path_text(path)),
        message=visible(redact(message)),
        source=visible(redact(quoted.strip())),
        code=code,
        severity=severity,
    )


def path_text(path: Path) -> str:
    """Write `("entries", 0, "matrix")` as `entries[0].matrix`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step[:_SHOWN], ensure_ascii=False)}]"
    return text


def show(value: Any) -> str:
    """Return a value as a message shows it: short, quoted when it is text."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` was probably meant to be."""
    import difflib

    folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name[:_SHOWN].casefold(), folded, n=1, cutoff=0.72)
    return folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean "color"?`, or nothing when no name is close."""
    meant = suggestion(name, known)
    return f'; did you mean "{meant}"?' if meant else ""


def looks_secret(word: str) -> bool:
    """Tell whether a word has the looks of an API key: long, unbroken, letters and digits well mixed."""
    letters = word.replace("-", "").replace("_", "")
    digits = sum(map(str.isdigit, letters))
    return len(letters) >= 24 and digits >= 4 and len(letters) - digits >= 4 and max(map(len, _words(word))) >= 12


def _words(word: str) -> list[str]:
    return re.split("[-_]", word)


def redact(text: str) -> str:
    """Return the text without anything that looks like an API key."""

    def masked(found: re.Match[str]) -> str:
        return "[…]" if looks_secret(found[0]) else found[0]

    return _LONG_WORD.sub(masked, text) if len(text) >= 24 else text


def visible(text: str) -> str:
    """Return the text with characters that a terminal would obey, or not show, written as escapes."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
