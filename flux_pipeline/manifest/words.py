"""Names that mean something already."""

from __future__ import annotations

import re
from typing import Final

# What Jinja2 reads as its own.
JINJA_WORDS: Final = frozenset({
    "and", "block", "caller", "elif", "else", "endif", "false", "False", "for", "if", "import", "in", "is", "kwargs",
    "loop", "none", "None", "not", "or", "recursive", "self", "super", "true", "True", "varargs", "with", "without",
})  # fmt: skip

# What stands under `matrix` and is no axis.
SPECIAL: Final = frozenset({"exclude", "include"})

# And what `output` is told, and what holds the fields of a row.
RESERVED: Final = JINJA_WORDS | SPECIAL | {"entry", "ext", "key", "row"}

_WORD: Final = re.compile(r"[A-Za-z]\w*")


def words_in(text: str) -> frozenset[str]:
    """Return the words of a template that cannot be parsed: what it might be using."""
    return frozenset(_WORD.findall(text[:65_536]))
