"""Bytes of an image -> the network's uint8 input.

The one implementation of it: export, evaluation, calibration and serving all call `preprocess`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.contract.decoding import LargeImage, decoding_bytes
from app.contract.geometry import Box, Size, resized_size, source_box
from app.contract.manifest import Preprocessing
from app.contract.orientation import UPRIGHT, read_orientation
from app.contract.pixels import averageable
from app.contract.resampling import resample
from app.contract.untrusted_image import with_image

# How much longer than in the resized photo the JPEG decoder leaves both sides, at least: what it
# does not average, the filter does. Twice is 0.3 to 0.6 grey levels from full decoding on the mean,
# once 1.1 to 2.0 (docs/preprocessing.md). The exact geometry is older than this and keeps its 1.
_DECODED_MARGIN = 2


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """What the network sees of a photo.

    Attributes:
        pixels: uint8 [crop_height, crop_width, 3], RGB.
        crop: the region of the photo that they show, in pixels of the oriented photo.
    """

    pixels: NDArray[np.uint8]
    crop: Box


def preprocess(
    data: bytes, preprocessing: Preprocessing, *, max_pixels: int, max_bytes: int | None = None
) -> NDArray[np.uint8]:
    """The pixels alone; see `network_input`."""
    return network_input(data, preprocessing, max_pixels=max_pixels, max_bytes=max_bytes).pixels


def network_input(
    data: bytes, preprocessing: Preprocessing, *, max_pixels: int, max_bytes: int | None = None
) -> NetworkInput:
    """Decodes, orients, resizes and crops one image.

    Only what the crop covers is resampled. With the geometry `torchvision` that equals resizing
    the whole and cropping it, as torchvision does, up to one grey level in a few hundred pixels.

    Args:
        data: an encoded JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF; of an animation the first
            frame counts.
        preprocessing: the model's contract.
        max_pixels: largest width * height; judged by the header, before decoding.
        max_bytes: the memory that decoding may take; None for as much as it needs, which is up to
            256 MiB.

    Raises:
        UnsupportedImageFormat: if the bytes are in no accepted format.
        ImageTooLarge: if the image has more than `max_pixels` pixels.
        InvalidImage: if it is truncated or corrupt.
        LargeImage: if decoding it takes more than `max_bytes`.
    """
    return with_image(
        data, lambda image: _to_input(image, preprocessing, max_bytes), max_pixels=max_pixels
    )


def _to_input(
    image: Image.Image, preprocessing: Preprocessing, max_bytes: int | None
) -> NetworkInput:
    photo, stored, factor = _load(image, preprocessing, max_bytes)
    orientation = read_orientation(image) if preprocessing.exif_transpose else UPRIGHT
    size = orientation.turned(stored)
    seen = source_box(size, preprocessing)
    left, top, right, bottom = orientation.stored(seen, size)
    crop = orientation.turned((preprocessing.crop_width, preprocessing.crop_height))
    box = (left / factor, top / factor, right / factor, bottom / factor)
    small = orientation.upright(resample(averageable(image), crop, box, preprocessing))
    if photo != stored:
        seen = source_box(orientation.turned(photo), preprocessing)
    return NetworkInput(np.asarray(composited(small, preprocessing.background)), seen)


def _load(
    image: Image.Image, preprocessing: Preprocessing, max_bytes: int | None
) -> tuple[Size, Size, float]:
    """Decodes the pixels.

    Returns:
        The size of the photo, the size that its crop is to be found in, and by how much the sides
        of that were divided in decoding.
    """
    size, drafted = image.size, None
    if preprocessing.scaled_decoding and preprocessing.geometry != "squash":
        # Only the JPEG decoder acts on this. It keeps both sides at least as long as asked.
        drafted = image.draft(None, _least_decoded(size, preprocessing))
    if max_bytes is not None and decoding_bytes(image, size) > max_bytes:
        raise LargeImage
    image.load()
    if drafted is None:  # loading turns a TIFF upright
        return image.size, image.size, 1
    if preprocessing.geometry == "exact":  # it centres its box in what was decoded
        return size, image.size, 1
    return size, size, size[0] / drafted[1][2]


def _least_decoded(size: Size, preprocessing: Preprocessing) -> Size:
    if preprocessing.geometry == "exact":
        side = preprocessing.resize_shorter_side
        ratio = side / min(size)
        return max(side, int(size[0] * ratio)), max(side, int(size[1] * ratio))
    width, height = resized_size(size, preprocessing)
    return _DECODED_MARGIN * width, _DECODED_MARGIN * height


def composited(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """The picture in RGB, over a background where it is transparent."""
    if image.mode == "RGB":
        return image  # which converting would copy
    if image.mode not in ("LA", "RGBA"):
        return image.convert("RGB")
    canvas = Image.new("RGBA", image.size, (*background, 255))
    canvas.alpha_composite(image.convert("RGBA"))
    return canvas.convert("RGB")
