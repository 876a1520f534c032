"""docs/problems.md lists the codes that problems really have: those written in the source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from flux_pipeline.errors import ManifestError
from flux_pipeline.manifest.cells import expand
from flux_pipeline.manifest.schema import Schemas

ROOT = Path(__file__).parents[2]
PLACES = [*(ROOT / "flux_pipeline" / "manifest").glob("*.py"), ROOT / "flux_pipeline/cli/validate.py"]
PAGE = (ROOT / "docs" / "problems.md").read_text("utf-8")
LISTED = re.findall(r"^\| `([a-z-]+)` \| (error|warning) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
POSITION = {"add": 2, "_complain": 2, "_Stop": 2, "refuse": 1, "_of_file": 2}  # of the code among the arguments


def words(node):
    """Return the texts that an expression can be."""
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp(body=first, orelse=second):
            return words(first) | words(second)
        case ast.Call(func=ast.Attribute(attr="get"), args=[_, default]):
            return words(default)
        case ast.Dict(values=values):
            return set().union(*map(words, values))
    return set()


def codes_of(tree):
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=arguments, keywords=named):
                if name in POSITION and len(arguments) > POSITION[name]:
                    yield from words(arguments[POSITION[name]])
                for keyword in named:
                    if keyword.arg == "code":
                        yield from words(keyword.value)
            case ast.Assign(targets=[ast.Name(id="code" | "_CODES")], value=value):
                yield from words(value)
            case ast.AnnAssign(target=ast.Name(id="code" | "_CODES"), value=value) if value is not None:
                yield from words(value)


def test_every_code_of_the_source_is_listed_and_every_listed_code_is_in_the_source():
    found = {code for file in PLACES for code in codes_of(ast.parse(file.read_text("utf-8")))}
    assert len(found) > 40
    assert sorted(code for code, *_ in LISTED) == sorted(found)


def test_the_corpus_gives_no_code_that_is_not_listed():
    listed = {code for code, *_ in LISTED}
    for file in sorted((ROOT / "tests/manifest/corpus").rglob("*.yaml")):
        try:
            problems = expand(file.read_bytes(), file=file.name, schemas=Schemas()).warnings
        except ManifestError as error:
            problems = error.problems
        assert {problem.code for problem in problems} <= listed
        assert {(problem.code, problem.severity) for problem in problems} <= {row[:2] for row in LISTED} | {
            ("more", "warning")
        }
