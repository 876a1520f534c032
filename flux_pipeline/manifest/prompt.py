"""Sandboxed templates: a small part of Jinja2 that cannot hang, escape or reach anything but the plain data given.

The sandbox alone stops neither `'a' * 10**9` nor nested loops, so what may be written is an allow-list of syntax, checked
before anything is compiled: no calls, no loops, no multiplication, no names that begin with an underscore.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2 import Template as CompiledTemplate
from jinja2.sandbox import ImmutableSandboxedEnvironment

from flux_pipeline.manifest import template_filters as own
from flux_pipeline.manifest.complaints import did_you_mean, listed
from flux_pipeline.manifest.template_cost import NOTHING, Cost, Form, total
from flux_pipeline.manifest.template_filters import MAX_TEXT, TemplateFault, text_of
from flux_pipeline.manifest.words import JINJA_WORDS

MAX_SOURCE: Final = 8192
MAX_NODES: Final = 500
MAX_BRACKETS: Final = 32

_FILTER_WORK: Final = 8  # a filter looks at every character, where joining only copies it

_NAME: Final = re.compile(r"\{\{ *([A-Za-z][A-Za-z0-9_]*) *\}\}")
_NAMED: Final = re.compile(r'"([^"]+)" is not in the value')
_OPENERS: Final = ("{{", "{%", "{#")
_ALLOWED: Final = frozenset({
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.Filter, nodes.Concat, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not,
    nodes.Test, nodes.Add, nodes.Sub, nodes.If,
})  # fmt: skip
_WORDS: Final = {
    nodes.Call: "a call", nodes.For: "a loop", nodes.Mul: "multiplication", nodes.Pow: "a power", nodes.Mod: "%",
    nodes.Assign: "set", nodes.Macro: "a macro", nodes.Include: "include", nodes.Import: "import",
    nodes.FromImport: "import", nodes.Extends: "extends", nodes.Div: "division", nodes.FloorDiv: "division",
    nodes.Slice: "a slice", nodes.List: "a list", nodes.Tuple: "a list", nodes.Dict: "a mapping",
    nodes.Keyword: "a named argument", nodes.Neg: "a minus before a value", nodes.Pos: "a plus before a value",
    nodes.CallBlock: "a call", nodes.FilterBlock: "a filter around a block", nodes.With: "with",
    nodes.ScopedEvalContextModifier: "autoescape",
}  # fmt: skip
_BUILT_IN_FILTERS: Final = (
    "abs", "capitalize", "default", "first", "float", "int", "last", "length", "lower", "sort", "title", "trim", "upper",
)  # fmt: skip
_TESTS: Final = ("boolean", "defined", "even", "none", "number", "odd", "string", "undefined")


def _component(value: Any) -> str:
    """Write a value into a path: one component of it, never a folder more."""
    text = text_of(value)
    if "/" in text or "\\" in text:
        raise SlashFault('a value with "/" or "\\" would make folders of its own; write output: with {{ … | slug }}')
    return text


class SlashFault(TemplateFault):
    """A value that would add a folder to a path."""


class _Environment(ImmutableSandboxedEnvironment):
    """Names lead to keys of plain data, never to attributes or methods of Python's objects."""

    def __init__(self, write: Callable[[Any], str]) -> None:
        def finalize(value: Any) -> str:
            return str(value) if isinstance(value, Undefined) else write(value)  # str() raises: StrictUndefined

        super().__init__(undefined=StrictUndefined, autoescape=False, finalize=finalize, keep_trailing_newline=True)
        self.globals.clear()
        self.filters = {name: self.filters[name] for name in _BUILT_IN_FILTERS}
        self.filters |= {"slug": own.slug, "replace": own.replace, "join": own.join}
        self.filters |= {"round": own.rounded, "truncate": own.truncate}
        self.tests = {name: self.tests[name] for name in _TESTS}

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, dict | list | str):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                pass
        inside = f"; there is {listed(obj)}" if isinstance(obj, dict) else ""
        return self.undefined(f'"{str(argument)[:60]}" is not in the value{inside}')

    def getattr(self, obj: Any, attribute: str) -> Any:
        return (
            self.getitem(obj, attribute)
            if isinstance(obj, dict)
            else self.undefined(f'"{attribute}" is not in the value')
        )


_FOR_PROMPTS: Final = _Environment(text_of)
_FOR_PATHS: Final = _Environment(_component)


class Template:
    """A template, compiled once.

    `variables` are all names in it, `required` those it cannot do without; `cost` is that of filling it in.
    """

    __slots__ = ("_compiled", "_parts", "_write", "cost", "required", "source", "variables")

    def __init__(
        self,
        source: str,
        parts: tuple[str | _Variable, ...] | None,
        compiled: CompiledTemplate | None,
        *,
        required: frozenset[str],
        variables: frozenset[str],
        write: Callable[[Any], str],
        cost: Cost,
    ) -> None:
        self.cost: Final = cost
        self.source: Final = source
        self.required: Final = required
        self.variables: Final = variables
        self._parts = parts
        self._compiled = compiled
        self._write = write

    def render(self, values: Mapping[str, Any]) -> str:
        """Return the text for these values, which are plain data.

        Raises:
            TemplateFault: something is undefined, or cannot be written as text.
        """
        if self._parts is not None:
            write = self._write
            try:
                text = "".join(
                    [write(values[part.name]) if isinstance(part, _Variable) else part for part in self._parts]
                )
            except KeyError as fault:
                raise TemplateFault(f'"{fault.args[0]}" is not defined') from None
        else:
            text = self._run(values)
        if len(text) > MAX_TEXT:
            raise TemplateFault(f"the text has {len(text):,} characters, more than the {MAX_TEXT:,} allowed")
        return text

    def _run(self, values: Mapping[str, Any]) -> str:
        assert self._compiled is not None
        try:
            return self._compiled.render({name: values[name] for name in self.variables if name in values})
        except TemplateFault:
            raise
        except UndefinedError as fault:
            message = str(fault.message)
            found = _NAMED.match(message)
            raise TemplateFault(message, found[1] if found else "") from None
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as fault:
            raise TemplateFault(f"the template cannot be filled in: {str(fault)[:200]}") from None

    def undefined(self, defined: frozenset[str]) -> dict[str, str]:
        """Return what to say about each name that is needed and not among those defined."""
        return {
            name: f'"{name}" is not defined; defined here: {listed(defined)}{did_you_mean(name, defined)}'
            for name in sorted(self.required - defined)
        }


class _Variable:
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


@lru_cache(maxsize=2048)
def template(source: str, *, path: bool = False) -> Template:
    """Compile a template; with `path`, no value may add a folder.

    Raises:
        TemplateFault: it cannot be parsed, is too large, or uses what templates may not.
    """
    environment, write = (_FOR_PATHS, _component) if path else (_FOR_PROMPTS, text_of)
    if not any(opener in source for opener in _OPENERS):
        cost = Cost({"": len(source)}, NOTHING)
        return Template(source, (source,), None, required=frozenset(), variables=frozenset(), write=write, cost=cost)
    _judge_size(source)
    if (parts := _simple(source)) is not None:
        used = frozenset(part.name for part in parts if isinstance(part, _Variable))
        length = total({part.name: 1} if isinstance(part, _Variable) else {"": len(part)} for part in parts)
        return Template(source, parts, None, required=used, variables=used, write=write, cost=Cost(length, NOTHING))
    try:
        tree = environment.parse(source)
        names = _judge(tree)
        work: list[Form] = []
        cost = Cost(_length(tree, work), total(work))
        compiled = environment.from_string(tree)
    except TemplateSyntaxError as fault:
        where = f" (line {fault.lineno} of the text)" if fault.lineno > 1 else ""
        raise TemplateFault(f"the template cannot be read: {fault.message}{where}") from None
    except (SyntaxError, RecursionError, MemoryError):
        raise TemplateFault("the template is nested too deeply") from None
    except TemplateError as fault:
        raise TemplateFault(f"the template cannot be read: {fault}") from None
    required = frozenset(name for name, needed in names if needed)
    variables = frozenset(name for name, _ in names)
    return Template(source, None, compiled, required=required, variables=variables, write=write, cost=cost)


def _judge_size(source: str) -> None:
    if len(source.encode("utf-8", "replace")) > MAX_SOURCE:
        raise TemplateFault(f"the template is longer than {MAX_SOURCE:,} bytes")
    depth = 0
    for character in source:
        if character in "([{":
            depth += 1
            if depth > MAX_BRACKETS:
                raise TemplateFault(f"the template has more than {MAX_BRACKETS} brackets inside each other")
        elif character in ")]}":
            depth = max(0, depth - 1)


def _judge(tree: nodes.Template) -> set[tuple[str, bool]]:
    """Return the names in a template, each with whether it must be defined; refuse what is not allowed."""
    names: set[tuple[str, bool]] = set()
    rest: list[tuple[nodes.Node, bool]] = [(tree, True)]
    seen = 0
    while rest:
        node, needed = rest.pop()
        seen += 1
        if seen > MAX_NODES:
            raise TemplateFault(f"the template has more than {MAX_NODES} parts")
        _judge_node(node)
        if isinstance(node, nodes.Name):
            names.add((node.name, needed))
        optional = (isinstance(node, nodes.Filter) and node.name == "default") or (
            isinstance(node, nodes.Test) and node.name in {"defined", "undefined"}
        )
        for child in node.iter_child_nodes():
            inner = optional and isinstance(child, nodes.Name) and child is getattr(node, "node", None)
            rest.append((child, not inner))
    return names


def _judge_node(node: nodes.Node) -> None:
    if type(node) not in _ALLOWED:
        what = _WORDS.get(type(node), type(node).__name__.lower())
        raise TemplateFault(f"{what} is not allowed in a template; it may hold names, filters, if, and + - ~")
    if isinstance(node, nodes.Name) and node.ctx != "load":
        raise TemplateFault("a template cannot set names")
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        raise TemplateFault(f'"{node.attr[:60]}" begins with an underscore, which is not allowed', node.attr)
    if isinstance(node, nodes.Name) and node.name.startswith("_"):
        raise TemplateFault(f'"{node.name[:60]}" begins with an underscore, which is not allowed', node.name)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and str(node.arg.value).startswith("_"):
        word = str(node.arg.value)
        raise TemplateFault(f'"{word[:60]}" begins with an underscore, which is not allowed', word)
    if isinstance(node, nodes.Filter) and node.name not in _FOR_PROMPTS.filters:
        raise TemplateFault(_unknown("filter", node.name, _FOR_PROMPTS.filters), node.name)
    if isinstance(node, nodes.Test) and node.name not in _FOR_PROMPTS.tests:
        raise TemplateFault(_unknown("test", node.name, _FOR_PROMPTS.tests), node.name)


def _length(node: nodes.Node, work: list[Form]) -> Form:
    """Return how long the text of a node may be; add to `work` what is handled to make it."""
    if isinstance(node, nodes.Name):
        return {node.name: 1}
    if isinstance(node, nodes.Const | nodes.TemplateData):
        return {"": len(str(node.value if isinstance(node, nodes.Const) else node.data))}
    inner = [_length(child, work) for child in node.iter_child_nodes()]
    if isinstance(node, nodes.Filter):
        work.append(total(inner[:1], _FILTER_WORK))
        return _filtered(node, inner)
    length = total(inner)
    if isinstance(node, nodes.Concat | nodes.Add | nodes.Compare):
        work.append(length)
    return {"": 5} if isinstance(node, nodes.Compare | nodes.Test | nodes.Not) else length  # true or false


def _filtered(node: nodes.Filter, inner: list[Form]) -> Form:
    constants = [child.value for child in node.args if isinstance(child, nodes.Const)]
    if node.name == "truncate" and (not node.args or (constants and isinstance(constants[0], int))):
        return {"": max(0, constants[0]) if constants else 255}
    if node.name == "length":
        return {"": 20}
    if node.name in {"abs", "float", "int", "round"}:
        return total([*inner, {"": 24}])
    if node.name == "join" and node.args:
        return total(inner[:1], 1 + len(str(constants[0]))) if constants else {"": MAX_TEXT}
    if node.name == "replace":
        if len(constants) < 2:
            return {"": MAX_TEXT}
        old, new = (max(1, len(str(constant))) for constant in constants[:2])
        return total(inner[:1], -(-new // old))
    return total(inner)


def _unknown(kind: str, name: str, known: Mapping[str, Any]) -> str:
    return f'there is no {kind} "{name[:60]}"{did_you_mean(name, known) or f"; there are {listed(known)}"}'


def _simple(source: str) -> tuple[str | _Variable, ...] | None:
    """Return text and names in turn when there is nothing else.

    Most templates are such, and a manifest may have ten thousand of them: this is twenty times faster than a compiler.
    """
    pieces = _NAME.split(source)
    texts, names = pieces[::2], pieces[1::2]
    plain = not any(opener in text for text in texts for opener in _OPENERS) and "\r" not in source
    if (
        not plain
        or len(pieces) > MAX_NODES
        or any(text.endswith("{") for text in texts)
        or not JINJA_WORDS.isdisjoint(names)
    ):
        return None
    return tuple(_Variable(piece) if index % 2 else piece for index, piece in enumerate(pieces))
