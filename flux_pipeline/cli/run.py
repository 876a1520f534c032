"""`run`: carry the plan out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flux_pipeline.cli import options, voice
from flux_pipeline.cli.signals import Stopped
from flux_pipeline.errors import FluxError

if TYPE_CHECKING:
    from flux_pipeline.cli.project import Project
    from flux_pipeline.run.jobs import Policy


class _Begun(click.Command):
    """A command whose JUnit file is begun before its flags are looked at: their mistakes end the run too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Begin the file that is named, last on the command line or else in the environment."""
        if not ctx.resilient_parsing and not {*ctx.help_option_names} & {*args}:
            named = [word.partition("=")[2] if "=" in word else following for word, following in _junit(args)]
            file = named[-1] if named else os.environ.get("FLUX_PIPELINE_JUNIT") or None
            if file is not None:
                from flux_pipeline.cli.reports import begin_junit

                begin_junit(Path(file))
        return super().parse_args(ctx, args)


def _junit(args: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each --junit with the word that follows; one without its file is click's to complain of."""
    for word, following in zip_longest(args, args[1:]):
        if word.startswith("--junit=") or (word == "--junit" and following is not None):
            yield word, following or ""


@click.command(cls=_Begun)
@options.scope
@options.strict
@options.flag("--rate", type=options.Parsed("rate", "parse_rate"), help="Submissions per time; 5/s unless said.")
@options.flag(
    "--concurrency", type=click.IntRange(min=1), metavar="N", help="Active tasks at any time; 10 unless said."
)
@options.flag(
    "--max-cost", type=options.Parsed("dollars", "parse_money"), help="Stop before this many dollars are passed."
)
@options.flag(
    "--retries",
    type=click.IntRange(min=0),
    metavar="N",
    help="Further tries of a render whose task failed; 1 unless said.",
)
@options.flag("--timeout", type=options.Parsed("duration", "parse_timeout"), help="Stop after this time, such as 30m.")
@options.grace
@options.flag("--fail-fast", is_flag=True, help="Submit nothing more after the first failure.")
@options.flag("--submit-only", is_flag=True, help="Submit, and leave following to a later run.")
@options.flag("--collect-only", is_flag=True, help="Follow and fetch what was submitted before; submit nothing.")
@options.flag("--resubmit-doubtful", is_flag=True, help="Submit what stays unclear again; it may be paid for twice.")
@options.flag("--rerender-expired", is_flag=True, help="Pay again for pictures that the service no longer has.")
@options.flag("--plan", "frozen", type=options.PATH, help="Carry out exactly this frozen plan, or refuse.")
@options.flag("--junit", type=options.PATH, help="Write this file: the run as JUnit XML, however it ends.")
@options.flag("--no-progress", is_flag=True, help="Show no progress.")
@options.log_format
@click.option("-v", "--verbose", count=True, help="Say more.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong.")
def command(
    as_json: bool, frozen: Path | None, junit: Path | None, no_progress: bool, verbose: int, quiet: bool, **given: Any
) -> int:
    """Make every picture of MANIFEST, or go on where a run stopped.

    Nothing that was paid for is paid for again: a run follows the tasks that the lockfile names before it submits.
    """
    from flux_pipeline.cli.reports import Reports

    if given["submit_only"] and given["collect_only"]:
        raise click.UsageError("--submit-only and --collect-only exclude each other")
    scope = ("manifests", "select", "limit", "shard", "max_cells", "lockfile", "output_dir", "simulate", "strict")
    voice.log(verbose)
    reports = Reports(" ".join(map(str, given["manifests"])), junit)
    try:
        from flux_pipeline.cli import ending, project, session
        from flux_pipeline.report import documents
        from flux_pipeline.run.outcome import SIGNALS

        work = project.load(**{name: given.pop(name) for name in scope})
        show = session.Show(progress=not (no_progress or quiet), quiet=quiet)
        ended = session.carry_out(work, policy(work, given), show, frozen)
    except FluxError as error:
        reports.broke(str(error), error.exit_code)
        raise
    except KeyboardInterrupt as stop:
        reports.broke("interrupted: run it again to resume", Stopped.code(stop))
        raise
    outcome = ended.outcome
    table = ending.table(work, ended)
    again = f"{outcome.stopped}; run it again to resume" if outcome.exit_code in SIGNALS else outcome.stopped
    reports.ended(work, replace(outcome, stopped=again), ended.history, table)  # first: a closed pipe ends the program
    if as_json:
        project.print_document(documents.ran(outcome, work.origin, len(work.cells), ended.history))
    ending.tell(work, ended, table, quiet=quiet)
    return outcome.exit_code


def policy(work: Project, given: dict[str, Any]) -> Policy:
    """Return what the user allows: a flag or its environment variable, else the manifest's `run:`, else the default."""
    from flux_pipeline.run.jobs import Policy

    said = work.settings
    limits: dict[str, Decimal | float | int] = {}
    for name in ("rate", "concurrency", "max_cost", "retries", "timeout", "grace"):
        value = given.get(name) if given.get(name) is not None else getattr(said, name)
        if value is not None:
            limits[name] = value
    return Policy(
        **limits,  # type: ignore[arg-type] # each has the type of the field that it is named after
        fail_fast=given["fail_fast"],
        submit=not given["collect_only"],
        follow=not given["submit_only"],
        resubmit_doubtful=given["resubmit_doubtful"],
        rerender_expired=given["rerender_expired"],
    )
