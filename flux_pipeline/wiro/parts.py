"""Decide which answers of a CDN are the file, or the rest of it; no network and no clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Protocol

from flux_pipeline.wiro.outcomes import Gone, Undelivered
from flux_pipeline.wiro.wire import Answer, NoAnswer, Reply, clean, retry_after

_OPENING: Final = 12  # bytes that tell a picture from anything else
_PICTURES: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
_NEUTRAL: Final = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_STAMPS: Final = ("etag", "last-modified")  # what tells one file at a URL from the next
_STRONG: Final = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
_RANGE: Final = re.compile(r"bytes ([0-9]{1,12})-([0-9]{1,12})/([0-9]{1,12})")
_LENGTH: Final = re.compile(r"[0-9]{1,12}")


class Sink(Protocol):
    """Where a download goes; `size` is what has come so far, so that it can go on from there."""

    @property
    def size(self) -> int: ...

    def write(self, chunk: bytes) -> None: ...

    def reset(self) -> None: ...


class Stopped(Exception):
    """A body that is not read to its end, and why."""


class Body:
    """One file on its way, over all attempts.

    `wait` are the seconds that the host asked to be left alone; `hopeless` says that another attempt cannot help.
    """

    def __init__(self, sink: Sink, promised: int | None, most: int) -> None:
        self.wait = 0.0
        self.hopeless = False
        self._sink = sink
        self._promised = promised
        self._most = most
        self._whole = promised
        self._stamp: Mapping[str, str] = {}
        self._kind = ""
        self._opening = b""
        self._refused = ""

    def ask(self) -> Mapping[str, str]:
        """Return the headers that ask for what is missing, where it can be told that it is the rest of the same."""
        if self._sink.size and self._whole is None and not self._stamp:
            self._anew()
        if not self._sink.size:
            return {}
        etag = self._stamp.get("etag", "")
        proof = {"if-range": etag} if _STRONG.fullmatch(etag) else {}
        return {"range": f"bytes={self._sink.size}-", **proof}

    def head(self, answer: Answer) -> bool:
        """Say whether the body that follows is the file, or the rest of it."""
        self._refused = ""
        if answer.status not in (200, 206):
            return False
        self._refused = self._flaw(answer)
        if self._refused:
            self._anew()
            return False
        if answer.status == 200:
            self._anew()
            self._whole = self._promised if self._promised is not None else _length(answer)
            self._kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            self._stamp = {name: answer.headers[name] for name in _STAMPS if name in answer.headers}
        return True

    def take(self, chunk: bytes) -> None:
        """Write what has come.

        Raises Stopped where it is too much, or plainly no picture; the file then begins anew.
        """
        most = self._most if self._whole is None else min(self._whole, self._most)
        if self._sink.size + len(chunk) > most:
            self._anew()
            raise Stopped(f"more than {most} bytes came")
        if len(self._opening) < _OPENING:
            self._opening += chunk[: _OPENING - len(self._opening)]
            if len(self._opening) == _OPENING and not self._is_picture():
                raise Stopped(self._no_picture())
        self._sink.write(chunk)

    def verdict(self, answer: Reply, now: float) -> Gone | Undelivered | None:
        """Judge the attempt that ends with this answer; `now` is in unix seconds."""
        if isinstance(answer, NoAnswer):
            return Undelivered(reason=answer.reason)
        if answer.status in (403, 404, 410):
            return Gone(reason=f"HTTP {answer.status}")
        if answer.status not in (200, 206):
            self.wait = retry_after(answer.headers, now) or 0.0
            if answer.status == 416:
                self._anew()
            return Undelivered(reason=f"HTTP {answer.status}, not the file")
        if self._refused:
            return Undelivered(reason=self._refused)
        if not self._sink.size:
            return Undelivered(reason="nothing came")
        if self._whole is not None and self._sink.size != self._whole:
            return Undelivered(reason=f"{self._sink.size} of {self._whole} bytes came")
        return None if self._is_picture() else Undelivered(reason=self._no_picture())

    def give_up(self, reason: str) -> Undelivered:
        self.hopeless = True
        return Undelivered(reason=reason)

    def _anew(self) -> None:
        if self._sink.size:
            self._sink.reset()
        self._stamp, self._opening, self._kind, self._whole = {}, b"", "", self._promised

    def _flaw(self, answer: Answer) -> str:
        """Say why a body is not taken, or nothing."""
        headers = answer.headers
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            return "the answer is compressed although nobody asked for it"
        if headers.get("content-type", "").strip().lower().startswith("multipart/"):
            return "the answer is in several parts although nobody asked for it"
        length = _length(answer)
        if answer.status == 206:
            return self._flaw_of_part(headers)
        if length is not None and self._promised is not None and length != self._promised:
            return f"the answer has {length} bytes, {self._promised} were promised"
        return f"the answer has {length} bytes, too many" if length is not None and length > self._most else ""

    def _flaw_of_part(self, headers: Mapping[str, str]) -> str:
        found = _RANGE.fullmatch(headers.get("content-range", "").strip().lower())
        if not self._sink.size or found is None:
            return "a part came that nobody asked for"
        first, last, whole = map(int, found.groups())
        if first != self._sink.size or not first <= last < whole:
            return "another part came than the one asked for"
        other = any(headers.get(name, stamp) != stamp for name, stamp in self._stamp.items())
        if other or (self._whole is not None and whole != self._whole):
            return "a part of another file came"
        self._whole = whole
        return ""

    def _is_picture(self) -> bool:
        """Say no only when neither the type nor the first bytes are a picture's."""
        told = self._kind in _NEUTRAL or self._kind.startswith("image/")
        return told or self._opening.startswith(_PICTURES) or self._opening[4:8] == b"ftyp"

    def _no_picture(self) -> str:
        kind = clean(self._kind, most=60)
        self._anew()
        return f"the answer is {kind}, not a picture"


def _length(answer: Answer) -> int | None:
    told = answer.headers.get("content-length", "").strip()
    return int(told) if _LENGTH.fullmatch(told) else None
