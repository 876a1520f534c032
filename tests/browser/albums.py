"""Projects with pictures, failures and whatever else there may be, made in a moment and without a server."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from PIL import Image, ImageDraw

from flux_pipeline.cli.project import load
from flux_pipeline.ledger.contents import HEADER
from flux_pipeline.ledger.facts import DerivedFact, FileFact, Refused, Settled, Submission, to_lines
from flux_pipeline.report.gallery import Album, Card, DerivedFile, Picture, Section

ENDPOINT = "https://api.wiro.ai/v1"
WHEN = "2026-11-23T01:00:00Z"


@dataclass(frozen=True)
class Fate:
    """What has come of a cell: `saved`, `broken` (on disk, but no picture), `failed`, `doubtful`, `running`, `pending`."""

    state: str = "saved"
    reason: str = ""
    cost: Decimal | None = Decimal("0.03")


def entry(name, prompt="A {{ color }} bottle on {{ place }}", *, params=None, derive=None, foreach=None, **matrix):
    made = {"derive": derive} if derive else {}
    made |= {"foreach": foreach} if foreach else {}
    return {"id": name, "prompt": prompt, "params": params or {}, "matrix": matrix, **made}


def project(folder, *entries, fate=lambda cell, at: Fate(), name="m", output="outputs/{{ entry }}/{{ key }}.{{ ext }}"):
    """Write a manifest into the current folder, and the lockfile and the pictures as if it had been run."""
    manifest = folder / "manifests" / f"{name}.yaml"
    manifest.parent.mkdir(exist_ok=True)
    document = {"version": 1, "output": output, "entries": list(entries)}
    manifest.write_text(json.dumps(document))
    work = load([manifest])
    lines = [json.dumps({HEADER: 1, "endpoint": ENDPOINT}).encode() + b"\n"]
    lines += [line for at, cell in enumerate(work.cells) for line in story(folder, cell, at, fate(cell, at))]
    manifest.with_suffix(".lock").write_bytes(b"".join(lines))
    return Path("manifests") / manifest.name


def story(folder, cell, at, fate):
    """Yield the lines of a lockfile that tell a fate, and put the picture where it belongs."""
    if fate.state == "pending":
        return
    known = {"id": cell.key[:32], "key": cell.key, "cell": cell.id, "intended_at": WHEN, "estimate": Decimal("0.03")}
    settled = Settled(state="finished", pexit="0", cost=fate.cost, at=WHEN)
    match fate.state:
        case "saved" | "broken":
            fact = draw(folder / cell.path, at, broken=fate.state == "broken", label=cell.entry)
            known |= {"tasks": (str(2000 + at),), "settled": settled, "files": {cell.path: fact}}
            known["derived"] = {one.path: derive(folder, one, fact) for one in cell.derived}
        case "paid":
            known |= {"tasks": (str(2000 + at),), "settled": settled}
        case "failed":
            ended = Settled(state="failed", pexit="1", cost=Decimal(0), at=WHEN, reason=fate.reason)
            known |= {"tasks": (str(2000 + at),), "settled": ended}
        case "refused":
            known["refused"] = Refused(code="1", message=fate.reason)
        case "running":
            known["tasks"] = (str(2000 + at),)
    yield to_lines(Submission(**known))


def derive(folder, one, master):
    """Put a file where one is to be derived, and return the fact of it; nobody decodes it."""
    data = one.recipe.digest().encode()
    (folder / one.path).write_bytes(data)
    size = one.recipe.size(master.width, master.height)
    return DerivedFact(
        master=master.sha256,
        recipe=one.recipe.digest(),
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        width=size[0],
        height=size[1],
    )


def draw(path, at, *, broken=False, label=""):
    """Draw a small landscape that no other number gives, and return the fact of it."""
    sizes = ((240, 240), (240, 160), (160, 240))
    size = sizes[at % 3]
    hue = at * 47 % 360
    image = Image.new("RGB", size, f"hsl({hue}, 45%, 72%)")
    pen = ImageDraw.Draw(image)
    across, down = size
    pen.ellipse(
        (across * 0.55, down * 0.15, across * 0.8, down * 0.15 + across * 0.25), fill=f"hsl({hue + 40}, 80%, 88%)"
    )
    for layer in range(3):
        top = down * (0.5 + layer * 0.15)
        lift = down * 0.12 * ((at * (layer + 3)) % 7) / 7
        points = [
            (0, down),
            (0, top),
            (across * 0.4, top - lift),
            (across * 0.7, top + lift / 2),
            (across, top - lift / 2),
            (across, down),
        ]
        pen.polygon(points, fill=f"hsl({hue + 25 * layer}, {35 + 8 * layer}%, {55 - 13 * layer}%)")
    pen.text((8, down - 18), f"{label[:20].encode('ascii', 'replace').decode()} {at}", fill="white")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, "PNG")
    data = path.read_bytes()
    if broken:
        data = data[: len(data) // 2]
        path.write_bytes(data)
    return FileFact(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), width=size[0], height=size[1])


def card(at, text, *, entry, axes, picture=None):
    """Return a card in which everything that can be a text is `text`."""
    return Card(
        name=f"{text}{at}",
        id=f"{text}{at}",
        manifest=text,
        entry=entry,
        axes=axes,
        model=text,
        prompt=text,
        parameters={f"{text}{number}": text for number in range(3)},
        seed=text,
        size=text,
        key=text,
        task=text,
        cost=Decimal("0.03"),
        estimate=None,
        sharing=1,
        state="saved" if picture else "failed",
        reason="" if picture else text,
        path=text,
        picture=picture,
        derived=(
            DerivedFile(path=text, format=text, size=text, sha256="", reason=text),
            *([DerivedFile(path=picture.path, format=text, size=text, sha256="b", reason="")] if picture else []),
        ),
    )


def album(cards, *, manifest="m.yaml", **chosen):
    """Return an album of these cards, a section for each entry."""
    entries = dict.fromkeys(one.entry for one in cards)
    sections = tuple(section(manifest, name, tuple(one for one in cards if one.entry == name)) for name in entries)
    return Album(manifests=(manifest,), simulated=False, sections=sections, **chosen)


def section(manifest, name, cards):
    axes = tuple(dict.fromkeys(axis for one in cards for axis in one.axes))
    return Section(name=name, manifest=manifest, entry=name, cards=cards, varying=axes, labels=axes)


def picture(path, sha256="a" * 64):
    return Picture(path=path, sha256=sha256, width=240, height=160)
