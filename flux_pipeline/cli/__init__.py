"""The command line, and the only place that prints, exits and knows every room.

Start-up time is a promise: this module imports click and nothing heavier, and a command imports its rooms when it runs.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
from collections.abc import Sequence

import click

from flux_pipeline import __version__
from flux_pipeline.cli import signals, voice
from flux_pipeline.errors import FluxError

_COMMANDS = (
    *("run", "plan", "validate", "expand", "status"),
    *("cancel", "adopt", "audit", "verify", "prune", "merge"),
    *("gallery", "compare", "review", "promote"),
    *("init", "schema", "simulator", "completion"),
)
PROGRAM = "flux-pipeline"
COMPLETE = "_FLUX_PIPELINE_COMPLETE"  # the environment variable by which a shell asks for completions
_STOPPED = (129, 130, 143)
_BROKEN_PIPE = 141
_INTERNAL = 6


class _Late(click.Group):
    """A group whose commands are modules of this package, imported when they are named."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"flux_pipeline.cli.{cmd_name}")
        command: click.Command = module.command
        return command


_HELP = """Pictures as part of a build: described in YAML, made through the Wiro API, paid for once.

\b
flux-pipeline run manifests/catalog.yaml --simulate    rehearse without an account
flux-pipeline run manifests/catalog.yaml               make the pictures, or go on where a run stopped
"""


@click.group(cls=_Late, help=_HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name=PROGRAM)
def cli() -> None: ...


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code that `design` promises for what happened."""
    signals.listen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character must not end a command
    code = _run(arguments)
    if code in _STOPPED:
        signals.deaden()
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    if asked := os.environ.get(COMPLETE):
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, PROGRAM, COMPLETE, asked)
    voice.begin(sys.argv[1:] if arguments is None else arguments)
    try:
        # Not click's own `main`: it turns a closed pipe into exit 1.
        with cli.make_context(PROGRAM, list(sys.argv[1:] if arguments is None else arguments)) as context:
            code = cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except FluxError as error:
        if "--json" in (sys.argv[1:] if arguments is None else arguments):
            click.echo(json.dumps({"error": str(error), "exit_code": error.exit_code}))
        return _say(f"{error}", error.exit_code)
    except click.ClickException as error:
        if voice.speaks_json():
            return _say(error.format_message(), error.exit_code)
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as stop:
        return _say("interrupted; run the same command again: it resumes", signals.Stopped.code(stop))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the flush at exit complains
        return _BROKEN_PIPE
    except Exception as error:
        if os.environ.get("FLUX_PIPELINE_DEBUG"):
            raise
        what = f"{type(error).__name__}: {error}"
        return _say(f"internal error: {what}; please report it. FLUX_PIPELINE_DEBUG=1 shows where", _INTERNAL)
    return code if isinstance(code, int) else 0


def _say(message: str, code: int) -> int:
    voice.say(message, head=PROGRAM, level="error", event="error", exit_code=code)
    return code
