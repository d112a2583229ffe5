"""Decoded pixels of any kind -> pixels that can be averaged."""

import numpy as np
from PIL import Image

from app.contract.errors import UnsupportedImageFormat

_TIFF_BITS, _TIFF_PHOTOMETRIC = 258, 262
_WHITE_IS_ZERO = 0


def averageable(image: Image.Image) -> Image.Image:
    """The image in a mode whose pixels can be averaged: L, RGB, CMYK, YCbCr, LA or RGBA.

    Raises:
        UnsupportedImageFormat: if nothing says how its pixels look.
    """
    if image.mode.startswith("I;16"):
        return _eight_bits(image)
    if "transparency" in image.info or image.mode == "PA":
        return image.convert("RGBA")
    if image.mode == "P":
        return image.convert("RGB")
    if image.mode == "1":
        return image.convert("L")
    if image.mode not in ("L", "RGB", "CMYK", "YCbCr", "LA", "RGBA"):
        raise UnsupportedImageFormat(f"pixels of Pillow mode {image.mode} are not accepted")
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """The upper 8 bits of grey samples of up to 16 bits, black being zero."""
    bits, white_is_zero = 16, False
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]  # a TiffImageFile, by its format
        bits = tags[_TIFF_BITS][0]
        white_is_zero = tags.get(_TIFF_PHOTOMETRIC, _WHITE_IS_ZERO) == _WHITE_IS_ZERO
    samples = np.array(image)
    grey = Image.fromarray((samples >> (bits - 8)).astype(np.uint8) ^ (0xFF * white_is_zero))
    transparent = image.info.get("transparency")
    if transparent is not None:
        grey.putalpha(Image.fromarray(((samples != transparent) * 255).astype(np.uint8)))
    return grey
