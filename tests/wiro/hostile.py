"""A server on loopback that answers as no server should, and remembers all that reached it.

What a test wants to know is what a client cannot tell: how many connections there were, and which requests came in
whole. So the record is the server's own, and is written before anything is answered.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

PATIENCE = 10.0  # seconds after which a test has failed rather than waited


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Peer:
    """One connection, as seen by a behaviour."""

    server: Hostile
    socket: socket.socket
    number: int  # counted from 1
    _buffer: bytes = b""

    def read(self) -> Request:
        """Read one whole request and put it on record."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        self._buffer = rest
        while len(self._buffer) < length:
            self._more()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        method, path, _ = first.split(" ", 2)
        request = Request(method, path, headers, body)
        self.server.requests.append(request)
        return request

    def read_some(self) -> None:
        """Read at least one byte, and no more than came with it."""
        self._more()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reset(self) -> None:
        """Hang up so that the other side sees a reset, not an end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the client hung up")
        self._buffer += data


Behaviour = Callable[[Peer], None]


class Hostile:
    """Serve each connection by the next behaviour, and further ones by the last."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self.behaviours = behaviours
        self.requests: list[Request] = []
        self.connections = 0
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        return f"{self.origin}/v1"

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            behaviour = self.behaviours[min(self.connections, len(self.behaviours)) - 1]
            peer = Peer(self, connection, self.connections)
            thread = threading.Thread(target=self._serve, args=(peer, behaviour), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: Peer, behaviour: Behaviour) -> None:
        with peer.socket, contextlib.suppress(OSError):
            peer.socket.settimeout(PATIENCE)
            behaviour(peer)


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def http(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    """Return a whole answer; `length` lies about the body's."""
    announced = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {announced}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def says(data: bytes) -> Behaviour:
    """Read a request, answer these bytes, and close."""

    def behave(peer: Peer) -> None:
        peer.read()
        peer.send(data)

    return behave


def says_and_resets(data: bytes) -> Behaviour:
    def behave(peer: Peer) -> None:
        peer.read()
        peer.send(data)
        peer.reset()

    return behave


def hangs_up(peer: Peer) -> None:
    """Accept and close, without reading."""


def hangs_up_hard(peer: Peer) -> None:
    peer.reset()


def reads_and_hangs_up(peer: Peer) -> None:
    peer.read()


def reads_a_little_and_hangs_up(peer: Peer) -> None:
    peer.read_some()


def reads_a_little_and_resets(peer: Peer) -> None:
    peer.read_some()
    peer.reset()


def goes_on_for_ever(head: bytes, chunk: bytes) -> Behaviour:
    """Answer a head and then a chunk after another until the client hangs up."""

    def behave(peer: Peer) -> None:
        peer.read()
        peer.send(head)
        while True:
            peer.send(chunk)

    return behave


def falls_silent(data: bytes) -> Behaviour:
    """Answer a beginning and then nothing, until the client hangs up."""

    def behave(peer: Peer) -> None:
        peer.read()
        peer.send(data)
        peer.read_some()

    return behave
