"""Characters that nobody sees and that act on what is around them: no report lets them through."""

from __future__ import annotations

import re
from typing import Final

# Controls, signs that turn the direction of text or end lines and paragraphs, and half characters.
CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


def plain(text: str) -> str:
    """Return a text on one line, without characters that a terminal, a sheet or a page would act on."""
    return text if text.isprintable() else CONTROLS.sub(" ", text)
