"""The rows of a file, from its bytes: CSV, JSON, JSON Lines or YAML → fields by name, and where each row stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flux_pipeline.errors import ManifestError
from flux_pipeline.ledger.keys import Json
from flux_pipeline.manifest.complaints import Source, problem_at
from flux_pipeline.manifest.document import LOST
from flux_pipeline.manifest.table import MAX_PROBLEMS, Table, row_fault
from flux_pipeline.manifest.yaml_scalars import UNWANTED

MAX_BYTES: Final = 16 << 20


def read_rows(source: bytes, file: str) -> Table:
    """Return the rows of a file's bytes; the ending of its name says what they are.

    `file` is what problems call it. Whatever is wrong with it is in the table's `problems`; then the sound rows are
    still there, to be checked too.
    """
    ending = file.rpartition(".")[2].lower()
    if ending in {"yaml", "yml"}:
        return _read_yaml(source, file)
    if len(source) > MAX_BYTES:
        return refused(file, f"the file has {len(source):,} bytes, more than the {MAX_BYTES:,} allowed; split it")
    if source[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return refused(file, "the file is UTF-16; save it as UTF-8", code="encoding")
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = source.count(b"\n", 0, fault.start) + 1
        there = f"byte {fault.start:,} (0x{source[fault.start]:02X})"
        return refused(file, f"the file is not UTF-8 at {there}; save it as UTF-8", line, code="encoding")
    if found := UNWANTED.search(text):
        line = text.count("\n", 0, found.start()) + 1
        said = f"the character U+{ord(found[0]):04X} has no place in text; remove it"
        return refused(file, said, line, code="character", lines=text.splitlines())
    return _reader(ending)(text, file)


def _reader(ending: str) -> Callable[[str, str], Table]:
    """Return who reads files of an ending; late, since most manifests need none of them."""
    from flux_pipeline.manifest import rows_csv, rows_json

    return {"csv": rows_csv.read, "json": rows_json.read_list}.get(ending, rows_json.read_lines)


def _read_yaml(source: bytes, file: str) -> Table:
    from flux_pipeline.manifest.yaml_text import parse

    try:
        document = parse(source, file, rows=True)
    except ManifestError as error:
        return Table(file=file, lines=[], rows=(), starts=(), typed=True, problems=error.problems)
    problems = list(document.problems)
    rows: list[dict[str, Json]] = []
    items: Any = document.data  # a list here
    for index, item in enumerate(items):
        fault = None if item is LOST else row_fault(item)
        if fault is not None:
            line, column = document.place((index,))
            problems.append(problem_at(document, line, column, path=(index,), message=f"the row {fault}", code="rows"))
        rows.append(item if fault is None and item is not LOST else {})  # a place holder: rows are known by number
    if not rows:
        problems.append(problem_at(document, 1, 1, message="the file has no rows", code="empty"))
    return Table(
        file=file,
        lines=document.lines,
        rows=tuple(rows),
        starts=(),
        typed=True,
        problems=tuple(problems[:MAX_PROBLEMS]),
        document=document,
    )


def refused(file: str, message: str, line: int = 0, *, code: str = "rows", lines: list[str] | None = None) -> Table:
    """Return the table of a file of which nothing can be read."""
    problem = problem_at(Source(file, lines or []), line, 1 if line else 0, message=message, code=code)
    return Table(file=file, lines=[], rows=(), starts=(), typed=True, problems=(problem,))
