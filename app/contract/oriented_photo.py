"""A photo as a person sees it: upright, and no larger than a screen needs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.contract.decoding import LargeImage, decoding_bytes
from app.contract.manifest import Preprocessing
from app.contract.orientation import UPRIGHT, read_orientation
from app.contract.pixels import averageable
from app.contract.preprocess import composited
from app.contract.untrusted_image import with_image


@dataclass(frozen=True, slots=True)
class OrientedPhoto:
    """An upright photo.

    Attributes:
        pixels: uint8 [height, width, 3], RGB.
        scale: width and height of a pixel of the file in these pixels, at most 1.
    """

    pixels: NDArray[np.uint8]
    scale: tuple[float, float]


def oriented_photo(
    data: bytes,
    preprocessing: Preprocessing,
    longest: int,
    *,
    max_pixels: int,
    max_bytes: int | None = None,
) -> OrientedPhoto:
    """Decodes a photo, turned as the model takes it.

    Args:
        data: the encoded image.
        preprocessing: says whether EXIF turns it, and what lies behind transparency.
        longest: of its sides, in pixels; a smaller photo stays as it is.
        max_pixels: largest width * height of the file.
        max_bytes: the memory that decoding may take; None for as much as it needs.

    Raises:
        ImageError: if it is not an image that the service takes.
        LargeImage: if decoding it takes more than `max_bytes`.
    """

    def use(image: Image.Image) -> OrientedPhoto:
        stored = image.size
        ratio = min(1.0, longest / max(stored))
        # Only the JPEG decoder acts on this. It keeps both sides at least as long as asked.
        image.draft(None, (int(stored[0] * ratio), int(stored[1] * ratio)))
        if max_bytes is not None and decoding_bytes(image, stored) > max_bytes:
            raise LargeImage
        drafted = image.size
        image.load()
        if image.size != drafted:  # loading turns a TIFF upright
            stored = stored[::-1]
        size = (max(1, round(stored[0] * ratio)), max(1, round(stored[1] * ratio)))
        small = averageable(image)
        if small.size != size:
            small = small.resize(size, Image.Resampling.BILINEAR)
        orientation = read_orientation(image) if preprocessing.exif_transpose else UPRIGHT
        upright = composited(orientation.upright(small), preprocessing.background)
        width, height = orientation.turned(stored)
        scale = (upright.width / width, upright.height / height)
        return OrientedPhoto(np.asarray(upright), scale)

    return with_image(data, use, max_pixels=max_pixels)
