"""The CDN: public files under URLs that cannot be guessed, with ranges and validators."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from aiohttp import web

from flux_pipeline.simulator.life import Storage, Task
from flux_pipeline.simulator.studio import Studio, picture_of

if TYPE_CHECKING:
    from flux_pipeline.simulator.calls import Call
    from flux_pipeline.simulator.ledger import Ledger

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Cdn:
    def __init__(self, *, ledger: Ledger, studio: Studio) -> None:
        self._ledger, self._studio = ledger, studio

    def served(self, call: Call) -> Task | None:
        """Find the task whose finished file the URL names."""
        at = call.request.match_info
        task = self._ledger.by_file_token(at["token"])
        if task is None or task.storage is not Storage.KEPT or not task.has_picture(call.now):
            return None
        return task if picture_of(task).name == at["name"] else None

    async def file(self, call: Call) -> web.StreamResponse:
        task = self.served(call)
        if task is None:
            return not_found()
        picture = picture_of(task)
        return partial(call.request, await self._studio.file(picture), picture.content_type)


def not_found(status: int = 404) -> web.Response:
    return web.Response(status=status, text="<html><body><h1>No such file</h1></body></html>", content_type="text/html")


def partial(request: web.Request, data: bytes, content_type: str) -> web.Response:
    """Answer with the file or the asked part of it; aiohttp leaves the body out for HEAD."""
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "public, max-age=86400"}
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    stale = request.headers.get("If-Range", etag) != etag
    if asked is None or stale or asked.groups() == ("", ""):
        return web.Response(body=data, content_type=content_type, headers=headers)
    first, last = _bounds(asked[1], asked[2], len(data))
    if first >= len(data) or first > last:
        headers["Content-Range"] = f"bytes */{len(data)}"
        return web.Response(status=416, headers=headers)
    headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return web.Response(status=206, body=data[first : last + 1], content_type=content_type, headers=headers)


def _bounds(first: str, last: str, length: int) -> tuple[int, int]:
    """Turn the two numbers of a range into the first and the last byte; no first number means the last N bytes."""
    if not first:
        return (max(0, length - int(last)), length - 1) if int(last) else (length, length)
    return int(first), min(int(last), length - 1) if last else length - 1
