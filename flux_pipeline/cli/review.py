"""`review`: look at the pictures in a browser, and decide on them."""

from __future__ import annotations

import sys
from typing import Any

import click

from flux_pipeline.cli import options


@click.command()
@options.scope
@options.flag("--port", type=click.IntRange(0, 65535), default=0, help="Which port; a free one by default.")
def command(as_json: bool, port: int, **scope: Any) -> None:
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
        with server:
            if as_json:
                project.print_document({"url": server.url, "reviewer": who})
            else:
                click.echo(server.url)
                click.echo(f"reviewing as {who}; open the address above, and end with Ctrl-C", err=True)
            sys.stdout.flush()
            try:
                server.serve_forever()
            finally:
                server.writing.acquire(timeout=5)  # what is being written is written; nothing more is begun
