"""What a request says, in any of the body types that the sources show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterable


class BadBody(Exception):
    """The body cannot be read; the message is what the API answers under code 0."""


async def read(request: web.Request) -> dict[str, Any]:
    """Read the fields of a request.

    JSON is taken under any content type, since the model page sends it as `multipart/form-data` without a boundary
    and curl sends it as urlencoded. A file field becomes its file name.
    """
    kind = request.content_type
    if kind == "multipart/form-data" and "boundary" in request.headers.get("Content-Type", ""):
        return await _form(request)
    raw = await request.read()
    if kind == "application/x-www-form-urlencoded" and not raw.lstrip().startswith(b"{"):
        return await _form(request)
    return _json(raw)


def _json(raw: bytes) -> dict[str, Any]:
    if not raw.strip():
        return {}
    try:
        data = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadBody("Request body must be valid JSON") from None
    if not isinstance(data, dict):
        raise BadBody("Request body must be a JSON object")
    return data


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


async def _form(request: web.Request) -> dict[str, Any]:
    try:
        fields = await request.post()
    except (ValueError, RuntimeError, LookupError, AssertionError):
        raise BadBody("Request body must be a valid form") from None
    return _merged((name, value if isinstance(value, str) else _name(value)) for name, value in fields.items())


def _name(value: bytearray | bytes | web.FileField) -> str:
    return value.filename if isinstance(value, web.FileField) else value.decode("utf-8", "replace")


def _merged(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Give a repeated field its values as a list."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    return fields
