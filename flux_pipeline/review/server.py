"""The loopback server of a review: it answers one browser page, and nobody else.

Any other page of that browser can send requests to loopback too. So the address holds a token that nobody can guess, the
Host has to be this server's (a name that was made to point here is another one), and a write needs the token again, in a
header that a foreign page cannot set, and the Origin of the review's own page. A path is never made of what an address
says: it names things by their sum.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Protocol

HOST: Final = "127.0.0.1"
TOKEN_HEADER: Final = "X-Flux-Pipeline-Token"  # noqa: S105 -- the name of the header, not a token
MOST_BYTES: Final = 256 << 10  # of a decision; one that rejects a group names all of it
_SECONDS: Final = 30
_ALWAYS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_NOTHING: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_FILE: Final = re.compile(r"(thumbnails|pictures)/([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; `policy` is what the content may load, which is nothing unless it is the page."""

    status: int
    type: str
    body: bytes
    policy: str = _NOTHING


class Desk(Protocol):
    """Where decisions are made; may be called by several threads."""

    def page(self) -> Answer: ...

    def picture(self, sha256: str, *, small: bool) -> Answer: ...

    def decisions(self) -> Answer: ...

    def decide(self, asked: Any) -> Answer: ...


def said(status: int, document: Any) -> Answer:
    """Return an answer in JSON."""
    return Answer(status, "application/json", json.dumps(document).encode() + b"\n")


def refusal(status: int, why: str) -> Answer:
    return said(status, {"error": why})


class Reviewer(ThreadingHTTPServer):
    """Serves a desk on loopback; `url` is the only address under which it answers."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, desk: Desk, port: int = 0) -> None:
        """Listen; OSError when the port cannot be had."""
        self.desk = desk
        self.token = secrets.token_urlsafe(32)
        super().__init__((HOST, port), _Handler)
        self.hosts = frozenset(f"{name}:{self.server_port}" for name in (HOST, "localhost"))
        self.writing = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def handle_error(self, *_: object) -> None:
        """Say nothing: it is a browser that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: Reviewer
    timeout = _SECONDS
    server_version = "flux-pipeline"
    sys_version = ""

    def do_GET(self) -> None:
        self._reply(self._guarded(self._get))

    def do_HEAD(self) -> None:
        self._reply(self._guarded(self._get))

    def do_POST(self) -> None:
        self._reply(self._guarded(self._post))

    def _guarded(self, act: Callable[[str], Answer]) -> Answer:
        """Let a request through that is the page's own."""
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self.server.hosts:
            return refusal(403, "this server answers only under the address that it printed")
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return refusal(403, "another site sent this request")
        _, _, rest = self.path.partition("/")
        token, slash, place = rest.partition("/")
        if not slash or not hmac.compare_digest(token.encode(), self.server.token.encode()):
            return refusal(404, "there is nothing here")
        try:
            return act(place)
        except Exception as error:  # noqa: BLE001 -- a reviewer is told, and the server goes on
            return refusal(500, f"{type(error).__name__}: {error}")

    def _get(self, place: str) -> Answer:
        if place == "":
            return self.server.desk.page()
        if place == "decisions":
            return self.server.desk.decisions()
        if named := _FILE.fullmatch(place):
            return self.server.desk.picture(named[2], small=named[1] == "thumbnails")
        return refusal(404, "there is nothing here")

    def _post(self, place: str) -> Answer:
        if place != "decide":
            return refusal(404, "there is nothing here")
        if self.headers.get("Origin") not in {f"http://{host}" for host in self.server.hosts}:
            return refusal(403, "decisions are taken from the review's own page only")
        given = self.headers.get(TOKEN_HEADER, "")
        if not hmac.compare_digest(given.encode(), self.server.token.encode()):
            return refusal(403, f"a decision needs the token in {TOKEN_HEADER}")
        if self.headers.get_content_type() != "application/json":
            return refusal(415, "a decision is JSON")
        asked = self._body()
        if isinstance(asked, Answer):
            return asked
        with self.server.writing:
            return self.server.desk.decide(asked)

    def _body(self) -> Any:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()) or self.headers.get("Transfer-Encoding"):
            return refusal(411, "a decision has a Content-Length")
        if len(length) > 9 or int(length) > MOST_BYTES:
            return refusal(413, f"a decision has at most {MOST_BYTES} bytes")
        data = self.rfile.read(int(length))
        try:
            return json.loads(data.decode())
        except (ValueError, RecursionError):
            return refusal(400, "this is no JSON")

    def _reply(self, answer: Answer) -> None:
        self.close_connection = True
        self.send_response(answer.status)
        for name, value in _ALWAYS.items():
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", answer.policy)
        self.send_header("Content-Type", answer.type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no sound request in the same way as everything else."""
        self.requestline = getattr(self, "requestline", "")
        self.request_version = getattr(self, "request_version", "HTTP/1.0")
        self.command = getattr(self, "command", None) or ""
        self._reply(refusal(code, explain or message or "this is no request that is understood here"))

    def log_message(self, *_: object) -> None:
        """Keep quiet: the address holds the token."""
