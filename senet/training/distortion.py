"""One random distortion of a photo (Mueller and Hutter 2021, "TrivialAugment")."""

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

# What lies beyond the edges: the mean colour of ImageNet's photos.
_BEYOND = (124, 116, 104)
_KINDS = 10
_SHEAR = 0.5
_SHIFT = 0.3
_DEGREES = 60.0


def distorted(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Applies one operation of ten, the identity among them, at a random strength.

    Args:
        photo: RGB, square.
        rng: the only source of randomness.
    """
    strength = rng.uniform(-1, 1)
    match int(rng.integers(_KINDS)):
        case 0:
            return _moved(photo, across=_SHEAR * strength)
        case 1:
            return _moved(photo, down=_SHEAR * strength)
        case 2:
            return _moved(photo, right=_SHIFT * strength)
        case 3:
            return _moved(photo, below=_SHIFT * strength)
        case 4:
            return photo.rotate(_DEGREES * strength, Image.Resampling.BILINEAR, fillcolor=_BEYOND)
        case 5:
            return ImageOps.posterize(photo, 8 - round(5 * abs(strength)))
        case 6:
            return ImageOps.solarize(photo, round(255 * (1 - abs(strength))))
        case 7:
            return ImageOps.autocontrast(photo) if strength < 0 else ImageOps.equalize(photo)
        case 8:
            return ImageEnhance.Sharpness(photo).enhance(1 + 0.95 * strength)
        case _:
            return photo


def _moved(
    photo: Image.Image,
    *,
    across: float = 0.0,
    down: float = 0.0,
    right: float = 0.0,
    below: float = 0.0,
) -> Image.Image:
    """Shears around the middle, or shifts, in parts of the photo's side."""
    side = photo.width
    matrix = (
        1, across, (right - across / 2) * side,
        down, 1, (below - down / 2) * side,
    )  # fmt: skip
    return photo.transform(
        photo.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=_BEYOND
    )
