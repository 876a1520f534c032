"""An entry on its way from data to cells: what of it is sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flux_pipeline.manifest.choices import Target
from flux_pipeline.manifest.derive import Wanted
from flux_pipeline.manifest.document import Path
from flux_pipeline.manifest.exclude import Exclude
from flux_pipeline.manifest.foreach import Rows
from flux_pipeline.manifest.include import Include
from flux_pipeline.manifest.matrix import Extent, Spread
from flux_pipeline.manifest.prompt import Template
from flux_pipeline.manifest.settings import RunSettings
from flux_pipeline.manifest.sizes import Sizes


@dataclass(slots=True, kw_only=True)
class Draft:
    """One entry as far as it is sound.

    `names` are all names that its templates may use, `common` those that need no axis; `lost` those of them whose value
    is unusable. `prompt` is None where it comes from axes or rows, or is unusable; `ready` tells whether there can be
    renders. `open` tells that names may be missing here through no fault of the templates, because what would define
    them is unusable as a whole. `product` tells whether the axes make cells: not where there are only extra ones.
    `seeded` tells whether the manifest or the entry gives all its cells a seed.
    """

    index: int
    id: str
    twin: bool
    names: frozenset[str]
    common: frozenset[str]
    lost: frozenset[str]
    values: Mapping[str, Any]
    params: Mapping[str, Any]
    axes: tuple[Spread, ...]
    prompt: Template | None
    prompt_path: Path
    used: frozenset[str]
    ready: bool
    open: bool
    max_cells: int | None
    derive: tuple[Wanted, ...]
    product: bool
    rows: Rows | None
    seeded: bool
    excludes: tuple[Exclude, ...]
    includes: tuple[Include, ...]
    output_ready: bool = False

    @property
    def extent(self) -> Extent:
        """How many cells it makes as written."""
        return Extent(
            rows=None if self.rows is None else len(self.rows.choices),
            axes=tuple(axis.written for axis in self.axes),
            included=len(self.includes),
            product=self.product,
        )


@dataclass(slots=True, kw_only=True)
class Checked:
    """What `check` found usable. `target` and `output` are None where there is nothing usable."""

    target: Target | None
    sizes: Sizes
    run: RunSettings
    output: Template | None
    drafts: list[Draft]
