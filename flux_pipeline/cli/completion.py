"""`completion`: what a shell needs to complete commands, flags and the ids of cells."""

from __future__ import annotations

from pathlib import Path

import click

from flux_pipeline.cli import options

_SHELLS = ("bash", "zsh", "fish")


_HELP = """Print the completion script of SHELL: bash, zsh or fish.

\b
bash: eval "$(flux-pipeline completion bash)"          in ~/.bashrc
zsh:  eval "$(flux-pipeline completion zsh)"           in ~/.zshrc
fish: flux-pipeline completion fish | source           in ~/.config/fish/config.fish
"""


@click.command(help=_HELP)
@click.argument("shell", type=click.Choice(_SHELLS))
@options.lockfile
@options.output_style
def command(shell: str, lockfile: Path | None, as_json: bool) -> None:  # noqa: ARG001 -- every command takes both
    from click.shell_completion import get_completion_class

    from flux_pipeline.cli import COMPLETE, PROGRAM, cli

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(cli, {}, PROGRAM, COMPLETE).source())
