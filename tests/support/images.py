"""Pictures drawn here, and bytes that only begin like pictures."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image

EXTENSIONS = {
    "JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif",
    "BMP": "bmp", "TIFF": "tiff", "AVIF": "avif",
}  # fmt: skip
"""The accepted formats, by Pillow's names."""


def photo(colour: tuple[int, int, int], size: tuple[int, int] = (48, 40)) -> Image.Image:
    """A grainy RGB picture of `size` (width, height) whose mean is `colour`, within a few levels.

    The grain is the same for equal arguments.
    """
    generator = np.random.default_rng((*colour, *size))
    grain = generator.integers(-24, 25, (size[1], size[0], 3))
    return Image.fromarray((np.array(colour) + grain).clip(0, 255).astype(np.uint8))


def landscape(size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A smooth RGB picture of `size` (width, height) that no flip or turn maps onto itself."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    red = 40 + 180 * x * (1 - y)
    green = 60 + 150 * (1 - y) ** 2
    blue = 30 + 90 * (1 + np.sin(5 * x + 3 * y))
    return Image.fromarray(np.stack([red, green, blue], axis=2).clip(0, 255).astype(np.uint8))


def encode(image: Image.Image, image_format: str = "PNG", **options: object) -> bytes:
    """The picture's bytes; `options` go to Pillow's `save`."""
    buffer = BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def encode_oriented(upright: Image.Image, orientation: int, image_format: str = "JPEG") -> bytes:
    """Stores the picture as a camera held in that EXIF orientation would: turned, and tagged."""
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turns[orientation]) if orientation in turns else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(stored, image_format, exif=exif.tobytes(), quality=95)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and ends after a scrap of pixel data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\x00" * 64))


def truncated_jpeg() -> bytes:
    """The first half of a JPEG."""
    whole = encode(photo((96, 96, 96), (160, 120)), "JPEG")
    return whole[: len(whole) // 2]
