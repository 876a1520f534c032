"""`simulator`: a local server that speaks the Wiro API."""

from __future__ import annotations

import contextlib
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flux_pipeline.cli import options, voice

if TYPE_CHECKING:
    from flux_pipeline.simulator.faults import Faults


@click.command()
@options.flag("--host", default="127.0.0.1", show_default=True, help="Where to listen; loopback only.")
@options.flag("--port", type=click.IntRange(0, 65535), default=0, help="Which port; a free one by default.")
@options.flag("--db", type=options.PATH, help="Keep tasks in this SQLite file; in memory by default.")
@options.flag("--balance", type=options.Parsed("dollars", "parse_money"), default="50", help="Dollars on the account.")
@options.flag("--price", type=options.Parsed("dollars", "parse_money"), help="What a picture costs; 0.03 unless said.")
@options.flag(
    "--charge", type=options.Parsed("dollars", "parse_money"), help="What it really costs, where that is another price."
)
@options.flag("--speed", type=click.FloatRange(min=0, min_open=True), default=1.0, help="How much faster than life.")
@options.flag("--faults", type=options.PATH, help="A YAML file of faults to show on demand.")
@options.lockfile
@options.output_style
def command(
    host: str,
    port: int,
    db: Path | None,
    balance: Decimal,
    price: Decimal | None,
    charge: Decimal | None,
    speed: float,
    faults: Path | None,
    lockfile: Path | None,  # noqa: ARG001 -- every command takes --lockfile
    as_json: bool,
) -> None:
    """Serve the Wiro API on loopback until interrupted, with real pictures and a ledger of what was charged.

    A file of faults is such as `faults: [{on: run, what: lost_answer, nth: [2]}]`; a wrong one shows the names that there are.
    Any key is accepted; with WIRO_API_KEY set only that one, and with WIRO_API_SECRET requests have to be signed.
    """
    import asyncio  # late: --help looks at every command, and this would be a quarter of its time

    from flux_pipeline.simulator.models import PRICE
    from flux_pipeline.simulator.server import Settings, Simulator, serve

    settings = Settings(
        api_key=os.environ.get("WIRO_API_KEY") or None,
        api_secret=os.environ.get("WIRO_API_SECRET") or None,
        balance=balance,
        price=PRICE if price is None else price,
        charge=charge,
        speed=speed,
        faults=None if faults is None else _faults(faults),
    )

    def ready(url: str) -> None:
        if as_json:
            from flux_pipeline.cli.project import print_document

            print_document({"base_url": url})
        else:
            voice.echo(f"WIRO_API_BASE_URL={url}")
        sys.stdout.flush()

    with contextlib.closing(Simulator(settings, db)) as simulator:
        asyncio.run(serve(simulator, host, port, ready))


def _faults(path: Path) -> Faults:
    from flux_pipeline.cli.sources import read_source
    from flux_pipeline.errors import ManifestError, UsageError
    from flux_pipeline.manifest.yaml_text import parse
    from flux_pipeline.simulator.faults import Faults

    document = parse(read_source(path), file=str(path))
    if document.problems:
        raise ManifestError(tuple(document.problems))
    try:
        return Faults.from_data(document.data)
    except UsageError as error:
        first, *others = error.lines
        raise UsageError(f"{path}: {first}", *others) from error
