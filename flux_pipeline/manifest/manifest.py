"""A manifest as values: what the file says, once it is known to be sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flux_pipeline.ledger.keys import Json
from flux_pipeline.manifest.settings import RunSettings

DEFAULT_MODEL = "black-forest-labs/flux-2-pro-t2i"
DEFAULT_MAX_CELLS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A named list of values, in the order written; as written where it is a `range` or a `count`."""

    name: str
    values: tuple[Json, ...] | Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A prompt template and a matrix. `prompt` is None where the prompt comes from an axis, a row or `params`.

    `foreach` is the path of a file, or the rows themselves, or None.
    """

    id: str
    prompt: str | None
    vars: Mapping[str, Json]
    params: Mapping[str, Json]
    matrix: tuple[Axis, ...]
    run: RunSettings
    foreach: str | tuple[Mapping[str, Json], ...] | None = None
    exclude: tuple[Mapping[str, Json], ...] = ()
    include: tuple[Mapping[str, Json], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One manifest file. `output` is None where every picture goes to its default path."""

    file: str
    version: int
    model: str
    params: Mapping[str, Json]
    vars: Mapping[str, Json]
    output: str | None
    run: RunSettings
    entries: tuple[Entry, ...]
    presets: Mapping[str, str] = field(default_factory=dict)
