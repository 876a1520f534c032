from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image, ImageStat

from flux_pipeline.simulator.pictures import Picture, encoded

BASE = Picture(prompt="A teal bottle on marble", seed="1", width=320, height=256, format="png", model="flux-2-pro-t2i")


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("form", ["png", "jpeg"])
@pytest.mark.parametrize(("width", "height"), [(64, 64), (2048, 64), (64, 2048), (768, 768), (1344, 768)])
def test_a_picture_has_exactly_the_size_and_format_that_were_asked_for(form, width, height):
    image = opened(encoded(replace(BASE, width=width, height=height, format=form)))
    assert (image.format, image.size, image.mode) == (form.upper(), (width, height), "RGB")


def test_the_same_parameters_give_the_same_bytes():
    assert encoded(BASE) == encoded(BASE)


@pytest.mark.parametrize("change", [{"prompt": "A red bottle on marble"}, {"seed": "2"}, {"model": "flux-2-flex-t2i"}])
def test_another_prompt_seed_or_model_gives_another_picture(change):
    assert encoded(replace(BASE, **change)) != encoded(BASE)


@pytest.mark.parametrize(("word", "channel"), [("red", 0), ("green", 1), ("blue", 2)])
def test_a_colour_word_in_the_prompt_tints_the_picture(word, channel):
    mean = ImageStat.Stat(opened(encoded(replace(BASE, prompt=f"a {word} kettle")))).mean
    assert max(range(3), key=lambda index: mean[index]) == channel


@pytest.mark.parametrize("prompt", ["", "x" * 70_000, "word " * 9_000, "绿色的瓶子 \u202e \x00\n\t", "🎨" * 50])
@pytest.mark.parametrize("size", [64, 512])
def test_any_prompt_can_be_drawn(prompt, size):
    assert opened(encoded(replace(BASE, prompt=prompt, width=size, height=size))).size == (size, size)


def test_no_picture_is_blank():
    assert min(ImageStat.Stat(opened(encoded(BASE))).stddev) > 20
