"""What a text under `size` means: WIDTHxHEIGHT, or the name of a preset."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

from flux_pipeline.manifest.complaints import did_you_mean, listed, show

Size: TypeAlias = tuple[int, int]  # width and height in pixels

_FORM: Final = re.compile(r"([0-9]{1,6})x([0-9]{1,6})")


class Sizes:
    """The sizes of one manifest. `lost` are presets that are named and unusable: nobody complains of them again."""

    def __init__(self, presets: Any) -> None:
        self.presets: Final[dict[str, Size]] = {}
        self.lost: Final[set[str]] = set()
        for name, value in presets.items() if isinstance(presets, dict) else ():
            if isinstance(value, str) and (found := _FORM.fullmatch(value)):
                self.presets[name] = int(found[1]), int(found[2])
            else:
                self.lost.add(name)

    def read(self, value: Any) -> Size | None:
        """Return the size that a value stands for, None when it stands for none."""
        text = str(value)
        if found := _FORM.fullmatch(text):
            return int(found[1]), int(found[2])
        return self.presets.get(text)

    def fault(self, value: Any) -> str:
        """Return why a value stands for no size, and what would."""
        if not isinstance(value, str) or not value[:1].isalpha():
            return f"{show(value)} is not a size: WIDTHxHEIGHT, such as 1024x768"
        if not self.presets:
            return f"no preset is named {show(value)}, and there are none; write WIDTHxHEIGHT, or add presets:"
        hint = did_you_mean(value, self.presets) or "; write WIDTHxHEIGHT, or one that is there"
        return f"no preset is named {show(value)}{hint} ({listed(self.presets)})"
