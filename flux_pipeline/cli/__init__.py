"""The command line, and the only place that prints, exits and knows every room.

Start-up time is a promise: this module imports click and nothing heavier, and a command imports its rooms when it runs.
"""

from __future__ import annotations

import errno
import importlib
import io
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from flux_pipeline import __version__
from flux_pipeline.cli import signals, streams, voice
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
_UNFINISHED = 6
_FULL = (errno.ENOSPC, errno.EDQUOT)


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
    streams.begin()
    signals.listen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character must not end a command
    code = _run(arguments)
    if code in _STOPPED:
        signals.deaden()
    streams.end()
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    if asked := os.environ.get(COMPLETE):
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, PROGRAM, COMPLETE, asked)
    words = list(sys.argv[1:] if arguments is None else arguments)
    voice.begin(words)
    try:
        code = _carry_out(words)
        sys.stdout.flush()
    except BrokenPipeError:
        return _BROKEN_PIPE
    except Exception as error:
        if os.environ.get("FLUX_PIPELINE_DEBUG"):
            raise
        return _say([_in_words(error)], _UNFINISHED)
    return code


def _carry_out(words: list[str]) -> int:
    """Do what the command line says, and say what it did wrong."""
    try:
        # Not click's own `main`: it turns a closed pipe into exit 1.
        with cli.make_context(PROGRAM, words.copy()) as context:
            code = cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except FluxError as error:
        return _say(error.lines, error.exit_code)
    except click.ClickException as error:
        return _say_misuse(error)
    except (KeyboardInterrupt, click.Abort) as stop:
        again = "; run the same command again: it resumes" if words[:1] == ["run"] else ""
        return _say([f"interrupted{again}"], signals.Stopped.code(stop))
    return code if isinstance(code, int) else 0


def _in_words(error: Exception) -> str:
    """Return what to say of an error that no room has foreseen: a disk that is full is no mistake of the program."""
    if isinstance(error, OSError):
        if streams.is_of_printing(error):
            return (
                f"the output could not be written: {error.strerror}; "
                "make room, or send it elsewhere, and run the same command again"
            )
        if error.errno in _FULL:
            where = error.filename or "a file"
            return f"{where} could not be written: {error.strerror}; make room, and run the same command again"
    what = f"{type(error).__name__}: {error}"
    return f"internal error: {what}; please report it. FLUX_PIPELINE_DEBUG=1 shows where"


def _say(lines: Sequence[str], code: int) -> int:
    with suppress(OSError):  # where nobody can hear it, the exit code has to do
        voice.say(lines, head=PROGRAM, level="error", event="error", exit_code=code)
    _tell_programs("\n".join(lines), code)  # last: it is told to people even where stdout takes nothing
    return code


def _say_misuse(error: click.ClickException) -> int:
    """Say it in the words and on the lines of click, which know the command's usage."""
    if voice.speaks_json():
        return _say([error.format_message()], error.exit_code)
    shown = io.StringIO()
    error.show(shown)
    text = shown.getvalue()
    if not isinstance(error, click.exceptions.NoArgsIsHelpError):  # what was typed may hold line ends of its own
        text = text.replace(error.message, " ".join(error.message.split("\n")))
    with suppress(OSError):
        voice.echo(text, err=True, lines=True)
    _tell_programs(error.format_message(), error.exit_code)
    return error.exit_code


def _tell_programs(message: str, code: int) -> None:
    if not voice.owes_document():
        return
    try:
        voice.document(json.dumps({"error": message, "exit_code": code}).encode())
    except OSError:  # the exit code says what is wrong, also where stdout takes nothing
        streams.let_go(sys.stdout)
