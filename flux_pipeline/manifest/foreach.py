"""The `foreach:` of one entry → rows that cells can be made of: what their fields set, and what tells them apart."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flux_pipeline.errors import UsageError
from flux_pipeline.manifest.axes import scalars
from flux_pipeline.manifest.choices import Meaning, written
from flux_pipeline.manifest.complaints import Complaints
from flux_pipeline.manifest.document import LOST, Path
from flux_pipeline.manifest.matrix import Row
from flux_pipeline.manifest.paths import fold
from flux_pipeline.manifest.rows import read_rows
from flux_pipeline.manifest.shape import holds_lost
from flux_pipeline.manifest.table import Table, row_fault
from flux_pipeline.manifest.template_filters import text_of
from flux_pipeline.manifest.words import RESERVED
from flux_pipeline.manifest.yaml_scalars import ScalarError, plain

Reader = Callable[[str], bytes]

MAX_FAULTS: Final = 20  # of one column: what is wrong with a thousand rows is one mistake
_VARIABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_ELSEWHERE: Final = re.compile(r"[/\\]|[A-Za-z]:[/\\]|[A-Za-z][A-Za-z0-9+.-]*://|~")
_SCALARS: Final = (str, int, float)  # bool is an int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of one entry. `names` are what templates may say of them: fields by themselves, and `row`."""

    choices: tuple[Row, ...]
    fields: frozenset[str]
    names: frozenset[str]


class Foreach:
    """Reads the rows of entries; a file that several name is read once.

    `read` returns the bytes of a file beside the manifest, or raises UsageError; None where there are no files.
    """

    def __init__(self, file: str, meaning: Meaning, complaints: Complaints, read: Reader | None) -> None:
        self._folder = posixpath.dirname(file)
        self._meaning = meaning
        self._complaints = complaints
        self._read = read
        self._tables: dict[str, Table] = {}

    def rows(self, path: Path, section: Any, axes: Sequence[str]) -> Rows | None:
        """Complain about everything wrong with an entry's rows; None where there are none to be used."""
        if isinstance(section, str):
            table = self._table(path, section)
            return self._rows(path, table.rows, axes, typed=table.typed) if table is not None else None
        if not isinstance(section, list):
            return None
        items: list[dict[str, Any]] = []
        for index, item in enumerate(section):
            fault = None if item is LOST else row_fault(item)
            if fault is not None:
                self._complaints.add((*path, index), f"the row {fault}", "rows")
            items.append(item if isinstance(item, dict) and fault is None else {})
        return self._rows(path, items, axes, typed=True)

    def _table(self, path: Path, name: str) -> Table | None:
        if _ELSEWHERE.match(name):
            said = "a file of rows is named by its path from the manifest's folder, such as products.csv"
            self._complaints.add(path, said, "foreach")
            return None
        if name not in self._tables:
            if self._read is None:
                self._complaints.add(path, f"{name} cannot be read from here; write the rows as a list", "foreach")
                return None
            try:
                source = self._read(name)
            except UsageError as error:
                self._complaints.add(path, str(error), "foreach")
                return None
            self._tables[name] = read_rows(source, posixpath.join(self._folder, name))
        table = self._tables[name]
        self._complaints.take(path, table)
        return table if table.rows else None

    def _rows(self, path: Path, rows: Sequence[Mapping[str, Any]], axes: Sequence[str], *, typed: bool) -> Rows | None:
        fields: dict[str, int] = {}
        for index, row in enumerate(rows):
            if not row.keys() <= fields.keys():
                fields |= {name: index for name in row if name not in fields}
        usable = {name for name, index in fields.items() if self._usable((*path, index, name), name, axes, fields)}
        setting = [name for name in fields if name in usable and self._meaning.parameter(name)]
        columns = _Columns(setting, self._meaning, typed=typed)
        choices = tuple(columns.row((*path, index), row) for index, row in enumerate(rows) if row)
        if not choices:
            return None
        for choice, part in zip(choices, _parts(choices, fields), strict=True):
            choice.part = part
        names = frozenset(name for name in fields if _VARIABLE.fullmatch(name)) | {"row"}
        return Rows(choices=choices, fields=frozenset(fields), names=names)

    def _usable(self, path: Path, name: str, axes: Sequence[str], fields: Mapping[str, int]) -> bool:
        """Tell whether a field's name is free, and what it sets is the model's; complain if not."""
        if name in RESERVED:
            self._complaints.add(path, f'"{name}" is reserved; choose another name for the field', "reserved", on="key")
            return False
        if name in axes:
            said = f'"{name}" is a field of the rows and an axis of the matrix: the axis wins; rename one of the two'
            self._complaints.add(path, said, "shadowed", on="key", severity="warning")
        return self._meaning.fits(path, name, fields)


class _Columns:
    """What the fields of rows set, each value judged once however many rows have it."""

    def __init__(self, setting: Sequence[str], meaning: Meaning, *, typed: bool) -> None:
        self._setting = setting
        self._meaning = meaning
        self._typed = typed
        self._known: dict[tuple[str, type, Any], tuple[Any, Mapping[str, Any]]] = {}
        self._faults: dict[str, int] = {}

    def row(self, path: Path, fields: Mapping[str, Any]) -> Row:
        updates: dict[str, Any] = {}
        template = None
        value = dict(fields)
        for name in self._setting:
            given = value.get(name)
            if given is None or (given == "" and not self._typed):
                value.pop(name, None)  # says nothing, and so what is wider counts
            elif self._faults.get(name, 0) < MAX_FAULTS and not holds_lost(given):
                if self._meaning.is_prompt(name):
                    template = self._meaning.prompt((*path, name), given)
                    continue
                value[name], sets = self._sets((*path, name), name, given)
                updates |= sets
        text = "-".join(scalars(value))
        first = next(iter(fields.values()))
        return Row(value=value, text=text, part="", path=path, updates=updates, template=template, first=first)

    def _sets(self, path: Path, name: str, given: Any) -> tuple[Any, Mapping[str, Any]]:
        mark = (name, type(given), given) if isinstance(given, _SCALARS) else None
        if mark is not None and mark in self._known:
            return self._known[mark]
        value = given if self._typed else self._read(name, given)
        updates = self._meaning.updates(path, name, value)
        if updates is None:
            self._faults[name] = self._faults.get(name, 0) + 1
            return value, {}
        if mark is not None:
            self._known[mark] = value, updates
        return value, updates

    def _read(self, name: str, text: str) -> Any:
        """Return what a text of a CSV file is for a parameter, by the type that the model's schema gives it."""
        schema = self._meaning.target.schema if self._meaning.target is not None else None
        if schema is None or name not in schema.properties:
            return text
        kind = schema.types.get(name)
        if kind == "string" or (kind is None and not schema.faults(name, text)):
            return text
        try:
            return plain(text)
        except ScalarError:
            return text


def _parts(rows: Sequence[Row], fields: Iterable[str]) -> list[str]:
    """Return each row's part of an id: the fewest leading scalar fields that differ everywhere, or its number."""
    parts = [""] * len(rows)
    for name in fields:
        if any(not isinstance(row.value.get(name), _SCALARS) for row in rows):
            continue
        between = "," if parts[0] else ""
        parts = [f"{part}{between}{name}={_text(row.value[name])}" for part, row in zip(parts, rows, strict=True)]
        if len(set(map(fold, parts))) == len(parts):
            return parts
    return [f"row={number}" for number in range(1, len(rows) + 1)]


def _text(value: Any) -> str:
    return written(value) if isinstance(value, str) else text_of(value)
