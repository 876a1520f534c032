"""YAML → JSON-shaped data with the line and column of every node, in one pass over the parser's events.

`yaml.load` is never called: it keeps the last of two equal keys, reads YAML 1.1, and dies of deep nesting. Here depth
and size are bounded before anything is built, and an alias can neither multiply the data nor contain itself.
"""

from __future__ import annotations

import codecs
import gc
import re
from typing import Any, Final, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from flux_pipeline.errors import ManifestError, Problem
from flux_pipeline.manifest.complaints import MAX_PROBLEMS, Source, problem_at, too_many
from flux_pipeline.manifest.document import COLUMNS, LOST, Document, Lost, Path
from flux_pipeline.manifest.quoting import is_flow, looks_secret, node_end
from flux_pipeline.manifest.syntax_words import explain
from flux_pipeline.manifest.yaml_scalars import CORE, ScalarError, checked, plain, short_tag, tagged

MAX_BYTES: Final = 2 << 20
MAX_EVENTS: Final = 400_000
MAX_DEPTH: Final = 64
MAX_ALIASES: Final = 100
MAX_ALIASED_NODES: Final = 100_000

_LINE_BREAK: Final = re.compile("\r\n|\r|\n")
_CONFLICT: Final = re.compile(r"^(?:<{7}|>{7})(?: |$)", re.MULTILINE)
_UNWANTED: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")


def parse(source: bytes, file: str, *, rows: bool = False) -> Document:
    """Read a file's bytes: a manifest, or, with `rows`, a list, which then is the document's data.

    Raises:
        ManifestError: the text is not YAML of the accepted kind at all; smaller faults are the document's `problems`.
    """
    text = _decoded(source, file)
    lines = text.splitlines()
    builder = _Builder(Source(file, lines), rows=rows)
    collecting = gc.isenabled()
    gc.disable()  # nothing built here is garbage, and looking for some costs more than all the rest
    try:
        builder.build(text)
    except _Stop as stop:
        line, column = stop.line, stop.column
        if line > len(lines):  # what is missing at the end is missed on a line that exists
            line = max((number for number, written in enumerate(lines, 1) if written.strip()), default=1)
            column = len(lines[line - 1].rstrip()) + 1
        last = problem_at(builder.source, line, column, path=stop.path, message=stop.message, code=stop.code)
        raise ManifestError((*builder.problems, last)) from None
    finally:
        if collecting:
            gc.enable()
    return Document(
        file=file,
        lines=lines,
        data=builder.data,
        problems=tuple(builder.problems),
        lost=tuple(builder.lost),
        _places=builder.places,
    )


def _decoded(source: bytes, file: str) -> str:
    def refuse(message: str, code: str, at: int | None = None, text: str = "") -> NoReturn:
        lines = _LINE_BREAK.split(text)
        line = 0 if at is None else len(_LINE_BREAK.findall(text, 0, at)) + 1
        column = 0 if at is None else at - max(text.rfind("\n", 0, at), text.rfind("\r", 0, at))
        raise ManifestError((problem_at(Source(file, lines), line, column, message=message, code=code),))

    if len(source) > MAX_BYTES:
        refuse(f"the file has {len(source):,} bytes, more than the {MAX_BYTES:,} allowed; split it", "too-large")
    if source[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in source[:2]:
        refuse("the file is UTF-16 or UTF-32, or no text at all; save it as UTF-8", "encoding")
    try:
        source = source.removeprefix(codecs.BOM_UTF8)
        text = source.decode("utf-8")
    except UnicodeDecodeError as fault:
        before = len(source[: fault.start].decode("utf-8"))
        shown = source.decode("utf-8", "replace")
        refuse("the file is not UTF-8 here; save it as UTF-8", "encoding", before, shown)
    if found := _CONFLICT.search(text):
        refuse("a merge conflict was left unresolved here; resolve it first", "merge-conflict", found.start(), text)
    if found := _UNWANTED.search(text):
        said = f"the character U+{ord(found[0]):04X} has no place in a manifest; remove it"
        refuse(said, "character", found.start(), text)
    return text


class _Stop(Exception):
    def __init__(self, at: int, message: str, code: str, path: Path = ()) -> None:
        self.line = at >> COLUMNS
        self.column = at & ((1 << COLUMNS) - 1)
        self.message = message
        self.code = code
        self.path = path
        super().__init__(message)


class _Frame:
    """A list or mapping that is not closed yet."""

    __slots__ = ("anchor", "at", "before", "data", "height", "key", "key_at", "places")

    def __init__(self, at: int, anchor: str | None, before: int, data: Any, places: Any) -> None:
        self.at = at
        self.anchor = anchor
        self.before = before  # nodes counted before it opened
        self.data = data
        self.places = places
        self.key: str | None = None
        self.key_at = 0
        self.height = 1


class _Builder:
    def __init__(self, source: Source, *, rows: bool) -> None:
        self.source = source
        self._rows = rows
        self.problems: list[Problem] = []
        self.lost: list[Path] = []
        self.data: Any = None
        self.places: Any = None
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, Any, int, int]] = {}  # name → data, places, nodes, height
        self._nodes = 0
        self._aliases = 0
        self._aliased = 0
        self._documents = 0

    def build(self, text: str) -> None:
        if not text.strip():
            raise _Stop(0, f"the file is empty; {self._what()}", "empty")
        try:
            loader = yaml.CSafeLoader(text)
            try:
                self._consume(loader.get_event)
            finally:
                loader.dispose()
        except (yaml.YAMLError, ValueError, RecursionError) as fault:
            found = explain(fault, self.source.lines)
            raise _Stop(found.line << COLUMNS | found.column, found.message, "syntax") from None
        if self._documents == 0:
            raise _Stop(0, f"the file holds nothing but comments; {self._what()}", "empty")
        if not isinstance(self.data, list if self._rows else dict):
            kind = "a list" if isinstance(self.data, list) else "a mapping" if self._rows else "a single value"
            raise _Stop(1 << COLUMNS | 1, f"the file is {kind}; {self._what('is a mapping that ')}", "top")

    def _what(self, shape: str = "") -> str:
        return "rows are a list of mappings" if self._rows else f"a manifest {shape}begins with version: 1"

    def _consume(self, get_event: Any) -> None:
        events = 0
        while (event := get_event()) is not None:
            kind = type(event)
            mark = event.start_mark
            at = (mark.line + 1) << COLUMNS | (mark.column + 1)
            events += 1
            if events > MAX_EVENTS:
                said = f"the file has more than {MAX_EVENTS:,} values, keys and brackets; split it"
                raise _Stop(at, said, "too-large", self._path())
            if kind is ScalarEvent:
                self._scalar(event, at)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                self._open(event, at, mapping=kind is MappingStartEvent)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._close()
            elif kind is AliasEvent:
                self._alias(event.anchor, at)
            elif kind is DocumentStartEvent:
                self._documents += 1
                if self._documents > 1:
                    raise _Stop(at, "a second document begins here; a manifest is one document", "documents")

    def _scalar(self, event: ScalarEvent, at: int) -> None:
        self._nodes += 1
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.key is None and type(frame.data) is dict:
            self._name(frame, event, at)
            return
        try:
            if event.tag is not None:
                value = tagged(event.tag, event.value, is_plain=event.style in {"", None})
            elif event.implicit[0]:
                value = plain(event.value)
            else:
                value = checked(event.value)
            if type(value) is str and len(value) >= 32 and value.isalnum() and looks_secret(value):
                raise ScalarError(  # noqa: TRY301 - handled as every other unusable scalar
                    "this looks like an API key; keep keys in the environment (WIRO_API_KEY), never in a manifest"
                )
        except ScalarError as fault:
            value = self._complain(at, str(fault), "scalar")
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, at, 1, 0)
        self._put(value, at)

    def _name(self, frame: _Frame, event: ScalarEvent, at: int) -> None:
        name = event.value
        frame.key_at = at
        if name == "<<" and event.implicit[0]:
            self._complain(
                at, "merge keys (<<) are not read here; write the keys out, or put them into vars", "merge-key"
            )
            frame.key = ""  # the value is read and thrown away
            return
        if name in frame.data:
            first = frame.places[1][name][0] >> COLUMNS
            self._complain(at, f'"{name}" is written twice; the first is on line {first}', "duplicate-key", (name,))
            frame.key = ""
            return
        try:
            frame.key = checked(name) or "(empty)"
        except ScalarError as fault:
            self._complain(at, f"a key cannot be read: {fault}", "scalar")
            frame.key = ""

    def _put(self, value: Any, place: Any) -> None:
        if not self._stack:
            self.data, self.places = value, place
            return
        frame = self._stack[-1]
        if type(frame.data) is list:
            frame.data.append(value)
            frame.places[1].append(place)
        elif frame.key is None:
            raise _Stop(
                place if isinstance(place, int) else place[0],
                'a key must be plain text; a template that begins with {{ needs quotes around it: "{{ … }}"',
                "key",
                self._path(),
            )
        else:
            if frame.key:
                frame.data[frame.key] = value
                frame.places[1][frame.key] = (frame.key_at, place)
            frame.key = None

    def _open(self, event: MappingStartEvent | SequenceStartEvent, at: int, *, mapping: bool) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise _Stop(at, f"lists and mappings are nested more than {MAX_DEPTH} deep", "depth")
        if event.tag is not None and event.tag not in {"!", CORE + ("map" if mapping else "seq")}:
            self._complain(at, f"the tag {short_tag(event.tag)} is not known here; remove it", "scalar")
        parts: Any = {} if mapping else []
        frame = _Frame(at, event.anchor, self._nodes, {} if mapping else [], (at, parts))
        if self._stack and type(self._stack[-1].data) is dict and self._stack[-1].key is None:
            self._put(None, at)  # a list or mapping as a key: always refused
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        self._nodes += 1
        self._stack.append(frame)

    def _close(self) -> None:
        frame = self._stack.pop()
        if frame.anchor is not None:
            size = self._nodes - frame.before
            self._anchors[frame.anchor] = (frame.data, frame.places, size, frame.height)
        if self._stack and self._stack[-1].height <= frame.height:
            self._stack[-1].height = frame.height + 1
        self._put(frame.data, frame.places)

    def _alias(self, name: str, at: int) -> None:
        known = self._anchors.get(name)
        if any(frame.anchor == name for frame in self._stack):
            raise _Stop(at, f"*{name} refers to what contains it", "alias", self._path())
        if known is None:
            raise _Stop(at, f"*{name} refers to &{name}, which is not written before it", "alias", self._path())
        data, places, size, height = known
        self._aliases += 1
        self._aliased += size
        self._nodes += size
        if self._aliases > MAX_ALIASES:
            raise _Stop(at, f"more than {MAX_ALIASES} aliases (*name); write the values out", "alias")
        if self._aliased > MAX_ALIASED_NODES:
            raise _Stop(at, f"aliases (*name) expand to more than {MAX_ALIASED_NODES:,} nodes", "alias")
        if len(self._stack) + height > MAX_DEPTH:
            raise _Stop(at, f"lists and mappings are nested more than {MAX_DEPTH} deep", "depth")
        if self._stack and self._stack[-1].height <= height:
            self._stack[-1].height = height + 1
        if self._stack and type(self._stack[-1].data) is dict and self._stack[-1].key is None:
            places = at
        self._put(data, places)

    def _path(self, tail: Path = ()) -> Path:
        steps = [frame.key if type(frame.data) is dict else len(frame.data) for frame in self._stack]
        return (*(step for step in steps if step not in {None, ""}), *tail)

    def _complain(self, at: int, message: str, code: str, tail: Path = ()) -> Lost:
        path = self._path(tail)
        line, column = at >> COLUMNS, at & ((1 << COLUMNS) - 1)
        around = self._stack[-1].at if self._stack else at
        flow = is_flow(self.source.lines[(around >> COLUMNS) - 1], (around & ((1 << COLUMNS) - 1)) - 1)
        end = node_end(self.source.lines[line - 1], column - 1, flow=flow) + 1
        self.problems.append(problem_at(self.source, line, column, end, path=path, message=message, code=code))
        if len(self.problems) >= MAX_PROBLEMS:
            raise ManifestError((*self.problems, too_many(self.source.file)))
        self.lost.append(path)
        return LOST
