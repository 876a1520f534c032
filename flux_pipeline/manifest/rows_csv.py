"""CSV → rows: a header, then as many fields in every row. Everything is text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final

from flux_pipeline.manifest.complaints import listed, show
from flux_pipeline.manifest.table import MAX_COLUMNS, Reading, Table, name_fault
from flux_pipeline.manifest.yaml_scalars import MAX_LENGTH

_OTHERS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_WORDING: Final = {
    "unexpected end of data": "a quote that is opened in this row is never closed",
    "',' expected after '\"'": 'a quoted field goes on behind its quote; write a quote inside quotes twice: ""',
}


def read(text: str, file: str) -> Table:
    """Return the rows of a CSV text; a row may go over several lines inside quotes."""
    lines = list(io.StringIO(text, newline=""))  # keeps \r\n inside quotes, and knows a lone \r as the end of a line
    reading = Reading(file, [line.rstrip("\r\n") for line in lines])
    records = _records(lines, reading)
    header = next(records, None)
    if header is None:
        if not reading.problems:
            reading.wrong("the file is empty; its first line names the columns", 1, "empty")
        return reading.table(typed=False)
    line, columns = header
    if _sound(columns, reading, line):
        for at, fields in records:
            if len(fields) != len(columns):
                _uneven(fields, columns, reading, at)
            elif long := next((field for field in fields if len(field) > MAX_LENGTH), None):
                reading.wrong(f"{len(long):,} characters are more than the {MAX_LENGTH:,} that one text may have", at)
            elif not reading.add(dict(zip(columns, fields, strict=True)), at):
                break
    return reading.table(typed=False, header=line)


def _records(lines: list[str], reading: Reading) -> Iterator[tuple[int, list[str]]]:
    """Yield every record that is not empty with the line (from 1) on which it begins."""
    reader = csv.reader(lines, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            said = _WORDING.get(str(fault), f"this is not CSV: {fault}")
            reading.wrong(said, line, "syntax")
            return
        if fields:
            yield line, fields


def _sound(columns: list[str], reading: Reading, line: int) -> bool:
    """Complain about the names of columns; return whether rows can be read by them."""
    before = len(reading.problems)
    if len(columns) > MAX_COLUMNS:
        reading.wrong(f"there are {len(columns):,} columns, more than the {MAX_COLUMNS:,} allowed", line)
        return False
    if len(columns) == 1 and (other := next((mark for mark in _OTHERS if mark in columns[0]), None)):
        reading.wrong(f"the columns seem to be parted by {_OTHERS[other]}; part them by commas", line)
        return False
    for number, name in enumerate(columns, 1):
        if not name:
            reading.wrong(f"column {number} has no name; name it, or take it out", line)
        elif fault := name_fault(name):
            reading.wrong(f"the header {fault}", line)
    twice = {name for name in columns if name and columns.count(name) > 1}
    if twice:
        reading.wrong(f"two columns have one name: {listed(map(show, twice))}", line)
    return len(reading.problems) == before


def _uneven(fields: list[str], columns: list[str], reading: Reading, line: int) -> None:
    count = f"{len(fields)} field{'s' if len(fields) != 1 else ''}"
    said = f"the row has {count}, and the header names {len(columns)} columns"
    hint = "; a comma inside a field needs quotes around the field" if len(fields) > len(columns) else ""
    reading.wrong(said + hint, line)
