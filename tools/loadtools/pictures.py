"""Photos to send: drawn with the detail of natural ones, or the user's own."""

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from app.contract.errors import ConfigurationError

SMALL, LARGE = (500, 375), (4000, 3000)
"""Width and height of an ImageNet photo, and of a telephone's with 12 megapixels."""
SIZES = ((160, 120), SMALL, (1600, 1200), LARGE)
TINY = (32, 24)
# More than one, so that no cache of one image's answer could tell.
_COUNT = {LARGE: 2}
_USUAL_COUNT = 8
_LARGE_PIXELS = 8_000_000
# A photo's amplitudes fall with about 1/f (Field, "Relations between the statistics of natural
# images", 1987). With this slope, grain and quality a drawn photo of 500 x 375 has 140 kB and
# takes as long to decode as ImageNet's of that size, which have 133 kB.
_SLOPE, _COLOUR_SLOPE = 1.2, 1.6
_CONTRAST, _COLOUR_CONTRAST, _GRAIN = 45.0, 18.0, 2.0
_AS_IMAGENET = {"quality": 95, "subsampling": "4:4:4"}
# As the web sends them: 60 kB for 500 x 375.
_AS_THE_WEB = {"quality": 80, "subsampling": "4:2:0"}
# Cameras keep colour at half the resolution: 3 MB for 12 megapixels.
_AS_CAMERAS = {"quality": 90, "subsampling": "4:2:0"}


def draw(size: tuple[int, int], seed: int) -> Image.Image:
    """A picture of `size` (width, height) with the power spectrum of a natural photo."""
    generator = np.random.default_rng(seed)
    width, height = size
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.arange(width // 2 + 1))
    frequency[0, 0] = 1

    def field(slope: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        phase = np.exp(2j * np.pi * generator.random(frequency.shape))
        values = np.fft.irfft2(phase / frequency**slope, s=(height, width))
        return values / float(values.std())

    brightness = _CONTRAST * field(_SLOPE)
    channels = [brightness + _COLOUR_CONTRAST * field(_COLOUR_SLOPE) for _ in range(3)]
    pixels = np.stack(channels, axis=2) + generator.normal(128, _GRAIN, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def encoded(size: tuple[int, int], seed: int, *, compact: bool = False) -> bytes:
    """A JPEG of such a picture; those above `SMALL` as cameras write them.

    Args:
        size: width and height.
        seed: of the drawing.
        compact: whether it is compressed as the web's are, to less than half the usual size.
    """
    buffer = BytesIO()
    options = _AS_CAMERAS if size[0] > SMALL[0] else _AS_IMAGENET
    if compact:
        options = _AS_THE_WEB
    draw(size, seed).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def drawn(folder: Path, size: tuple[int, int], *, compact: bool = False) -> tuple[Path, ...]:
    """JPEGs of `size` in `folder`; drawn unless they are there. For `compact` see `encoded`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for seed in range(_COUNT.get(size, _USUAL_COUNT)):
        file = folder / f"{size[0]}x{size[1]}{'-web' if compact else ''}-{seed}.jpg"
        if not file.exists():
            file.write_bytes(encoded(size, seed, compact=compact))
        files.append(file)
    return tuple(files)


def given(folder: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The user's photos: at most eight usual ones, and at most two of 8 megapixels and more.

    Raises:
        ConfigurationError: if there is none.
    """
    usual: list[Path] = []
    large: list[Path] = []
    for file in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if file.suffix.lower() in (".jpg", ".jpeg"):
            (large if math.prod(_size(file)) >= _LARGE_PIXELS else usual).append(file)
    if not usual and not large:
        raise ConfigurationError(
            "--photos", f"no JPEG photo below {folder}", "name a folder of photos, or leave it out"
        )
    return _spread(usual, _USUAL_COUNT), _spread(large, _COUNT[LARGE])


def describe(files: Sequence[Path]) -> str:
    """Their sizes, for the reader."""
    sizes = {_size(file) for file in files}
    what = "x".join(map(str, sizes.pop())) if len(sizes) == 1 else f"{len(sizes)} sizes"
    mean = sum(file.stat().st_size for file in files) / len(files)
    return f"{len(files)} JPEG, {what}, {mean / 1000:.0f} kB on average"


def _size(file: Path) -> tuple[int, int]:
    try:
        with Image.open(file) as image:
            return image.size
    except (UnidentifiedImageError, OSError) as error:
        raise ConfigurationError(
            "--photos", f"{file} is not a picture", "repair or remove it"
        ) from error


def _spread(files: Sequence[Path], count: int) -> tuple[Path, ...]:
    step = max(1, len(files) / count)
    return tuple(files[int(index * step)] for index in range(min(count, len(files))))
