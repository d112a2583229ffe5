"""Drawn images whose logits are known: the service's self-test before it is ready.

They are drawn and not photographed, so that a model may be passed on without anyone's photo. Like
photos they hold more contrast in coarse structure than in fine: on white noise or a checkerboard
activations leave the range that int8 was calibrated for, and the test would have to allow so much
that it caught little.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.contract.manifest import Input, Precision
from senet.export.parity import MAX_ABS_LOGIT_DIFF
from senet.export.runtime import LOGITS, Run
from senet.export.untrained import variation

INPUTS_FILE = "golden.inputs.npy"
LOGITS_FILE = "golden.logits.npy"
_COUNT = 8
_Plane = NDArray[np.float64]
# Other processors round, and int8 saturates, otherwise than the one that exports.
_MARGIN = 2.0
_LEAST_TOLERANCE = 1e-2


def write(
    directory: Path, size: Input, torch_run: Run, runs: Mapping[Precision, Run]
) -> tuple[dict[Precision, float], float]:
    """Writes the images and the source network's logits for them.

    Args:
        directory: where to.
        size: of the images.
        torch_run: the source network.
        runs: the variants.

    Returns:
        The tolerance of each variant: for fp32 the one of every export, for the others twice
        their difference here. And how much the logits vary over the images.
    """
    images = draw(size)
    logits = torch_run(images)[LOGITS]
    np.save(directory / INPUTS_FILE, images)
    np.save(directory / LOGITS_FILE, logits)
    tolerance: dict[Precision, float] = {}
    for precision, run in runs.items():
        difference = float(np.abs(run(images)[LOGITS] - logits).max())
        tolerance[precision] = max(_MARGIN * difference, _LEAST_TOLERANCE)
    return tolerance | {"fp32": MAX_ABS_LOGIT_DIFF}, variation(logits)


def draw(size: Input) -> NDArray[np.uint8]:
    """Eight images, each a disc of one texture before another; the same at every call.

    Returns:
        uint8 [8, height, width, 3].
    """
    generator = np.random.default_rng(seed=1)
    images = [_image(size, generator) for _ in range(_COUNT)]
    return np.round(np.stack(images) * 255).astype(np.uint8)


def _image(size: Input, generator: np.random.Generator) -> _Plane:
    rows = np.linspace(0, 1, size.height)[:, None] - generator.uniform(0.3, 0.7)
    columns = np.linspace(0, 1, size.width)[None, :] - generator.uniform(0.3, 0.7)
    disc = np.hypot(rows, columns) < generator.uniform(0.2, 0.4)
    object_, background = (_texture(size, generator) for _ in range(2))
    return np.where(disc[..., None], object_, background)


def _texture(size: Input, generator: np.random.Generator) -> _Plane:
    """Coloured noise, float [height, width, 3] within 0..1.

    Its amplitude falls as 1 / frequency, as that of natural images does (Field 1987).
    """
    noise = generator.standard_normal((size.height, size.width))
    frequency = np.hypot(np.fft.fftfreq(size.height)[:, None], np.fft.fftfreq(size.width)[None, :])
    frequency[0, 0] = np.inf
    smooth = np.fft.ifft2(np.fft.fft2(noise) / frequency).real
    smooth /= smooth.std()
    colour = generator.uniform(0.25, 0.75, size=3)
    tint = generator.uniform(0.05, 0.2, size=3)
    return np.clip(colour + smooth[..., None] * tint, 0, 1)
