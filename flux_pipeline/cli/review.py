"""`review`: look at the pictures in a browser, and decide on them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from flux_pipeline.cli import options, voice
from flux_pipeline.cli.signals import Stopped

if TYPE_CHECKING:
    from flux_pipeline.cli.desk import Bench


@click.command()
@options.scope
@options.flag("--port", type=click.IntRange(0, 65535), default=0, help="Which port; a free one by default.")
def command(as_json: bool, port: int, **scope: Any) -> int:
    """Serve the pictures of MANIFEST on loopback, to approve, reject or pick, until interrupted.

    Decisions go into the lockfile at once, with your name from git. Keys: a approves, r rejects, p picks one of those that
    differ only in their seed, u takes back. `promote` copies what is approved.
    """
    from flux_pipeline.cli import project
    from flux_pipeline.cli.desk import Bench, reviewer
    from flux_pipeline.errors import UsageError
    from flux_pipeline.files.checker import Checker
    from flux_pipeline.review.server import Reviewer

    work = project.load(**scope)
    work.history()  # a damaged lockfile is said at once
    who = reviewer()
    with Checker() as checker:
        bench = Bench(scope, who, checker)
        try:
            server = Reviewer(bench, port)
        except OSError as error:
            raise UsageError(f"--port {port}: {error.strerror}; name another, or none for a free one") from error
        bench.token = server.token
        code = 0
        with server:
            try:
                _invite(server.url, who, as_json=as_json)
                server.serve_forever()
            except KeyboardInterrupt as stop:
                code = Stopped.code(stop)
            finally:
                server.writing.acquire(timeout=5)  # what is being written is written; nothing more is begun
        for line in _ended(bench, scope):
            voice.echo(line, err=True)
    return code


def _invite(url: str, who: str, *, as_json: bool) -> None:
    from flux_pipeline.cli import project

    if as_json:
        project.print_document({"url": url, "reviewer": who})
    else:
        voice.echo(url)
        voice.echo(f"reviewing as {who}; open the address above, and end with Ctrl-C", err=True)
    sys.stdout.flush()


def _ended(bench: Bench, scope: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the review has come to, and what to do next."""
    from flux_pipeline.errors import FluxError
    from flux_pipeline.report.controls import plain
    from flux_pipeline.review.standing import counted

    try:
        counts = counted(bench.standings())
    except FluxError as error:
        yield plain(f"the review has ended, and what was decided is in the lockfile; {error}")
        return
    again = f", {counts['void']} to look at again" if counts["void"] else ""
    words = ", ".join(f"{counts[state]} {state}" for state in ("approved", "rejected"))
    yield f"the review has ended: {words}{again}, {counts['none']} undecided"
    if counts["approved"]:
        yield plain(f"next: {options.written('promote', scope)} --to DIR")
    else:
        yield plain(f"nothing is approved yet: {options.written('review', scope)} goes on")
