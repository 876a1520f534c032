"""`seed: {count: N}`: seeds derived from what a cell is, so that they stay when the manifest is rearranged.

A seed depends on the other axes' values by name, on the first field of the row, and on its number among the N. Neither
the order of axes, values and rows has a part in it, nor the entry's id, nor what else there is.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from typing import Final

from flux_pipeline.ledger.keys import Json

LOWEST: Final = 0
HIGHEST: Final = 2**31 - 1


def derived(
    others: Mapping[str, Json], first: Json, count: int, *, low: int = LOWEST, high: int = HIGHEST
) -> list[int]:
    """Return `count` distinct seeds from `low` to `high`, both included; a greater count begins with the same ones."""
    canonical = json.dumps([others, first], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    canonical = unicodedata.normalize("NFC", canonical)[:-1]
    span = high - low + 1
    assert count <= span
    seeds: dict[int, None] = {}
    for index in range(count):
        digest = hashlib.sha256(f"{canonical},{index}]".encode("utf-8", "surrogatepass")).digest()
        seed = int.from_bytes(digest[:8], "big") % span
        while low + seed in seeds:
            seed = (seed + 1) % span
        seeds[low + seed] = None
    return list(seeds)
