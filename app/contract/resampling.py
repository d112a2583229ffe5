"""A region of a photo -> the network's height and width, as Pillow resizes whole photos."""

import math

from PIL import Image

from app.contract.errors import ImageTooLarge
from app.contract.geometry import Box, Size
from app.contract.manifest import Preprocessing

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# How far each filter reaches from its centre, in pixels of the smaller of the two pictures.
_REACH = {"nearest": 1, "bilinear": 1, "bicubic": 2, "lanczos": 3}
_PREMULTIPLIED = {"LA": "La", "RGBA": "RGBa"}
# Up to 16 MB, copying the rows that are needed is quicker than a vertical pass over them that
# changes nothing.
_MOST_COPIED_PIXELS = 4_000_000
# A whole photo is resized at the cost of weights and an intermediate picture that grow with its
# longer side: at this length, 200 MB.
_LONGEST_SQUASHED = 100_000


def resample(image: Image.Image, size: Size, box: Box, preprocessing: Preprocessing) -> Image.Image:
    """Resizes the region `box` of `image` to `size`.

    Args:
        image: in a mode whose pixels can be averaged.
        size: of the result.
        box: a region within `image`.
        preprocessing: says how.

    Raises:
        ImageTooLarge: if a side of a photo that is to be squashed is absurdly long.
    """
    resampling = _RESAMPLING[preprocessing.interpolation]
    if not preprocessing.antialias:
        return image.transform(size, Image.Transform.EXTENT, box, resampling)
    if preprocessing.geometry == "exact":
        return image.resize(size, resampling, box=box)
    if preprocessing.geometry == "squash":
        return _squashed(image, size, box, preprocessing)
    return _in_two_passes(image, size, box, preprocessing.interpolation)


def _squashed(
    image: Image.Image, size: Size, box: Box, preprocessing: Preprocessing
) -> Image.Image:
    """Resizes the whole, of which the crop is nearly all: exactly what torchvision does."""
    if max(image.size) > _LONGEST_SQUASHED:
        raise ImageTooLarge(
            f"a side of {max(image.size)} pixels; at most {_LONGEST_SQUASHED} can be squashed"
        )
    side = preprocessing.resize_shorter_side
    whole = image.resize((side, side), _RESAMPLING[preprocessing.interpolation])
    left, top = round(box[0] * side / image.width), round(box[1] * side / image.height)
    return whole.crop((left, top, left + size[0], top + size[1]))


def _in_two_passes(image: Image.Image, size: Size, box: Box, interpolation: str) -> Image.Image:
    """First all columns, then all rows, which is how Pillow resizes a whole photo.

    Where it costs less, Pillow 13 takes the rows first: of a whole photo that is more than twice as
    tall as wide, and of some regions of others. Bicubic overshoots and each pass clips to 0..255,
    so that the order can make a difference of more than ten levels at an edge.
    """
    left, top, right, bottom = box
    reach = _REACH[interpolation] * max(1.0, (bottom - top) / size[1]) + 1
    first = max(0, math.floor(top - reach))
    last = min(image.height, math.ceil(bottom + reach))
    rows = last - first
    if rows < image.height and rows * image.width <= _MOST_COPIED_PIXELS:
        image = image.crop((0, first, image.width, last))
        top, bottom, first, last = top - first, bottom - first, 0, rows

    mode, resampling = image.mode, _RESAMPLING[interpolation]
    if mode in _PREMULTIPLIED and resampling is not Image.Resampling.NEAREST:
        # Once for both passes; Pillow would go there and back in each.
        image = image.convert(_PREMULTIPLIED[mode])
    narrow = image.resize((size[0], rows), resampling, (left, first, right, last))
    resized = narrow.resize(size, resampling, (0, top - first, size[0], bottom - first))
    return resized if resized.mode == mode else resized.convert(mode)
