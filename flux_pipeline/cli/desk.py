"""The desk of a review: the page, the pictures, and decisions that are in the lockfile when the answer is sent."""

from __future__ import annotations

import getpass
import hashlib
import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from flux_pipeline.cli import secrets
from flux_pipeline.cli.fresh import Fresh
from flux_pipeline.cli.project import Project
from flux_pipeline.cli.verdicts import Looked, MovedError, named, patiently, record, rivals
from flux_pipeline.errors import FluxError, LockfileHeld
from flux_pipeline.files.checker import Checker
from flux_pipeline.files.image import Rejected
from flux_pipeline.files.take_in import picture
from flux_pipeline.files.thumbnails import LONGEST, Thumbnails
from flux_pipeline.ledger.history import History
from flux_pipeline.report import page as pages
from flux_pipeline.report.gallery import Album, Picture, album
from flux_pipeline.review.server import Answer, refusal, said
from flux_pipeline.review.standing import Standing

_CACHE: Final = Path(".flux-pipeline/thumbnails")
_MOST_NOTE: Final = 2000
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_HALF: Final = re.compile("[\ud800-\udfff]")
_TYPES: Final = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"RIFF": "image/webp",
    b"ftypavif": "image/avif",
}
_LOOK_AGAIN: Final = "reload the page and look again"


class Bench:
    """A review of the manifests that `scope` names, by one person; may be shared by threads."""

    def __init__(self, scope: Mapping[str, Any], who: str, checker: Checker) -> None:
        self.token = ""
        self._scope = scope
        self._who = who
        self._fresh = Fresh(scope)
        self._thumbnails = Thumbnails(_CACHE, checker.derive)
        # By their sum; what no cell of the manifests shows is never in them.
        self._pictures: dict[str, Picture] = {}
        self._derived: dict[str, str] = {}  # their paths
        self._broken: dict[str, str] = {}  # why they cannot be opened

    def page(self) -> Answer:
        """Make the page anew, so that reloading it shows what is there now."""
        try:
            work, history = self._fresh.with_history()
            made = album(work.selected, work.plan(history), history, work.derivations(history), simulated=work.simulate)
        except FluxError as error:
            text, policy = pages.refused(str(error))
            return Answer(409, "text/html; charset=utf-8", text.encode(), policy)
        shown = {card.picture.path: card.picture for card in made.cards if card.picture}
        derived = {one.path: one.sha256 for card in made.cards for one in card.derived if one.sha256}
        sums = {path: one.sha256 for path, one in shown.items()} | derived
        self._pictures |= {one.sha256: one for one in shown.values()}
        self._derived |= {sha256: path for path, sha256 in derived.items()}
        self._mend()
        thumbnails = {one.sha256: self._thumbnail(one) for one in shown.values()}
        extra = {
            "reviewer": self._who,
            "token": self.token,
            "cells": _cells(work, made, self._broken),
            **_standings(work, history, work.standings(history)),
        }
        text = pages.page(secrets.album(made), thumbnails, lambda path: f"pictures/{sums[path]}", review=extra)
        return Answer(200, "text/html; charset=utf-8", text.encode(), pages.served_policy())

    def picture(self, sha256: str, *, small: bool) -> Answer:
        one, root = self._pictures.get(sha256), self._root()
        path = one.path if one else self._derived.get(sha256)
        if path is None:
            return refusal(404, "no cell of this review shows such a picture")
        if small and one:
            made = self._thumbnails.make(root.absolute() / one.path, one)
            if isinstance(made, Rejected):
                self._broken[sha256] = made.reason
                return refusal(404, f"{one.path} {made.reason}")
            return Answer(200, f"image/{made.format}", made.data)
        data = picture(root, path, {sha256})
        if data is None:
            return refusal(404, f"{path} is not there any more as it was; {_LOOK_AGAIN}")
        kind = next((kind for signature, kind in _TYPES.items() if signature in data[:12]), None)
        return Answer(200, kind or "application/octet-stream", data)

    def decisions(self) -> Answer:
        try:
            return said(200, _standings(*self._fresh.standings()))
        except FluxError as error:
            return refusal(409, str(error))

    def standings(self) -> tuple[Standing, ...]:
        """Say what was decided on every cell's picture; FluxError where nobody can say it."""
        return self._fresh.standings()[2]

    def decide(self, asked: Any) -> Answer:
        """Record a decision; 409 when the manifest or the file is not what was looked at, 423 while a run goes on."""
        try:
            verdict, note, chosen, others = _asked(asked)
        except (ValueError, KeyError, TypeError) as error:
            return refusal(400, f"this is no decision: {error}")
        sums = [one.sha256 for one in (chosen, *others) if one.sha256 in self._broken]
        broken = [f"{self._pictures[one].path} {self._broken[one]}" for one in sums]
        if broken and verdict in {"approved", "picked"}:
            return refusal(409, f"nothing was decided: {broken[0]}")
        try:
            work = self._fresh.project()
            known = patiently(lambda: record(work, self._who, verdict, note, chosen, others))
        except MovedError as error:
            return refusal(409, f"{error}; {_LOOK_AGAIN}")
        except LockfileHeld as error:
            return refusal(423, f"nothing was decided: {error}")
        except FluxError as error:
            return refusal(409, f"nothing was decided: {error}")
        return said(200, _standings(work, known, work.standings(known)))

    def _mend(self) -> None:
        """Ask again for what could not be opened: the file may have been away for a moment only."""
        for sha256 in tuple(self._broken):
            one = self._pictures[sha256]
            if not isinstance(self._thumbnails.make(self._root().absolute() / one.path, one), Rejected):
                del self._broken[sha256]

    def _thumbnail(self, one: Picture) -> pages.Thumbnail | pages.NoThumbnail:
        if one.sha256 in self._broken:
            return pages.NoThumbnail(self._broken[one.sha256])
        share = min(1.0, LONGEST / max(one.width, one.height, 1))
        width, height = (max(1, round(side * share)) for side in (one.width, one.height))
        return pages.Thumbnail(f"thumbnails/{one.sha256}", width, height)

    def _root(self) -> Path:
        root: Path = self._scope["output_dir"]
        return root


def reviewer() -> str:
    """Return who decides: the name and the address that git knows, or else the name of the login."""
    name, mail = (_configured(f"user.{what}") for what in ("name", "email"))
    try:
        name = name or getpass.getuser()
    except (OSError, KeyError):
        name = "somebody"
    return _clean(f"{name} <{mail}>" if mail else name)[:200]


def _configured(name: str) -> str:
    try:
        asked = subprocess.run(  # noqa: S603 -- fixed words, and no shell
            ["git", "config", "--get", name],  # noqa: S607 -- git is where the user has it
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return asked.stdout.strip()


def _clean(text: str) -> str:
    return _HALF.sub("\ufffd", _CONTROL.sub(" ", text)).strip()


def _cells(work: Project, made: Album, broken: Mapping[str, str]) -> dict[str, Any]:
    """Return which cells compete, and the sums of the pictures that can be decided on."""
    groups = rivals(work)
    sums = {card.name: card.picture.sha256 for card in made.cards if card.picture}
    return {
        card.name: {
            "sha256": sums.get(card.name) if sums.get(card.name) not in broken else None,
            "group": list(groups[card.name]),
        }
        for card in made.cards
    }


def _standings(work: Project, history: History, found: Sequence[Standing]) -> dict[str, Any]:
    """Return the decisions, and a digest of what a page shows: one with another digest is out of date."""
    return {"decisions": _decisions(work, found), "shows": _digest(work, history)}


def _digest(work: Project, history: History) -> str:
    """Return the sum of the cells' names and keys, and of the pictures that are recorded of them."""
    cells = [
        (name, cell.key, sorted({fact.sha256 for one in history.of(cell.key) for fact in one.files.values()}))
        for name, cell in named(work).items()
    ]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def _decisions(work: Project, found: Sequence[Standing]) -> dict[str, Any]:
    names = {id(cell): name for name, cell in named(work).items()}
    return {
        names[id(one.cell)]: {
            "state": one.state,
            "by": one.decision.by,
            "at": one.decision.at,
            "note": one.decision.note,
            "reason": one.reason,
        }
        for one in found
        if one.decision is not None
    }


def _asked(asked: Any) -> tuple[str, str, Looked, tuple[Looked, ...]]:
    """Read a decision; ValueError, KeyError and TypeError say what is wrong with it."""
    if not isinstance(asked, dict):
        raise ValueError("it is not an object")
    verdict, note = asked["verdict"], asked.get("note", "")
    if verdict not in ("approved", "rejected", "none", "picked"):
        raise ValueError("its verdict is one of approved, rejected, picked and none")
    if not isinstance(note, str) or len(note) > _MOST_NOTE:
        raise ValueError(f"its note is a text of at most {_MOST_NOTE} characters")
    others = asked.get("others", []) if verdict == "picked" else []
    return verdict, _clean(note), _looked(asked), tuple(map(_looked, others))


def _looked(one: Mapping[str, Any]) -> Looked:
    values = (one["cell"], one["key"], one["sha256"])
    if not all(isinstance(value, str) for value in values):
        raise ValueError("cell, key and sha256 are texts")
    return Looked(*values)
