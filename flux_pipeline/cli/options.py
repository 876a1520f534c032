"""Flags that several commands share. Each can be set by an environment variable: --max-cost by FLUX_PIPELINE_MAX_COST."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from flux_pipeline.cli import voice
from flux_pipeline.errors import FluxError, UsageError

F = TypeVar("F", bound=Callable[..., Any])


def flag(*names: str, **settings: Any) -> Callable[[F], F]:
    """Return an option that its environment variable can set too."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    settings.setdefault("envvar", "FLUX_PIPELINE_" + long.removeprefix("--").replace("-", "_").upper())
    return click.option(*names, **settings)


class Parsed(click.ParamType[Any]):
    """A value read by one of the manifest's own parsers, so that a flag and `run:` understand the same words."""

    def __init__(self, name: str, parse: str) -> None:
        """Name a function of `manifest.settings`; it is imported when a value has to be read."""
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        from flux_pipeline.manifest import settings

        try:
            return getattr(settings, self._parse)(value)
        except UsageError as error:
            raise click.BadParameter(str(error), ctx, param) from error


class Shard(click.ParamType[Any]):
    """`I/N`: the I-th of N equal parts."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        first, slash, second = value.partition("/")
        if slash and first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second):
            return int(first), int(second)
        raise click.BadParameter(f"{value!r} is not a part: write 1/4 for the first of four", ctx, param)


class _Lockfile(click.Path):
    """A lockfile's path: it has a name, which leaves room for those of the files that stand beside it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        name, what = Path(value).name, ""
        try:
            Path(value).parent.is_dir()
        except OSError as error:
            what = error.strerror or "no path of a file"
        if not name or len(os.fsencode(name)) > _LONGEST_LOCKFILE:
            what = "its name is too long" if name else "it has no name"
        if what:
            self.fail(f"{str(value)!r}: {what}; name a lockfile such as manifests/catalog.lock", param, ctx)
        return super().convert(value, param, ctx)


_LONGEST_LOCKFILE = 240  # bytes, of the 255 that most disks allow
PATH = click.Path(path_type=Path)
LOCKFILE = _Lockfile(path_type=Path)
_MOST_IDS = 200
manifests = click.argument("manifests", metavar="MANIFEST...", nargs=-1, required=True, type=PATH)
lockfile = flag("--lockfile", type=LOCKFILE, help="Use this lockfile instead of the one beside the manifest.")
as_json = flag("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
simulate = flag("--simulate", is_flag=True, help="Rehearse against a local simulator: no account, no cost.")
output_dir = flag(
    "--output-dir", type=PATH, default=Path(), help="Put pictures below this directory.", show_default=False
)
max_cells = flag(
    "--max-cells", type=click.IntRange(min=1), metavar="N", help="Refuse a manifest with more cells than this."
)


def _ids(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the ids of cells that a shell may complete to; none where no manifest can tell.

    The manifests are looked for in the shell's own words: click knows no arguments yet while a flag lacks its value.
    """
    from contextlib import redirect_stderr
    from io import StringIO

    from flux_pipeline.cli import project

    try:
        words = shlex.split(os.environ.get("COMP_WORDS", ""))
        manifests = [Path(word) for word in words if word.endswith((".yaml", ".yml"))]
        with redirect_stderr(StringIO()):
            cells = project.load(manifests).cells
    except (FluxError, OSError, ValueError):
        return []
    return [cell.id for cell in cells if cell.id.startswith(incomplete)][:_MOST_IDS]


select = flag(
    "--select",
    multiple=True,
    metavar="GLOB",
    help="Only cells whose id matches; may be repeated.",
    shell_complete=_ids,
)
limit = flag("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N cells.")
shard = flag("--shard", type=Shard(), help="Only the I-th of N parts of the renders.")
strict = flag("--strict", is_flag=True, help="Take every warning for an error.")
grace = flag(
    "--grace",
    type=Parsed("duration", "parse_duration"),
    help="How long an unclear submission may still arrive; 120s unless said.",
)


def _use_color(_ctx: click.Context, _param: click.Parameter, value: str) -> None:
    voice.use_color(value)


def _use_format(_ctx: click.Context, _param: click.Parameter, value: str) -> None:
    voice.use_format(value)


color = flag(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    expose_value=False,
    callback=_use_color,
    help="Colour: in a terminal unless NO_COLOR says otherwise, always, or never.",
)
log_format = flag(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    expose_value=False,
    callback=_use_format,
    help="What is said on stderr: in words, or as JSON Lines.",
)


def together(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Apply several options, the first of them shown first."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def is_json(as_json: bool, form: str | None) -> bool:
    """Say whether a JSON document is wanted; what the environment says gives way to what is typed.

    Raises:
        click.UsageError: --json is typed beside a --format that says something else.
    """
    context = click.get_current_context()
    typed = [name for name in ("as_json", "form") if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if len(typed) == 2 and as_json and form != "json":
        raise click.UsageError(f"--json and --format {form} exclude each other")
    wanted = form == "json" or (as_json and typed != ["form"])
    if not wanted:
        voice.owe_nothing()
    return wanted


output_style = together(as_json, color)  # every command takes these
scope = together(manifests, select, limit, shard, max_cells, lockfile, output_dir, simulate, output_style)


def written(name: str, scope: Mapping[str, Any]) -> str:
    """Return a command on the same pictures, as it is written in a shell."""
    words = ["flux-pipeline", name, *map(str, scope["manifests"])]
    for glob in scope["select"]:
        words += ["--select", glob]
    places = {"--max-cells": scope["max_cells"], "--lockfile": scope["lockfile"], "--output-dir": scope["output_dir"]}
    for long, value in places.items():
        if value not in (None, Path()):
            words += [long, str(value)]
    return shlex.join([*words, *(["--simulate"] if scope["simulate"] else [])])
