"""Photos as they were not in training."""

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageFilter

_BLUR_RADIUS = 3
_NOISE = 25.0
_DARKNESS = 0.25


def _blurred(photo: Image.Image) -> Image.Image:
    return photo.filter(ImageFilter.GaussianBlur(_BLUR_RADIUS))


def _noisy(photo: Image.Image) -> Image.Image:
    pixels = np.asarray(photo, np.float64)
    noise = np.random.default_rng(int(pixels.sum())).normal(0, _NOISE, pixels.shape)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def _dark(photo: Image.Image) -> Image.Image:
    return photo.point([round(level * _DARKNESS) for level in range(256)] * 3)


def _swapped(photo: Image.Image) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(np.asarray(photo)[..., ::-1]))


def _encoded(change: Callable[[Image.Image], Image.Image]) -> Callable[[bytes], bytes]:
    def spoil(data: bytes) -> bytes:
        with Image.open(io.BytesIO(data)) as photo:
            changed = change(photo.convert("RGB"))
        file = io.BytesIO()
        changed.save(file, "JPEG", quality=95)
        return file.getvalue()

    return spoil


SPOILERS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        "unchanged": lambda data: data,
        "blur": _encoded(_blurred),
        "noise": _encoded(_noisy),
        "dark": _encoded(_dark),
        "wrong colour order": _encoded(_swapped),
    }
)
"""By name: an encoded photo, changed."""
