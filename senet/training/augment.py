"""Augmentation, a pure function of its random generator: nothing hidden to save or restore."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from senet.training.distortion import distorted

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""ITU-R BT.601 weights of red, green and blue."""


def augment(
    photo: NDArray[np.uint8], size: int, rng: np.random.Generator, *, distortion: float = 0.0
) -> NDArray[np.float32]:
    """Random resized crop, horizontal flip, distortion and colour jitter.

    Args:
        photo: uint8 [height, width, 3].
        size: side in pixels of the result.
        rng: the only source of randomness.
        distortion: probability of `distorted`.

    Returns:
        float32 [size, size, 3] in 0..255.
    """
    box = crop_box(photo.shape[1], photo.shape[0], rng)
    crop = Image.fromarray(photo).resize((size, size), Image.Resampling.BILINEAR, box=box)
    if rng.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if distortion and rng.random() < distortion:
        crop = distorted(crop, rng)
    return jitter(np.asarray(crop, dtype=np.float32), rng)


def crop_box(
    width: int,
    height: int,
    rng: np.random.Generator,
    area: tuple[float, float] = (0.35, 1.0),
    aspect: tuple[float, float] = (1 / 2, 2),
) -> tuple[float, float, float, float]:
    """Draws a crop of random area and aspect ratio (Szegedy et al. 2015, section 6).

    Returns:
        (left, top, right, bottom) in pixels, inside the photo.
    """
    wanted = width * height * rng.uniform(*area)
    ratio = math.exp(rng.uniform(math.log(aspect[0]), math.log(aspect[1])))
    crop_width = min(width, math.sqrt(wanted * ratio))
    crop_height = min(height, math.sqrt(wanted / ratio))
    left = rng.uniform(0, width - crop_width)
    top = rng.uniform(0, height - crop_height)
    return left, top, left + crop_width, top + crop_height


def jitter(
    image: NDArray[np.float32], rng: np.random.Generator, strength: float = 0.3, grey: float = 0.05
) -> NDArray[np.float32]:
    """Varies brightness, contrast and saturation; with probability `grey` drops all colour.

    Args:
        image: float32 [height, width, 3] in 0..255.
        rng: the only source of randomness.
        strength: each factor is drawn from 1 - strength .. 1 + strength.
        grey: probability of a greyscale result.
    """
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, size=3)
    if rng.random() < grey:
        saturation = 0.0
    luma = image @ _LUMA
    mean = np.float32(luma.mean() * (1 - contrast))
    # Saturation blends with luma, contrast with its mean; both are linear, so one pass does.
    scaled = image * np.float32(contrast * saturation)
    scaled += (luma * np.float32(contrast * (1 - saturation)) + mean)[..., None]
    scaled *= np.float32(brightness)
    return np.clip(scaled, 0, 255, out=scaled)


def mix(images: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Mixes each image with its neighbour in the batch: mixup or CutMix, at even odds.

    Mixup (Zhang et al. 2018) blends whole images with a weight from Beta(0.2, 0.2); CutMix
    (Yun et al. 2019) pastes a rectangle whose area is uniform. Targets mix in proportion.

    Args:
        images: float32 [batch, 3, height, width].
        targets: class probabilities, float32 [batch, classes].
        rng: the only source of randomness.
    """
    others, other_targets = images.roll(1, 0), targets.roll(1, 0)
    if rng.random() < 0.5:
        share = rng.beta(0.2, 0.2)
        mixed = torch.lerp(images, others, share)
    else:
        height, width = images.shape[2:]
        side = math.sqrt(rng.random())
        rows, columns = round(height * side), round(width * side)
        top = rng.integers(height - rows + 1)
        left = rng.integers(width - columns + 1)
        mixed = images.clone()
        patch = (..., slice(top, top + rows), slice(left, left + columns))
        mixed[patch] = others[patch]
        share = rows * columns / (height * width)
    return mixed, torch.lerp(targets, other_targets, share)
