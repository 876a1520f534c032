"""Why a text is no YAML, in words that name the mistake that was probably made, at the place where it was made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

_TABS: Final = "tabs cannot indent YAML; use spaces"
_WORDING: Final = {
    "found character that cannot start any token": "a value cannot begin with {here}; put quotes around the value",
    "mapping values are not allowed in this context": "a colon and space inside a value need quotes around the value",
    "did not find expected node content": "a value or a closing bracket is missing here",
    "found unexpected end of stream": "a quote that is opened here is never closed",
    "found unexpected document indicator": "a quote that is opened here is never closed",
    "found invalid Unicode character escape code": "this escape is half a character; write the character itself",
    "found unknown escape character": (
        "a backslash between double quotes begins an escape; write two of them, or use single quotes"
    ),
    "could not find expected ':'": "a colon is missing after a key here or just above",
    "did not find expected key": "the indentation, or what follows a closed value, does not fit here",
    "did not find expected '-' indicator": "the indentation does not fit the list that begins above",
    "did not find expected ',' or ']'": "a comma or the closing ] of the list is missing here or just above",
    "did not find expected ',' or '}'": "a comma or the closing } of the mapping is missing here or just above",
    "did not find expected alphabetic or numeric character": (
        "a value that begins with * or & is an alias or an anchor to YAML; put quotes around the value"
    ),
    "block sequence entries are not allowed in this context": (
        "a list does not begin on the line of its key; begin it on a line of its own"
    ),
    "block mapping entries are not allowed in this context": "a mapping does not begin on the line of its key",
    "found a tab character that violates indentation": _TABS,
    "found a tab character where an indentation space is expected": _TABS,
}
_TIGHT: Final = re.compile(r" *(?:- +)*([A-Za-z_][\w-]{0,60}):([^\s:/,\]}][^#]{0,40})")
_OPENED: Final = re.compile(r"""(?: *(?:- +)*(?:[^\s:"']+: +)?)((["'])(?:(?!\2).)*)$""")


@dataclass(frozen=True, slots=True)
class Syntax:
    """What is wrong with a text as YAML, and the line and column (from 1; 0 for unknown) where."""

    message: str
    line: int
    column: int


def explain(fault: Exception, lines: list[str]) -> Syntax:
    """Return what an error of the YAML parser means."""
    problem = getattr(fault, "problem", None) or "it cannot be parsed"
    mark = getattr(fault, "problem_mark", None)
    if mark is None:
        return Syntax(_said(problem, ""), 0, 0)
    line, column = mark.line + 1, mark.column + 1
    if (tabbed := _tab(lines, line)) is not None:
        return tabbed
    begun: Any = getattr(fault, "context_mark", None)
    context = str(getattr(fault, "context", None) or "")
    if begun is not None and "quoted scalar" in context and "escape" not in problem:
        return Syntax(_said(problem, ""), begun.line + 1, begun.column + 1)
    text = lines[line - 1] if line <= len(lines) else ""
    here = text[column - 1 : column]
    if problem.endswith(("in this context", "':'")) and (tight := _without_space(lines, line)) is not None:
        return tight
    if here == "\t" and "start any token" in problem:
        return Syntax("not YAML: a tab stands where a space is needed", line, column)
    message = _said(problem, here)
    opened = _opened(lines, line)
    if opened is not None and here not in {"", "%", "@", "`"}:
        message += f"; the quote opened on line {opened} may be closed too late, or never"
    elif begun is not None and problem.startswith("did not find expected ',' or") and begun.line + 1 != line:
        message += f"; it begins on line {begun.line + 1}"
    return Syntax(message, line, column)


def _said(problem: str, here: str) -> str:
    words = _WORDING.get(problem, problem)
    return f"not YAML: {words.replace('{here}', 'a tab' if here == chr(9) else here or 'this character')}"


def _tab(lines: list[str], line: int) -> Syntax | None:
    """Find the tab that indents the line of a fault or the one that it goes on from."""
    for number in range(min(line, len(lines)), max(0, line - 3), -1):
        text = lines[number - 1]
        indent = text[: len(text) - len(text.lstrip(" \t"))]
        if "\t" in indent:
            return Syntax(f"not YAML: {_TABS}", number, indent.index("\t") + 1)
    return None


def _without_space(lines: list[str], line: int) -> Syntax | None:
    """Find `key:value` on the line of a fault or on the last one with text above it."""
    above = (number for number in range(line, max(0, line - 20), -1) if number <= len(lines))
    for number in [number for number in above if lines[number - 1].strip()][:2]:
        found = _TIGHT.match(lines[number - 1][:200])
        if found is not None:
            right = f"{found[1]}: {found[2].strip()}"
            return Syntax(f"not YAML: a colon needs a space after it: {right}", number, found.start(2))
    return None


def _opened(lines: list[str], line: int) -> int | None:
    """Return the line, at most twenty above a fault, on which a quote is opened and not closed."""
    for number in range(min(line, len(lines)), max(0, line - 20), -1):
        if _OPENED.match(lines[number - 1][:4096]):
            return number if number < line else None
    return None
