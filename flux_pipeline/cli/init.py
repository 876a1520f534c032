"""`init`: a first manifest that runs, and the folders around it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import click

from flux_pipeline.cli import options, voice

_MANIFEST = """\
# yaml-language-server: $schema={schema}
#
#   flux-pipeline validate {name}          every mistake at once, each with its line
#   flux-pipeline plan {name}              the pictures, and what they would cost
#   flux-pipeline run {name} --simulate    a rehearsal: no account, no cost
#   flux-pipeline run {name}               the real thing; running it again pays for nothing twice
version: 1
model: black-forest-labs/flux-2-pro-t2i

# For templates: {{{{ brand }}}} below. An entry may have vars of its own.
vars:
  brand: Aurora

# Where each picture goes. Every axis can be named here, and entry, ext, width, height, seed and key.
output: "outputs/{{{{ entry }}}}/{{{{ color }}}}-{{{{ seed }}}}-{{{{ size }}}}.{{{{ ext }}}}"

run:
  rate: 5/s         # submissions
  concurrency: 10   # tasks at work at the same time
  max_cost: 1.00    # dollars; nothing is submitted that would pass it

entries:
  # 2 colours × 2 seeds × 1 size = 4 pictures. seed, size and format set what the model takes;
  # any other axis, such as color, is a variable for the prompt.
  - id: mug
    prompt: A {{{{ color }}}} mug by {{{{ brand }}}} on a wooden table, soft morning light
    matrix:
      color: [red, teal]
      seed: [1, 2]
      size: [1024x1024]
"""
_LINES = {
    ".gitattributes": (
        "# A lockfile is a set of facts: the union of two branches is the truth of both.",
        "{folder}*.lock merge=union -text",
    ),
    ".gitignore": (".flux-pipeline/", "*.simulated.lock", "*.lock.held", "*.lock.ballast", "*.lock.torn-*"),
}


@click.command()
@click.argument("manifest", type=options.PATH, default=Path("manifests/catalog.yaml"))
@options.lockfile
@options.output_style
def command(manifest: Path, lockfile: Path | None, as_json: bool) -> None:  # noqa: ARG001 -- every command takes --lockfile
    """Write a first MANIFEST that runs as it is, manifests/catalog.yaml unless named, and the folders around it.

    Nothing is asked, and nothing that exists is replaced. The manifest's schema is put beside it for editors.
    """
    from flux_pipeline.cli import project
    from flux_pipeline.errors import UsageError

    if manifest.suffix not in (".yaml", ".yml"):
        raise UsageError(f"{manifest}: a manifest's name ends with .yaml, such as manifests/catalog.yaml")
    try:
        if manifest.exists():
            raise UsageError(f"{manifest} exists already, and was left as it is; name another file")
        made = [str(path) for path in _write(manifest)]
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}; begin in a folder that can be written") from error
    if as_json:
        project.print_document({"manifest": str(manifest), "written": made})
        return
    for name in made:
        voice.echo(f"wrote {name}")
    voice.echo(f"next: flux-pipeline run {manifest} --simulate", err=True)


def _write(manifest: Path) -> Iterator[Path]:
    """Write what is missing, and yield the path of each file that was written or got lines more."""
    from flux_pipeline.manifest.schema import Schemas

    schema = Path("schemas/manifest.schema.json")
    if not schema.exists():
        schema.parent.mkdir(parents=True, exist_ok=True)
        schema.write_text(Schemas().text("manifest"))
        yield schema
    manifest.parent.mkdir(parents=True, exist_ok=True)
    with manifest.open("x") as file:
        file.write(_MANIFEST.format(schema=_way(manifest.parent, schema), name=manifest))
    yield manifest
    kept = Path("outputs/.gitkeep")
    if not kept.parent.exists():
        kept.parent.mkdir()
        kept.touch()
        yield kept
    folder = "" if manifest.is_absolute() or manifest.parent == Path() else f"{manifest.parent.as_posix()}/"
    for name, lines in _LINES.items():
        if _add(Path(name), [line.format(folder=folder) for line in lines]):
            yield Path(name)


def _way(folder: Path, target: Path) -> str:
    """Return the path to a file as seen from a folder, which is how editors read it."""
    return Path(os.path.relpath(target.absolute(), folder.absolute())).as_posix()


def _add(file: Path, lines: list[str]) -> bool:
    """Add the lines that a file does not have yet; say whether there were any."""
    if file.exists() and not file.is_file():  # a pipe would be waited for
        raise FileExistsError(errno.EEXIST, "it is there and no file; move it away", str(file))
    there = file.read_bytes() if file.exists() else b""  # in whatever encoding its owner has chosen
    missing = [line.encode() for line in lines if line.encode() not in there.splitlines()]
    if missing:
        end = b"" if not there or there.endswith(b"\n") else b"\n"
        with file.open("ab") as more:
            more.write(end + b"\n".join(missing) + b"\n")
    return bool(missing)
