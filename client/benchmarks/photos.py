"""Many different photos made of few, by re-encoding."""

import random
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image


def make(sources: Sequence[Path], folder: Path, count: int, seed: int = 0) -> None:
    """Writes `count` JPEG files, each a crop of a source at a quality of its own.

    Args:
        sources: photos to begin with.
        folder: where the files go; those that are there already are kept.
        count: how many there will be.
        seed: of crops and qualities.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        source = sources[number % len(sources)]
        left, top = chance.randrange(8), chance.randrange(8)
        quality = chance.randrange(70, 95)
        path = folder / f"{number:06}.jpg"
        if path.exists():
            continue
        buffer = BytesIO()
        with Image.open(source) as image:
            box = (left, top, image.width - left, image.height - top)
            image.convert("RGB").crop(box).save(buffer, "JPEG", quality=quality)
        path.write_bytes(buffer.getvalue())
