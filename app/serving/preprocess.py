"""Bytes of an image -> the network's uint8 input.

The one implementation of it: export, evaluation, calibration and serving all call `preprocess`.
"""

import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.errors import ImageError, ImageTooLarge, InvalidImage, UnsupportedImageFormat
from app.repository.manifest import Preprocessing
from app.serving.decoding import open_image, sniff
<<<<<<< HEAD
from app.serving.pixels import averageable

# How Pillow and its codecs say that a file asks for more than they can do.
_UNSUPPORTED = re.compile("unsupported|not implemented|no codec", re.IGNORECASE)
_EXIF_ORIENTATION = 0x0112
# EXIF orientation -> the transposition that undoes it (EXIF 2.32, section 4.6.4).
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
=======
from app.serving.geometry import Size, resized_size, source_box
from app.serving.orientation import UPRIGHT, read_orientation
from app.serving.resampling import resample

# How much longer than in the resized photo the JPEG decoder leaves both sides, at least: what it
# does not average, the filter does. Twice is 0.3 to 0.6 grey levels from full decoding on the mean,
# once 1.1 to 2.0 (docs/preprocessing.md). The exact geometry is older than this and keeps its 1.
_DECODED_MARGIN = 2
>>>>>>> geometry


def preprocess(data: bytes, preprocessing: Preprocessing, *, max_pixels: int) -> NDArray[np.uint8]:
    """Decodes, orients, resizes and crops one image.

    Only what the crop covers is resampled. With the geometry `torchvision` that equals resizing
    the whole and cropping it, as torchvision does, up to one grey level in a few hundred pixels.

    Args:
        data: an encoded JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF; of an animation the first
            frame counts.
        preprocessing: the model's contract.
        max_pixels: largest width * height; judged by the header, before decoding.

    Returns:
        uint8 [crop_height, crop_width, 3], RGB.

    Raises:
        UnsupportedImageFormat: if the bytes are in no accepted format.
        ImageTooLarge: if the image has more than `max_pixels` pixels.
        InvalidImage: if it is truncated or corrupt.
    """
    image_format = sniff(data)
    if image_format is None:
        raise UnsupportedImageFormat("not a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF image")
    try:
        with open_image(data, image_format, max_pixels=max_pixels) as image:
            return _to_input(image, preprocessing)
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageTooLarge(f"decoding this {image_format} needs too much memory") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(f"more than {max_pixels} pixels") from error
    except Exception as error:
        if _UNSUPPORTED.search(str(error)):
            raise UnsupportedImageFormat(f"{image_format}: {error}") from error
        # Whatever else a decoder raises on these bytes (OSError, SyntaxError, struct.error, ...)
        # means that they do not hold an image of the format they begin like.
        raise InvalidImage(f"truncated or corrupt {image_format} image") from error


def _to_input(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
<<<<<<< HEAD
    if preprocessing.scaled_decoding:
        side = preprocessing.resize_shorter_side
        ratio = side / min(image.size)
        # Only the JPEG decoder acts on this. It keeps both sides at least as long as asked.
        image.draft(
            None, (max(side, int(image.width * ratio)), max(side, int(image.height * ratio)))
        )
    image.load()
    transposition = (
        _TRANSPOSITIONS.get(_orientation(image)) if preprocessing.exif_transpose else None
    )
    swapped = transposition is not None and transposition in (
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_90,
    )
    size = (preprocessing.crop_width, preprocessing.crop_height)
    small = _resize_to_crop(averageable(image), size[::-1] if swapped else size, preprocessing)
    if transposition is not None:
        small = small.transpose(transposition)
=======
    stored, factor = _load(image, preprocessing)
    orientation = read_orientation(image) if preprocessing.exif_transpose else UPRIGHT
    size = orientation.turned(stored)
    left, top, right, bottom = orientation.stored(source_box(size, preprocessing), size)
    crop = orientation.turned((preprocessing.crop_width, preprocessing.crop_height))
    box = (left / factor, top / factor, right / factor, bottom / factor)
    small = orientation.upright(resample(_resizable(image), crop, box, preprocessing))
>>>>>>> geometry
    return np.asarray(_composite(small, preprocessing.background))


def _load(image: Image.Image, preprocessing: Preprocessing) -> tuple[Size, float]:
    """Decodes the pixels.

    Returns:
        The size of the photo, and by how much its sides were divided in decoding.
    """
    size, drafted = image.size, None
    if preprocessing.scaled_decoding and preprocessing.geometry != "squash":
        # Only the JPEG decoder acts on this. It keeps both sides at least as long as asked.
        drafted = image.draft(None, _least_decoded(size, preprocessing))
    image.load()
    if drafted is None or preprocessing.geometry == "exact":
        # Loading turns a TIFF upright. The exact geometry centres its box in what was decoded.
        return image.size, 1
    return size, size[0] / drafted[1][2]


def _least_decoded(size: Size, preprocessing: Preprocessing) -> Size:
    if preprocessing.geometry == "exact":
        side = preprocessing.resize_shorter_side
        ratio = side / min(size)
        return max(side, int(size[0] * ratio)), max(side, int(size[1] * ratio))
    width, height = resized_size(size, preprocessing)
    return _DECODED_MARGIN * width, _DECODED_MARGIN * height


<<<<<<< HEAD
def _resize_to_crop(
    image: Image.Image, size: tuple[int, int], preprocessing: Preprocessing
) -> Image.Image:
    """Resamples the centre region that the crop covers to `size` (width, height)."""
    scale = min(image.size) / preprocessing.resize_shorter_side
    width, height = size[0] * scale, size[1] * scale
    # Where the crop is as large as the image, rounding could set it a hair outside.
    left, top = max(0.0, (image.width - width) / 2), max(0.0, (image.height - height) / 2)
    box = (left, top, min(left + width, image.width), min(top + height, image.height))
    resampling = _RESAMPLING[preprocessing.interpolation]
    if preprocessing.antialias:
        return image.resize(size, resampling, box=box)
    return image.transform(size, Image.Transform.EXTENT, box, resampling)
=======
def _resizable(image: Image.Image) -> Image.Image:
    """The image in a mode whose pixels can be averaged: L, RGB, CMYK, YCbCr, LA or RGBA."""
    if image.mode.startswith("I"):
        # 16-bit greyscale ("I;16...", or "I" from some files): keep the upper 8 bits.
        samples = np.array(image)
        if image.mode == "I":
            np.clip(samples, 0, 65535, out=samples)
        return Image.fromarray((samples >> 8).astype(np.uint8))
    if "transparency" in image.info or image.mode == "PA":
        return image.convert("RGBA")
    if image.mode == "P":
        return image.convert("RGB")
    if image.mode == "1":
        return image.convert("L")
    if image.mode not in ("L", "RGB", "CMYK", "YCbCr", "LA", "RGBA"):
        raise UnsupportedImageFormat(f"pixels of Pillow mode {image.mode} are not accepted")
    return image
>>>>>>> geometry


def _composite(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    if image.mode not in ("LA", "RGBA"):
        return image.convert("RGB")
    canvas = Image.new("RGBA", image.size, (*background, 255))
    canvas.alpha_composite(image.convert("RGBA"))
    return canvas.convert("RGB")
