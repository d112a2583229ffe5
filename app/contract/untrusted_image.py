"""What may be done with an image that nobody trusts, and how its faults are told."""

import re
from collections.abc import Callable
from typing import TypeVar

from PIL import Image

from app.contract.decoding import LargeImage, open_image, sniff
from app.contract.errors import ImageError, ImageTooLarge, InvalidImage, UnsupportedImageFormat
from app.contract.image_files.other_kinds import other_kind

Result = TypeVar("Result")

# How Pillow and its codecs say that a file asks for more than they can do.
_UNSUPPORTED = re.compile("unsupported|not implemented|no codec", re.IGNORECASE)


def with_image(data: bytes, use: Callable[[Image.Image], Result], *, max_pixels: int) -> Result:
    """Opens an image, which `use` decodes, and closes it again.

    Args:
        data: an encoded JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF; of an animation the first
            frame counts.
        use: gets the opened image, judged by its header and not decoded yet.
        max_pixels: largest width * height.

    Returns:
        What `use` returned.

    Raises:
        UnsupportedImageFormat: if the bytes are in no accepted format.
        ImageTooLarge: if the image has more than `max_pixels` pixels.
        InvalidImage: if it is truncated or corrupt.
        LargeImage: if `use` raises it.
    """
    image_format = sniff(data)
    if image_format is None:
        kind = other_kind(data)
        raise UnsupportedImageFormat(
            "not a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF image"
            + (f" but, as it begins, {kind}" if kind else "")
        )
    try:
        with open_image(data, image_format, max_pixels=max_pixels) as image:
            return use(image)
    except (ImageError, LargeImage):
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
