"""A class activation map over its photo."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.contract.geometry import Box
from app.contract.oriented_photo import OrientedPhoto

# By strength, dark to light: matplotlib's inferno, every eighth part of it. The page has the same.
_COLOURS = np.array(
    [
        (20, 11, 53), (58, 9, 99), (96, 19, 110), (133, 33, 107), (169, 46, 94), (203, 65, 73),
        (230, 93, 47), (247, 131, 17), (252, 173, 18), (245, 219, 76), (252, 255, 164),
    ],
    np.uint8,
)  # fmt: skip
_UNSEEN = (10, 12, 16)
_UNSEEN_ALPHA = 0.62
# Photographs gain little from more effort, which takes several times as long.
_EFFORT = 3

DRAWING_BYTES = 24 << 20
"""What drawing over a photo of 1,024 by 1,024 pixels takes at most, its PNG included."""


def overlay(
    photo: OrientedPhoto, cam: NDArray[np.float32], crop: Box, opacity: float
) -> Image.Image:
    """Draws a map over the part of the photo that the network saw, and darkens the rest.

    Args:
        photo: the photo.
        cam: float32 [h, w]. What speaks against the class, or hardly for it, lets the photo
            through.
        crop: what the map covers, in pixels of the photo's file.
        opacity: of the map where it is strongest, between 0 and 1.

    Returns:
        An RGB picture of the photo's size.
    """
    height, width = photo.pixels.shape[:2]
    across, down = photo.scale
    left, right = (min(width, max(0, round(edge * across))) for edge in (crop[0], crop[2]))
    top, bottom = (min(height, max(0, round(edge * down))) for edge in (crop[1], crop[3]))
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    whole = Image.fromarray(photo.pixels)
    dark = Image.blend(whole, Image.new("RGB", whole.size, _UNSEEN), _UNSEEN_ALPHA)
    seen = whole.crop((left, top, right, bottom))
    mapped = _coloured(cam, opacity).resize(seen.size, Image.Resampling.BICUBIC)
    seen.paste(mapped, mask=mapped.getchannel("A"))
    dark.paste(seen, (left, top))
    return dark


def to_png(picture: Image.Image) -> bytes:
    """The picture's bytes as a PNG."""
    buffer = BytesIO()
    picture.save(buffer, "PNG", compress_level=_EFFORT)
    return buffer.getvalue()


def _coloured(cam: NDArray[np.float32], opacity: float) -> Image.Image:
    """A pixel for each position, RGBA."""
    most = float(cam.max())
    strength = np.clip(cam / most, 0, 1) if most > 0 else np.zeros_like(cam)
    colour = _COLOURS[np.round(strength * (len(_COLOURS) - 1)).astype(np.intp)]
    alpha = np.round(255 * opacity * np.sqrt(strength)).astype(np.uint8)
    return Image.fromarray(np.dstack([colour, alpha]))
