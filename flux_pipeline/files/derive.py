"""[Pillow] Make further sizes and formats of a checked picture: a file in, bytes out, and always the same ones.

Everything goes in and comes out as plain values, so that `develop` can run in a child process as it stands.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from PIL import Image, PngImagePlugin, features

from flux_pipeline.files import image as pictures
from flux_pipeline.files import walk
from flux_pipeline.files.image import Rejected

if TYPE_CHECKING:
    from pathlib import Path

_SOURCE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
# What the file says of itself, in the words of the IPTC: made by a trained model. No time and no place is in it.
XMP: Final = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
    f"<Iptc4xmpExt:DigitalSourceType>{_SOURCE}</Iptc4xmpExt:DigitalSourceType>"
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
    '<?xpacket end="r"?>'
)
_FEATURES: Final = {"png": "zlib", "jpeg": "jpg", "webp": "webp", "avif": "avif"}
# Every option that has a say in the bytes is stated: another default of a later Pillow must not change them.
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "png": {"compress_level": 6, "optimize": False},
    "jpeg": {"optimize": True, "progressive": False, "subsampling": "4:2:0"},
    "webp": {"method": 4, "lossless": False, "exact": False, "alpha_quality": 100},
    "avif": {"speed": 6, "subsampling": "4:2:0", "range": "full", "max_threads": 1, "autotiling": False},
}
# The colours that each format can hold; what is not among them becomes RGB, or RGBA where it can be seen through.
_MODES: Final = {
    "png": ("L", "LA", "RGB", "RGBA"),
    "jpeg": ("L", "RGB", "CMYK"),
    "webp": ("RGB", "RGBA"),
    "avif": ("L", "RGB", "RGBA"),
}
_PROFILES: Final = {b"GRAY": ("L", "LA"), b"RGB ": ("RGB", "RGBA"), b"CMYK": ("CMYK",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A file to make: `format` is png, jpeg, webp or avif, and `width` times `height` its size in pixels.

    `cover` cuts the picture to the ratio of that size, from the centre. `quality` is None for png. `master` is the
    SHA-256 of the picture that it is made of.
    """

    format: str
    width: int
    height: int
    cover: bool
    quality: int | None
    master: str


def can_write(form: str) -> bool:
    """Tell whether the Pillow that is installed can write files of a format."""
    return bool(features.check(_FEATURES[form]))


def develop(path: Path, order: Order) -> bytes | Rejected:
    """Return the file that the picture at `path` gives, or why there is none.

    Raises DiskError when the disk does not give the picture; whatever an encoder can raise is a Rejected.
    """
    try:
        data = pictures.read(path)
    except walk.FlawError as flaw:
        return Rejected(str(flaw))
    try:
        if hashlib.sha256(data).hexdigest() != order.master:
            return Rejected("is not the picture that was saved: it was changed meanwhile")
        made = _encoded(data, order)
    except MemoryError:
        return Rejected("needs more memory than there is to be made into another size or format")
    except Exception as error:  # noqa: BLE001 -- an encoder may raise anything, and it costs this file only
        return Rejected(f"cannot be made into {order.format}: {pictures.words_of(error)}")
    return made if len(made) <= walk.LIMIT_BYTES else Rejected(f"gives more than {walk.LIMIT_BYTES} bytes")


def _encoded(data: bytes, order: Order) -> bytes:
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as master:
        master.load()
        profile = master.info.get("icc_profile")
        image = _fitted(_straight(master), order, (order.width, order.height))
    image = _coloured(image, order.format)
    image.info = {}  # comments, times and what else an encoder would copy
    options = dict(_OPTIONS[order.format])
    if order.quality is not None:
        options["quality"] = order.quality
    if order.format == "avif" and image.mode == "L":
        options["subsampling"] = "4:0:0"
    if order.format == "png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP)
        options["pnginfo"] = info
    else:
        options["xmp"] = XMP.encode()
    if isinstance(profile, bytes) and image.mode in _PROFILES.get(profile[16:20], ()):
        options["icc_profile"] = profile
    out = io.BytesIO()
    image.save(out, order.format, **options)
    return out.getvalue()


def _straight(image: Image.Image) -> Image.Image:
    """Return an image whose values are shades, 8 bits each, and not places in a palette or a colour to look through."""
    if image.mode == "I;16":
        image = image.point(lambda shade: shade * (1 / 257)).convert("L")  # which alone would clip all but the darkest
    if "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode in {"P", "PA"}:
        return image.convert("RGBA" if image.mode == "PA" else "RGB")
    return image.convert("L") if image.mode in {"1", "I", "F"} else image


def _fitted(image: Image.Image, order: Order, size: tuple[int, int]) -> Image.Image:
    width, height = image.size
    across, down = float(width), float(height)
    if order.cover and width * size[1] > size[0] * height:
        across = height * size[0] / size[1]
    elif order.cover:
        down = width * size[1] / size[0]
    left, top = (width - across) / 2, (height - down) / 2
    box = (left, top, left + across, top + down)
    if image.size == size and box == (0, 0, width, height):
        return image.copy()
    return image.resize(size, Image.Resampling.LANCZOS, box)  # alpha is taken into account by Pillow itself


def _coloured(image: Image.Image, form: str) -> Image.Image:
    """Return the image in colours that the format has; what can be seen through shows white where it cannot be kept."""
    if image.mode in {"LA", "RGBA"} and form == "jpeg":
        white = Image.new("RGBA", image.size, "white")
        flat = Image.alpha_composite(white, image.convert("RGBA"))
        return flat.convert("L" if image.mode == "LA" else "RGB")
    if image.mode in _MODES[form]:
        return image
    return image.convert("RGBA" if image.mode in {"LA", "RGBA"} else "RGB")
