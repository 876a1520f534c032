"""A file's rows as a value, and what makes a row sound, whatever the file is written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from flux_pipeline.errors import Problem
from flux_pipeline.ledger.keys import Json
from flux_pipeline.manifest.complaints import Source, problem_at, show
from flux_pipeline.manifest.document import Document, Path, Spot

MAX_ROWS: Final = 1_000_000
MAX_COLUMNS: Final = 1_000
MAX_NAME: Final = 64  # characters of a column's name
MAX_PROBLEMS: Final = 20  # of one file: a wrong separator makes every row wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows of one file. `typed` tells that values are what they are; in CSV everything is text.

    `lines` are what problems quote from; `starts` are the lines (from 1) on which the rows begin, `document` knows
    better where there is one.
    """

    file: str
    lines: list[str]
    rows: tuple[dict[str, Json], ...]
    starts: Sequence[int]
    typed: bool
    problems: tuple[Problem, ...] = ()
    header: int = 0
    document: Document | None = None

    def spot(self, path: Path, *, on: Literal["key", "value"] = "value") -> Spot:
        """Return where a row begins, `(2,)`, or a field of one, `(2, "sku")`; of text, only the line is known."""
        if self.document is not None:
            return self.document.spot(path, on=on)
        number = path[0] if path else 0
        line = self.starts[number] if isinstance(number, int) and number < len(self.starts) else 1
        return Spot(line=self.header if on == "key" and self.header else line, column=1, whole=False, around=None)


class Reading:
    """What has been read of one file so far, and what is wrong with it."""

    def __init__(self, file: str, lines: list[str]) -> None:
        self.source: Final = Source(file, lines)
        self.rows: Final[list[dict[str, Json]]] = []
        self.starts: Final[list[int]] = []
        self.problems: Final[list[Problem]] = []
        self._more = 0

    def wrong(self, message: str, line: int, code: str = "rows") -> None:
        if len(self.problems) < MAX_PROBLEMS:
            end = len(self.source.lines[line - 1]) + 1 if 0 < line <= len(self.source.lines) else 0
            self.problems.append(problem_at(self.source, line, 1, end, message=message, code=code))
        else:
            self._more += 1

    def add(self, row: dict[str, Json], line: int) -> bool:
        """Take a row; return whether there is room for more."""
        self.rows.append(row)
        self.starts.append(line)
        if len(self.rows) < MAX_ROWS:
            return True
        self.wrong(f"there are more than the {MAX_ROWS:,} rows that one file may have; split it", line)
        return False

    def table(self, *, typed: bool, header: int = 0) -> Table:
        if not self.rows and not self.problems:
            self.wrong("the file has a header and no rows" if header else "the file has no rows", 1, "empty")
        if self._more:
            first = self.problems[0]
            said = f"and {self._more:,} more problems like these in this file"
            self.problems.append(
                problem_at(self.source, first.line, first.column, first.end_column, message=said, code="rows")
            )
        return Table(
            file=self.source.file,
            lines=self.source.lines,
            rows=tuple(self.rows),
            starts=self.starts,
            typed=typed,
            problems=tuple(self.problems),
            header=header,
        )


def row_fault(row: Any) -> str | None:
    """Return why a value is no row, None when it is one."""
    if not isinstance(row, dict):
        return "is no set of fields; write {name: value, …}"
    if not row:
        return "has no fields"
    if len(row) > MAX_COLUMNS:
        return f"has {len(row):,} fields, more than the {MAX_COLUMNS:,} allowed"
    return next(filter(None, map(name_fault, row)), None)


def name_fault(name: str) -> str | None:
    """Return what is wrong with the name of a field, None when it is sound."""
    if name.isidentifier() and len(name) <= MAX_NAME:
        return None
    if not name:
        return "has a field without a name"
    if name != name.strip() or not name.isprintable():
        return f"has a field {show(name)}; a name has no space around it and no line break in it"
    if len(name) > MAX_NAME:
        return f"has a field {show(name)}, whose name is longer than {MAX_NAME} characters"
    return None
