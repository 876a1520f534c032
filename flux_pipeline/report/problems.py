"""The problems of a manifest, for people, programs and pull requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from flux_pipeline.errors import Problem


def text(problems: Sequence[Problem], manifests: Sequence[str], cells: int) -> Iterator[str]:
    """Yield the lines of each problem, then the count."""
    for problem in problems:
        said, *quoted = problem.lines
        yield f"warning: {said}" if problem.severity == "warning" else said
        yield from quoted
    errors = sum(problem.severity == "error" for problem in problems)
    what = manifests[0] if len(manifests) == 1 else f"{len(manifests)} manifests"
    yield f"{what}: {errors} problem{'s' if errors != 1 else ''}" if errors else f"{what}: sound, {cells} cells"


def document(problems: Sequence[Problem], cells: int) -> dict[str, Any]:
    """Return what `validate --json` prints."""
    errors = any(problem.severity == "error" for problem in problems)
    return {"valid": not errors, "cells": cells, "problems": [_told(problem) for problem in problems]}


def _told(problem: Problem) -> dict[str, Any]:
    told = asdict(problem)
    del told["marks"]  # for eyes; a program has the columns
    return told


def github(problems: Sequence[Problem]) -> Iterator[str]:
    """Yield workflow commands that annotate the lines of a pull request."""
    for problem in problems:
        place = f"file={_escaped(problem.file, ',:')}"
        if problem.line:
            place += f",line={problem.line},col={problem.column}"
        words = f"{problem.path}: {problem.message}" if problem.path else problem.message
        yield f"::{problem.severity} {place},title={_escaped(problem.code, ',:')}::{_escaped(words)}"


def _escaped(value: str, further: str = "") -> str:
    for character in "%\r\n" + further:
        value = value.replace(character, f"%{ord(character):02X}")
    return value
