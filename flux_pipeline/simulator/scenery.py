"""Landscapes in the colours that a prompt names: a sky, a sun, and hills that fade with distance."""

from __future__ import annotations

import colorsys
import math
import random
import re
from dataclasses import dataclass

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]

_HILLS = 5
_POINTS = 96

# Words a prompt may use for a colour, or for a thing of that colour: hue in degrees, saturation, brightness.
_WORDS: dict[str, tuple[float, float, float]] = {
    "red": (356, 0.72, 0.86),
    "crimson": (348, 0.80, 0.78),
    "scarlet": (8, 0.80, 0.88),
    "pink": (338, 0.48, 0.95),
    "rose": (342, 0.50, 0.90),
    "magenta": (316, 0.68, 0.86),
    "orange": (26, 0.78, 0.95),
    "copper": (20, 0.60, 0.78),
    "amber": (38, 0.78, 0.94),
    "gold": (44, 0.66, 0.90),
    "golden": (44, 0.66, 0.92),
    "yellow": (50, 0.68, 0.96),
    "sand": (38, 0.34, 0.90),
    "brown": (24, 0.52, 0.56),
    "wood": (26, 0.46, 0.62),
    "lime": (80, 0.66, 0.86),
    "olive": (66, 0.50, 0.58),
    "green": (136, 0.56, 0.66),
    "forest": (146, 0.56, 0.50),
    "mint": (156, 0.36, 0.88),
    "emerald": (154, 0.68, 0.66),
    "teal": (178, 0.66, 0.66),
    "turquoise": (174, 0.58, 0.82),
    "cyan": (186, 0.60, 0.90),
    "ocean": (200, 0.66, 0.74),
    "sky": (204, 0.46, 0.94),
    "blue": (216, 0.68, 0.86),
    "navy": (222, 0.72, 0.44),
    "indigo": (242, 0.60, 0.62),
    "violet": (268, 0.52, 0.80),
    "purple": (280, 0.54, 0.70),
    "lavender": (258, 0.28, 0.93),
    "black": (232, 0.22, 0.26),
    "charcoal": (226, 0.14, 0.34),
    "marble": (220, 0.06, 0.88),
    "silver": (214, 0.08, 0.84),
    "grey": (216, 0.06, 0.66),
    "gray": (216, 0.06, 0.66),
    "white": (40, 0.05, 0.98),
    "ivory": (48, 0.14, 0.98),
    "sunset": (14, 0.66, 0.94),
    "dusk": (288, 0.38, 0.70),
    "dawn": (18, 0.42, 0.97),
    "night": (230, 0.58, 0.40),
    "noon": (202, 0.36, 0.98),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """`high` and `low` are the sky from top to horizon, `sun` its light, `near` and `far` the hills."""

    high: Colour
    low: Colour
    sun: Colour
    far: Colour
    near: Colour
    accent: Colour
    ink: Colour


def palette(prompt: str, rng: random.Random) -> Palette:
    """Take the main colour from the first colour word and the light from the second; chance fills in."""
    named = [_WORDS[word] for word in re.findall(r"[a-z]+", prompt[:4000].lower()) if word in _WORDS]
    hue, saturation, value = named[0] if named else (rng.uniform(0, 360), rng.uniform(0.42, 0.66), 0.80)
    hue += rng.uniform(-7, 7)
    turn = rng.choice((-34, -24, 24, 34, 150))
    second = named[1] if len(named) > 1 else (hue + turn, saturation * 0.7, 0.94)
    dark = value < 0.5
    return Palette(
        high=_rgb(hue, saturation * 0.85, value * (0.80 if dark else 0.92)),
        low=_rgb(second[0], min(0.55, second[1] * 0.55), max(0.62 if dark else 0.94, second[2])),
        sun=_rgb(second[0] + 12, 0.14, 1.0),
        far=_rgb(hue, saturation * 0.45, 0.62 if dark else 0.84),
        near=_rgb(hue - 12, min(0.9, saturation * 1.15), 0.16 if dark else 0.26),
        accent=_rgb(second[0], min(0.42, second[1]), 1.0),
        ink=_rgb(hue, min(0.5, saturation), 0.11),
    )


def painted(width: int, height: int, colours: Palette, rng: random.Random) -> Image.Image:
    image = _sky(width, height, colours)
    _sun(image, colours, rng)
    _ridges(image, colours, rng)
    return image


def _sky(width: int, height: int, colours: Palette) -> Image.Image:
    ramp = Image.new("RGB", (1, 3))
    ramp.putpixel((0, 0), colours.high)
    ramp.putpixel((0, 1), mixed(colours.high, colours.low, 0.55))
    ramp.putpixel((0, 2), colours.low)
    column = ramp.resize((1, height), Image.Resampling.BICUBIC)
    return column.resize((width, height), Image.Resampling.NEAREST)


def _sun(image: Image.Image, colours: Palette, rng: random.Random) -> None:
    width, height = image.size
    radius = int(min(width, height) * rng.uniform(0.09, 0.19))
    x, y = int(width * rng.uniform(0.24, 0.76)), int(height * rng.uniform(0.22, 0.42))
    _disc(image, (x, y), radius * 2, mixed(colours.low, colours.sun, 0.5), 46)
    _disc(image, (x, y), int(radius * 1.45), mixed(colours.low, colours.sun, 0.7), 84)
    _disc(image, (x, y), radius, colours.sun, 255)


def _disc(image: Image.Image, centre: tuple[int, int], radius: int, colour: Colour, strength: int) -> None:
    mask = Image.new("L", (4 * radius, 4 * radius), 0)
    ImageDraw.Draw(mask).ellipse((0, 0, 4 * radius - 1, 4 * radius - 1), fill=strength)
    image.paste(colour, (centre[0] - radius, centre[1] - radius), mask.reduce(2))


def _ridges(image: Image.Image, colours: Palette, rng: random.Random) -> None:
    """Lay hills from far to near, each darker and more of the near colour, with smoothed edges."""
    width, height = image.size
    sharp = rng.random() < 0.45
    for hill in range(_HILLS):
        depth = hill / (_HILLS - 1)
        level = height * (0.50 + 0.34 * depth)
        swing = height * (0.085 - 0.03 * depth)
        outline = _outline(width, level, swing, sharp=sharp, rng=rng)
        top = max(0, int(min(y for _, y in outline)) - 1)
        shape = [(2 * x, 2 * (y - top)) for x, y in outline]
        foot = 2 * (height - top)
        mask = Image.new("L", (2 * width, foot), 0)
        ImageDraw.Draw(mask).polygon([(0, foot), *shape, (2 * width, foot)], fill=255)
        image.paste(mixed(colours.far, colours.near, depth**1.15), (0, top), mask.reduce(2))


def _outline(width: int, level: float, swing: float, *, sharp: bool, rng: random.Random) -> list[tuple[float, float]]:
    """Trace a ridge: a few sine waves for dunes, their folded halves for peaks."""
    waves = [(rng.uniform(0.6, 1.4) * (2**n), rng.uniform(0, math.tau), 0.55**n) for n in range(4 if sharp else 2)]
    points = []
    for step in range(_POINTS + 1):
        at = step / _POINTS
        height = 0.0
        for frequency, phase, weight in waves:
            wave = math.sin(math.tau * frequency * at + phase)
            height += weight * ((1 - 2 * abs(wave)) if sharp else wave)
        points.append((at * width, level - swing * height))
    return points


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _rgb(hue: float, saturation: float, value: float) -> Colour:
    channels = colorsys.hsv_to_rgb(hue % 360 / 360, min(1.0, saturation), min(1.0, value))
    red, green, blue = (round(channel * 255) for channel in channels)
    return red, green, blue
