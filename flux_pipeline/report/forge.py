"""Write Markdown in which every text is only ever a text, on whatever forge it is read."""

from __future__ import annotations

import re

# All signs of ASCII that Markdown, HTML or a forge could act on; as a reference, a sign stands for nothing but itself. A dot
# only acts after www, or after the number of a list.
_ACTIVE = re.compile(r"[^\w\s,.\u0080-\U0010ffff]|_|(?<=\d)\.(?=\s|\Z)|(?<=[wW]{3})\.")
_APART = "<span></span>"


def escaped(text: str) -> str:
    """Return a text as Markdown that shows it, and does nothing else; its line ends stay.

    Addresses of mail and mentions are looked for after references are read, so something has to stand within them.
    """
    return numbered(text).replace("&#64;", f"&#64;{_APART}")


def numbered(text: str) -> str:
    """Return a text for where there is no room for an element: the words of a picture."""
    return _ACTIVE.sub(lambda found: f"&#{ord(found[0])};", text)
