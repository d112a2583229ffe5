"""What is sent: the photos of a folder, or drawn pictures that cost about as much to decode."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from app.contract.photo_folder import photo_files

_MOST_PHOTOS = 256
_DRAWN = 8
_SIZE = (500, 375)
_QUALITY = 90


def read_photos(folder: Path) -> list[bytes]:
    """The first photos of a folder and its folders, by name.

    Raises:
        ConfigurationError: if there are none.
    """
    return [file.read_bytes() for file in photo_files("photos", folder)[:_MOST_PHOTOS]]


def draw_pictures() -> list[bytes]:
    """JPEGs of 500 x 375 with coarse and fine structure, the same ones each time."""
    generator = np.random.default_rng(0)
    return [_draw(generator) for _ in range(_DRAWN)]


def _draw(generator: np.random.Generator) -> bytes:
    width, height = _SIZE
    coarse = Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(_SIZE, Image.Resampling.BICUBIC), np.float32)
    grain = generator.normal(0, 8, (height, width, 1))
    pixels = np.clip(smooth + grain, 0, 255).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
