"""The pictures that the corpus is made from."""

from io import BytesIO

import numpy as np
from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""The accepted formats, by Pillow's names."""


def picture(width: int = 120, height: int = 90) -> Image.Image:
    """A smooth RGB picture with some grain; the same one for the same size."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    waves = np.stack([x, y, (1 + np.sin(9 * x + 5 * y)) / 2], axis=2)
    grain = np.random.default_rng(width * height).normal(0, 6, waves.shape)
    return Image.fromarray((waves * 200 + 28 + grain).clip(0, 255).astype(np.uint8))


def encode(image: Image.Image, image_format: str, **options: object) -> bytes:
    """The picture's bytes; `options` go to Pillow's `save`."""
    if image_format == "AVIF":
        options = {"speed": 10} | options  # its encoder is slow
    buffer = BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()
