"""Pictures that nobody takes for the real thing: the same parameters give the same bytes, in a few milliseconds."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from flux_pipeline.simulator import scenery
from flux_pipeline.simulator.lettering import fitted, font, shortened

if TYPE_CHECKING:
    from flux_pipeline.simulator.scenery import Colour

_MARK = "SIMULATED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a picture depends on; `model` is its short name, `format` is `png` or `jpeg`."""

    prompt: str
    seed: str
    width: int
    height: int
    format: str
    model: str

    @property
    def content_type(self) -> str:
        return f"image/{self.format}"

    @property
    def name(self) -> str:
        return "0.jpg" if self.format == "jpeg" else "0.png"


def encoded(picture: Picture) -> bytes:
    """Draw a picture and return its file."""
    image = draw(picture)
    file = io.BytesIO()
    if picture.format == "jpeg":
        image.save(file, "JPEG", quality=88)
    else:
        image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def draw(picture: Picture) -> Image.Image:
    rng = random.Random(repr((picture.prompt, picture.seed, picture.model)))
    palette = scenery.palette(picture.prompt, rng)
    image = scenery.painted(picture.width, picture.height, palette, rng)
    _caption(image, picture, palette.ink)
    _badge(image, palette.accent)
    return image


def _caption(image: Image.Image, picture: Picture, ink: Colour) -> None:
    """Write prompt, seed and size over a veil that fades in towards the foot of the picture."""
    width, height = image.size
    margin = max(3, min(width, height) // 18)
    size = max(8, min(width, height) // 24)
    lines, face = fitted(picture.prompt, width - 2 * margin, size=size, most=max(1, int(height * 0.3 / (size * 1.3))))
    small = font(max(7, int(size * 0.62)))
    step, foot = int(size * 1.32), int(size * 0.62 * 2.1)
    top = height - margin - foot - step * len(lines)
    veil = _veil(height - max(0, top - 3 * step)).resize((width, height - max(0, top - 3 * step)))
    image.paste(ink, (0, max(0, top - 3 * step)), veil)
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        pen.text((margin, top + number * step), line, font=face, fill=(255, 255, 255))
    facts = f"seed {picture.seed}   ·   {picture.width}x{picture.height}   ·   {picture.model}   ·   {picture.format}"
    facts = shortened(facts, small, width - 2 * margin)
    pen.text((margin, height - margin - int(foot * 0.62)), facts, font=small, fill=(226, 226, 232))


@lru_cache(maxsize=32)
def _veil(height: int) -> Image.Image:
    ramp = Image.linear_gradient("L").resize((1, height), Image.Resampling.BILINEAR)
    return ramp.point([min(224, int(value * 1.9)) for value in range(256)])


def _badge(image: Image.Image, accent: Colour) -> None:
    """Say in the corner, in spaced capitals on a plate, that this is no real render."""
    width, height = image.size
    size = max(7, min(width, height) // 30)
    margin, pad = max(3, min(width, height) // 18), max(2, int(size * 0.7))
    text = " ".join(_MARK) if width > 160 else _MARK
    while font(size).getlength(text) > width - 2 * margin - 2 * pad and size > 6:
        size -= 1
    face = font(size)
    box = (margin, margin, margin + int(face.getlength(text)) + 2 * pad, margin + size + 2 * pad)
    plate = Image.new("L", (box[2] - box[0], box[3] - box[1]), 0)
    ImageDraw.Draw(plate).rounded_rectangle((0, 0, plate.width - 1, plate.height - 1), radius=pad, fill=190)
    image.paste((16, 17, 24), box[:2], plate)
    pen = ImageDraw.Draw(image)
    pen.text((box[0] + pad, (box[1] + box[3]) // 2), text, font=face, fill=accent, anchor="lm")
