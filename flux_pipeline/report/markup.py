"""Write HTML in which every text is only ever a text."""

from __future__ import annotations

import json
import re
from typing import Any

# Spaces and line ends aside, HTML has no way to write these, and a page shows what nobody can read as such.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_VOID = frozenset({"img", "input", "link", "meta"})
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "\r": "&#13;"})
# What could end a script element, begin a comment in it, or end a line of JavaScript.
_IN_SCRIPT = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


class Html(str):
    """Text that is markup already; any other text is escaped when it is put into an element."""

    __slots__ = ()


def escaped(text: str) -> Html:
    """Return a text as HTML that shows it, in an element and in a quoted attribute alike."""
    return text if isinstance(text, Html) else Html(_UNWRITABLE.sub("\ufffd", text).translate(_ESCAPES))


def element(name: str, /, *inside: str, **attributes: str | int | bool | None) -> Html:
    """Return an element: `element("a", "text", href="x", class_="y", data_z=1)`.

    An attribute that is False or None is left out, one that is True stands alone.
    """
    opening = [name]
    for attribute, value in attributes.items():
        if value is not None and value is not False:
            word = attribute.rstrip("_").replace("_", "-")
            opening.append(word if value is True else f'{word}="{escaped(str(value))}"')
    start = f"<{' '.join(opening)}>"
    return Html(start if name in _VOID else f"{start}{''.join(map(escaped, inside))}</{name}>")


def script_data(value: Any) -> Html:
    """Return JSON for a script element, which no text in it can end."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    safe = text.translate(_IN_SCRIPT)
    return Html(_UNWRITABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", safe))
