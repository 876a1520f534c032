"""`schema`: the JSON schemas, for editors and other programs; and `schema pull`, which makes one of a model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flux_pipeline.cli import options, voice
from flux_pipeline.cli.output import Outlet

if TYPE_CHECKING:
    from flux_pipeline.wiro.offer import Offer

_PRINT = "print"
_OUTLET = Outlet(
    flag="-o",
    what="schema",
    example="model.schema.json",
    is_ours=lambda _: True,  # --force replaces what a merge has damaged, too
    makes_folders=True,
)


class _Schema(click.Group):
    """A group whose own argument is a name: `schema NAME` prints it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take everything that is no command of the group for arguments of the one that prints."""
        named = args[:1] and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else [_PRINT, *args])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Show both ways to call it."""
        return ["[NAME | pull OWNER/MODEL]", *super().collect_usage_pieces(ctx)[:1]]


@click.group(cls=_Schema)
def command() -> None:
    """Print a schema: `manifest`, `lockfile`, or a model such as black-forest-labs/flux-2-pro-t2i.

    `schema pull OWNER/MODEL` writes the schema of another model, as the service describes it.
    """


@command.command(_PRINT, hidden=True)
@click.argument("name", default="manifest")
@options.lockfile
@options.output_style
def show(name: str, lockfile: Path | None, as_json: bool) -> None:  # noqa: ARG001 -- every command takes both; a schema is JSON anyway
    """Print a schema: `manifest`, `lockfile`, or a model such as black-forest-labs/flux-2-pro-t2i."""
    from flux_pipeline.manifest.schema import Schemas

    voice.echo(Schemas((Path("schemas"),)).text(name), lines=True)


@command.command()
@click.argument("model", metavar="OWNER/MODEL")
@options.flag("-o", "--output", "output", type=options.PATH, envvar=None, help="Write this file instead.")
@options.flag("--force", is_flag=True, envvar=None, help="Replace a schema that says something else.")
@options.simulate
@options.lockfile
@options.output_style
def pull(model: str, output: Path | None, force: bool, simulate: bool, lockfile: Path | None, as_json: bool) -> None:  # noqa: ARG001 -- every command takes --lockfile
    """Write the schema of a model, as the service describes it now, to schemas/models/OWNER/MODEL.schema.json.

    Only models that make pictures from text. A schema that is there already is replaced only with --force.
    """
    from flux_pipeline.cli.project import print_document
    from flux_pipeline.errors import UsageError
    from flux_pipeline.manifest.schema import ModelSchema, Schemas
    from flux_pipeline.report.controls import plain
    from flux_pipeline.wiro.model_document import document

    if not Schemas.is_model_name(model):
        raise UsageError(f"{model!r} names no model: write OWNER/MODEL as on the model's page")
    file = output or Path("schemas") / "models" / f"{model}.schema.json"
    _OUTLET.make_sure(file)
    offer = _offer(model, simulate=simulate)
    made = {name: value for name, value in document(offer).items() if value is not None}
    if simulate:
        made.pop("price", None)  # a rehearsal's price is made up, and must not pass for the real one
    ModelSchema(model, made, f"what the service says of {model}")
    for missing in (
        []
        if "price" in made
        else ["a rehearsal's prices are made up" if simulate else offer.flaw or "the service tells no price list"]
    ):
        voice.echo(f"note: {missing}: the price of {model} stays unknown", err=True)
    old = _existing(file)
    changes = [] if old is None else _changes(old, made)
    for change in changes:
        voice.echo(f"{file}: {plain(change)}", err=True)
    if changes and not force:
        raise UsageError(f"{file} says something else (above), and was left alone; --force replaces it")
    kept = old is not None and not changes
    if not kept:
        _OUTLET.put(file, [json.dumps(made, indent=2, ensure_ascii=False).encode() + b"\n"])
    if as_json:
        print_document({"model": model, "file": str(file), "written": not kept, "changes": changes})
    else:
        voice.echo(f"{file} says the same already" if kept else f"{file}")


def _offer(model: str, *, simulate: bool) -> Offer:
    from flux_pipeline.cli.prices import ask
    from flux_pipeline.cli.service import opened, refusal
    from flux_pipeline.errors import UsageError
    from flux_pipeline.report.controls import plain
    from flux_pipeline.wiro.auth import Credentials
    from flux_pipeline.wiro.client import endpoint
    from flux_pipeline.wiro.offer import NotOffered
    from flux_pipeline.wiro.outcomes import Unread

    credentials = None if simulate else Credentials.from_environment(os.environ)
    with opened(endpoint(os.environ), credentials, remember=False) as access:
        told = ask(access, [model])[model]
    if isinstance(told, NotOffered):
        raise UsageError(f"the service does not offer {model} ({plain(told.reason)}): copy the name from its page")
    if isinstance(told, Unread):
        raise refusal(told, f"{model} cannot be read from the service")
    return told


def _existing(file: Path) -> Mapping[str, Any] | None:
    """Return the schema that is there, empty where it is none, None where there is no file."""
    from flux_pipeline.errors import UsageError

    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        return {}
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; name another file with -o") from error
    return found if isinstance(found, dict) else {}


def _changes(old: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    """Say what a replacement would change, in what counts first."""
    from flux_pipeline.manifest.drift import compare

    if old == made:
        return []
    found = [one.message for one in compare(old, made, complete=True)]
    return found or ["its words differ; parameters and price do not"]
