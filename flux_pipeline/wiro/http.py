"""The one door to the network: bytes out, bytes in, and proof of whether they left.

A request that costs money has a transport of its own: a fresh connection each time (no keep-alive race), HTTP/1.1, no
retries, no redirects, nothing from the environment. Everything else is repeatable and goes over aiohttp, which is
several times cheaper behind the same interface.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Self

import httpx
from httpx_aiohttp import AiohttpTransport

from flux_pipeline import __version__
from flux_pipeline.wiro.cdn_url import Allowed
from flux_pipeline.wiro.wire import Answer, NoAnswer, Reply

_JSON_BYTES = 8 << 20
_COSTLY = {"connect": 10.0, "write": 30.0, "read": 120.0, "pool": 60.0}
_COSTLY_TOTAL = 180.0
_CHEAP = {"connect": 10.0, "write": 30.0, "read": 30.0, "pool": 30.0}
_CHEAP_TOTAL = 60.0
_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "content-type": "application/json",
    "user-agent": f"flux-pipeline/{__version__}",
}
_FILE_HEADERS = {"accept": "image/*", "accept-encoding": "identity", "user-agent": _HEADERS["user-agent"]}
# aiohttp decodes escapes that the signature of a URL may cover; a path with more than this in it goes the exact way
_UNTOUCHED = re.compile(r"/[A-Za-z0-9/_~-]*(\.[A-Za-z0-9/_~-]+)*(\?[A-Za-z0-9._~=&-]+)?", re.ASCII)

for _name in ("httpx", "httpcore"):  # they print whole URLs and answer headers
    logging.getLogger(_name).setLevel(logging.WARNING)


class Http:
    """Both transports and their settings. Use it as an async context manager."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        context = context or ssl.create_default_context()
        self._costly = httpx.AsyncHTTPTransport(
            verify=context,
            trust_env=False,
            http2=False,
            retries=0,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=0),
        )
        self._cheap = AiohttpTransport(
            verify=context,
            trust_env=False,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=15.0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._costly.aclose()
        await self._cheap.aclose()

    async def post_once(self, url: str, headers: Mapping[str, str], body: bytes, on_sent: Callable[[], None]) -> Reply:
        """POST a body that may cost money; `on_sent` is called before its first byte can leave."""
        sent = False

        async def witness(event: str, info: Mapping[str, Any]) -> None:
            nonlocal sent
            if event.endswith("send_request_headers.started") and info["request"].method == b"POST":
                sent = True
                on_sent()

        try:
            async with asyncio.timeout(_COSTLY_TOTAL):
                request = httpx.Request(
                    "POST",
                    url,
                    headers={**_HEADERS, **headers},
                    content=body,
                    extensions={"timeout": _COSTLY, "trace": witness},
                )
                return await _read(await self._costly.handle_async_request(request))
        except Exception as error:  # noqa: BLE001 -- whatever went wrong, the witness says what it proves
            return NoAnswer(reason=_describe(error), sent=sent, cause=_cause(error))

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """POST a body that may be repeated."""
        try:
            async with asyncio.timeout(_CHEAP_TOTAL):
                request = httpx.Request(
                    "POST", url, headers={**_HEADERS, **headers}, content=body, extensions={"timeout": _CHEAP}
                )
                return await _read(await self._cheap.handle_async_request(request))
        except Exception as error:  # noqa: BLE001 -- a read is repeatable, and the transport's errors are many
            return NoAnswer(reason=_describe(error), cause=_cause(error))

    async def get(
        self,
        place: Allowed,
        address: str,
        headers: Mapping[str, str],
        head: Callable[[Answer], bool],
        sink: Callable[[bytes], None],
    ) -> Reply:
        """GET a file from this very address of its host, without any credential.

        `head` sees the answer before its body and says whether the body goes to `sink`. An exception of `sink` passes
        through. Returns the answer without its body, or why it broke off; `sent` is False when nobody was reached.
        """
        extensions: dict[str, Any] = {"timeout": _CHEAP}
        if place.named:
            extensions["sni_hostname"] = place.host
        asked = {**_FILE_HEADERS, **headers, "host": place.place}
        request = httpx.Request("GET", place.at(address), headers=asked, extensions=extensions)
        transport = self._cheap if _UNTOUCHED.fullmatch(place.rest) else self._costly
        try:
            response = await transport.handle_async_request(request)
        except Exception as error:  # noqa: BLE001 -- as in post
            reached = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            return NoAnswer(reason=_describe(error), sent=reached, cause=_cause(error))
        answer = Answer(status=response.status_code, headers=_lower(response), body=b"")
        try:
            if head(answer):
                async with aclosing(_chunks(response)) as chunks:
                    async for chunk in chunks:
                        sink(chunk)
        except _Broken as error:
            return NoAnswer(reason=str(error))
        finally:
            await response.aclose()
        return answer


class _Broken(Exception):
    """A body that broke off."""


async def _chunks(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    body = response.stream
    assert isinstance(body, httpx.AsyncByteStream)
    chunks = aiter(body)
    while True:
        try:
            chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except Exception as error:
            raise _Broken(_describe(error)) from error
        yield chunk


async def _read(response: httpx.Response) -> Answer:
    try:
        headers = _lower(response)
        if headers.get("content-encoding", "identity") != "identity":
            raise _Broken("the answer is compressed although nobody asked for it")
        parts, size = [], 0
        async for chunk in _chunks(response):
            size += len(chunk)
            if size > _JSON_BYTES:
                raise _Broken("the answer is longer than 8 MiB")
            parts.append(chunk)
        return Answer(status=response.status_code, headers=headers, body=b"".join(parts))
    finally:
        await response.aclose()


def _lower(response: httpx.Response) -> Mapping[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _describe(error: BaseException) -> str:
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return f"timed out ({type(error).__name__})"
    if isinstance(error, httpx.ReadError | httpx.RemoteProtocolError):
        return f"the connection broke off before the answer was whole ({type(error).__name__})"
    return f"{str(error) or 'the connection broke'} ({type(error).__name__})"


def _cause(error: BaseException) -> str:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return "certificate"
        if isinstance(seen, httpx.ProxyError):
            return "proxy"
        if isinstance(seen, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError | UnicodeError):
            return "request"
        seen = seen.__cause__ or seen.__context__
    return "network"
