"""`plan`: what `run` would do, and what it would cost."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flux_pipeline.cli import options, voice
from flux_pipeline.cli.output import Outlet

if TYPE_CHECKING:
    from flux_pipeline.cli.drift import Drift


_BEGINNING = re.compile(rb'\s*\{\s*"steps"\s*:\s*\[\s*(?:\{\s*"key"\s*:|\]\s*,\s*"counts"\s*:)')
PLAN = Outlet(
    flag="-o",
    what="frozen plan",
    example="plan.json",
    is_ours=lambda head: _BEGINNING.match(head) is not None,
    streams=True,
)


@click.command()
@options.scope
@options.strict
@options.flag("-o", "--output", "frozen", type=options.PATH, envvar=None, help="Freeze the plan for `run --plan`.")
def command(as_json: bool, frozen: Path | None, strict: bool, **scope: Any) -> None:
    """Show what `run` would do with MANIFEST, render by render, and what it would cost.

    With WIRO_API_KEY set, or in a rehearsal, the schemas and prices in use are compared with what the service says;
    --strict refuses where they differ, as it does where the manifest gives a warning.
    """
    import os

    import orjson

    from flux_pipeline.cli import project
    from flux_pipeline.report import documents, text

    if frozen is not None:
        PLAN.make_sure(frozen)
    work = project.load(**scope, strict=strict)
    history = work.history()
    plan, saving = work.plan(history), work.saving(work.derivations(history))
    notes = work.notes()
    found: tuple[Drift, ...] = ()
    if work.simulate or os.environ.get("WIRO_API_KEY"):  # else nobody is asked, and no HTTP client needed
        from flux_pipeline.cli.drift import drifted

        found = drifted(work, strict=strict)
    if frozen is not None:
        PLAN.put(frozen, [orjson.dumps(documents.planned(plan, saving, notes), option=orjson.OPT_INDENT_2), b"\n"])
    if as_json:
        listed = [{"model": one.model, **asdict(one.difference)} for one in found]
        project.print_document(documents.planned(plan, saving, notes) | ({"drift": listed} if listed else {}))
    else:
        project.print_lines(text.planned(plan, saving))
    for note in notes:
        voice.echo(f"note: {note}", err=True)
