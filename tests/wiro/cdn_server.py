"""A CDN on loopback that answers with exactly the bytes it is told to, over raw sockets."""

from __future__ import annotations

import contextlib
import socket
import threading
import time


class Cdn:
    """Answers the nth request with the nth script, and further ones with the last.

    A script is bytes, or a function from a request (its head in lower case) to an iterable of bytes. The connection is
    closed after an answer, unless `keep` is set.
    """

    def __init__(self, *scripts, host="127.0.0.1", port=0, keep=False, context=None):
        self.scripts, self.keep, self.context = scripts, keep, context
        self.requests, self.hellos, self.connections = [], [], 0
        self.listener = socket.create_server((host, port))
        self.port = self.listener.getsockname()[1]
        self.origin = f"http://{host}:{self.port}"
        self.threads = [threading.Thread(target=self.accept)]

    def __enter__(self):
        self.threads[0].start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(5)
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                self.threads.append(threading.Thread(target=self.serve, args=(connection,)))
                self.threads[-1].start()

    def serve(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(3)
            if self.context is None:
                self.talk(connection)
            else:
                with self.context.wrap_socket(connection, server_side=True) as wrapped:
                    self.talk(wrapped)

    def talk(self, connection):
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                came = connection.recv(1)
                if not came:
                    return
                head += came
            self.requests.append(head.decode("latin-1"))
            script = self.scripts[min(len(self.requests), len(self.scripts)) - 1]
            for part in [script] if isinstance(script, bytes) else script(self.requests[-1]):
                connection.sendall(part)
            if not self.keep:
                return


def answer(body=b"", status="200 OK", *, length=True, **headers):
    """Return an answer; `length` is True for the right one, None for none, or a lie."""
    told = {"Content-Type": "image/png"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if length is not None:
        told["Content-Length"] = str(len(body) if length is True else length)
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items() if value is not None)
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1") + body


def part(whole, first, *, last=None, total=None, at=None, **headers):
    """Return the part of `whole` from `first` on; `at` and `total` are what it says that it is."""
    body = whole[first : None if last is None else last + 1]
    at = first if at is None else at
    said = f"bytes {at}-{at + len(body) - 1}/{total or len(whole)}"
    return answer(body, "206 Partial Content", Content_Range=said, **headers)


def moved(to, status="302 Found"):
    return answer(b"moved", status, Location=to)


def chunked(body, *, whole=True):
    return b"".join(
        [
            b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n",
            f"{len(body):x}\r\n".encode() + body + b"\r\n",
            b"0\r\n\r\n" if whole else b"",
        ]
    )


def endless(head=b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n"):
    def script(_):
        yield head + b"\x89PNG\r\n\x1a\n"
        while True:
            yield b"x" * 65536

    return script


def trickle(data, pause, *, head=None):
    """Send byte by byte."""

    def script(_):
        yield answer(b"", length=len(data)) if head is None else head
        for at in range(len(data)):
            time.sleep(pause)
            yield data[at : at + 1]

    return script


def silence(seconds):
    def script(_):
        time.sleep(seconds)
        yield b""

    return script
