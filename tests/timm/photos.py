"""Photos to compare transforms on: drawn in many shapes, and others' in their original sizes."""

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.images import encode, landscape

# Width and height; none more than twice as tall as wide, see `TALL`.
SHAPES = (
    (500, 375), (375, 500), (500, 333), (333, 500), (499, 331), (640, 480), (300, 300), (161, 160),
    (160, 161), (225, 224), (120, 90), (90, 120), (33, 47), (1200, 401), (2000, 90), (401, 800),
)  # fmt: skip
# Of these Pillow 13 resizes the whole by rows before columns.
TALL = ((100, 450), (90, 2000))


def drawn(size: tuple[int, int], image_format: str = "PNG") -> bytes:
    """Detail of every frequency, and edges that bicubic overshoots at."""
    grain = np.random.default_rng(size).normal(0, 30, (size[1], size[0], 3))
    rows, columns = np.indices((size[1], size[0]))
    bars = np.where((rows // 9 + columns // 13) % 2, 60, -60)[..., None]
    pixels = np.asarray(landscape(size)) + grain + bars
    return encode(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), image_format)


def samples(data: Path) -> list[bytes]:
    """The 100 photos of `imagenet-samples`."""
    with tarfile.open(data / "imagenet-samples" / "samples-100-original.tar") as archive:
        members = sorted(archive.getnames())
        files = [archive.extractfile(name) for name in members]
        return [file.read() for file in files if file is not None]


def decoded(data: bytes) -> Image.Image:
    """As torchvision's and timm's data sets load a photo."""
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")
