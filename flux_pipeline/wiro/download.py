"""Bring a file home from a host that the service named and nobody has to trust.

Each name is resolved once and its addresses are judged; the connection goes to one that was judged. Each attempt has a
deadline and a least pace. What came of a broken attempt is kept only where the host proves that the rest belongs to it.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urljoin

from flux_pipeline.wiro.cdn_url import Allowed, address_allowed, judge
from flux_pipeline.wiro.http import Http
from flux_pipeline.wiro.outcomes import Gone, Undelivered
from flux_pipeline.wiro.parts import Body, Sink, Stopped
from flux_pipeline.wiro.retry import Sleep, patiently
from flux_pipeline.wiro.wire import Answer, NoAnswer, Reply

__all__ = ["Downloads", "Limits", "Resolve", "Sink"]

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_ATTEMPTS: Final = 4
_HOPS: Final = 3
_ADDRESSES: Final = 4  # of one name, tried in turn
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_RESOLVE_SECONDS: Final = 20.0
_KNOWN_SECONDS: Final = 30.0  # that judged addresses of a name are used again
_KNOWN: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Patience with one attempt: seconds in all, and the seconds in which each `least` bytes have to come."""

    total: float = 300.0
    lull: float = 30.0
    least: int = 30 << 10
    most: int = 64 << 20  # bytes of a file


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Getter(Protocol):
    """The one thing that is needed of `Http`."""

    async def get(
        self,
        place: Allowed,
        address: str,
        headers: Mapping[str, str],
        head: Callable[[Answer], bool],
        sink: Callable[[bytes], None],
    ) -> Reply: ...


class Downloads:
    """Fetches files; `loopback` allows this machine, for an API that is itself there."""

    def __init__(
        self,
        http: Http | Getter,
        *,
        loopback: bool,
        resolve: Resolve = resolve,
        sleep: Sleep = asyncio.sleep,
        limits: Limits | None = None,
    ) -> None:
        self._http = http
        self._loopback = loopback
        self._resolve = resolve
        self._sleep = sleep
        self._limits = limits or Limits()
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}

    async def fetch(self, url: str, sink: Sink, promised: int | None) -> Gone | Undelivered | None:
        """Fetch a file into `sink`, going on after a break; None once all of it has come.

        `promised` is the length that the service announced. Only an answer of the host itself makes a file Gone: what
        a network in between may have done to names, addresses and redirects must not lead to paying again. What `sink`
        raises passes through.
        """
        body = Body(sink, promised, self._limits.most)

        async def pause(seconds: float) -> None:
            await self._sleep(max(seconds, body.wait))

        return await patiently(
            lambda: self._attempt(url, body),
            again=lambda outcome: isinstance(outcome, Undelivered) and not body.hopeless,
            attempts=_ATTEMPTS,
            longest=8.0,
            sleep=pause,
        )

    async def _attempt(self, url: str, body: Body) -> Gone | Undelivered | None:
        body.wait = 0.0
        try:
            async with asyncio.timeout(self._limits.total):
                return await self._follow(url, body)
        except TimeoutError:
            return Undelivered(reason=f"it took longer than {self._limits.total:g} s")

    async def _follow(self, url: str, body: Body) -> Gone | Undelivered | None:
        for hop in range(_HOPS + 1):
            place = judge(url, api_is_loopback=self._loopback)
            if not isinstance(place, Allowed):
                who = "a redirect leads to" if hop else "the service named"
                return body.give_up(f"{who} an address that is never fetched from: {place.reason}")
            addresses = await self._addresses(place, body)
            if isinstance(addresses, Undelivered):
                return addresses
            answer = await self._get(place, addresses, body)
            if isinstance(answer, Undelivered):
                return answer
            to = answer.headers.get("location") if isinstance(answer, Answer) and answer.status in _REDIRECTS else None
            if not to:
                return body.verdict(answer, time.time())
            try:
                url = urljoin(place.url, to)
            except ValueError:
                return body.give_up("a redirect leads to what is no address")
        return Undelivered(reason=f"more than {_HOPS} redirects")

    async def _addresses(self, place: Allowed, body: Body) -> tuple[str, ...] | Undelivered:
        """Return the addresses of a host, every one of them judged."""
        if not place.named:
            return (place.host,)
        now = asyncio.get_running_loop().time()
        until, known = self._known.get(place.host, (0.0, ()))
        if now < until:
            return known
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                found = tuple(dict.fromkeys(await self._resolve(place.host, place.port)))
        except (OSError, UnicodeError):  # TimeoutError is an OSError
            found = ()
        if not found:
            return Undelivered(reason=f"{place.host} cannot be resolved")
        if not all(address_allowed(address, api_is_loopback=self._loopback) for address in found):
            return body.give_up(f"{place.host} leads to an address that is not public")
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[place.host] = now + _KNOWN_SECONDS, found
        return found

    async def _get(self, place: Allowed, addresses: tuple[str, ...], body: Body) -> Reply | Undelivered:
        """Ask the addresses in turn, until one can be connected to."""
        answer: Reply = NoAnswer(reason="there is no address")
        for address in addresses[:_ADDRESSES]:
            try:
                answer = await self._get_from(place, address, body)
            except Stopped as stop:
                return Undelivered(reason=str(stop))
            except TimeoutError:
                return Undelivered(reason=f"fewer than {self._limits.least} bytes came in {self._limits.lull:g} s")
            if not isinstance(answer, NoAnswer) or answer.sent or answer.cause != "network":
                return answer
        self._known.pop(place.host, None)
        return answer

    async def _get_from(self, place: Allowed, address: str, body: Body) -> Reply:
        loop = asyncio.get_running_loop()
        came = 0
        async with asyncio.timeout(self._limits.lull) as lull:

            def take(chunk: bytes) -> None:
                nonlocal came
                body.take(chunk)
                came += len(chunk)
                if came >= self._limits.least:
                    came = 0
                    lull.reschedule(loop.time() + self._limits.lull)

            return await self._http.get(place, address, body.ask(), body.head, take)
