"""A classifier simple enough to know every answer: which of 64 colours is the picture's mean?

With mean colour m (0..1) and colours c, the logits -k |m - c|^2 differ by the same constant from
k (2 m.c - |c|^2), which is linear in m: global average pooling and one fully connected layer.
"""

from collections.abc import Collection, Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

INPUT_SIDE = 8
RESIZE_SIDE = 10
_LEVELS = (32, 96, 160, 224)
_SHARPNESS = 100.0

COLOURS: tuple[tuple[int, int, int], ...] = tuple(product(_LEVELS, _LEVELS, _LEVELS))
"""RGB of each class, by class index."""

_UNIT = np.array(COLOURS, np.float64) / 255
WEIGHT: NDArray[np.float32] = (2 * _SHARPNESS * _UNIT.T).astype(np.float32)
"""float32 [3, classes]."""
BIAS: NDArray[np.float32] = (-_SHARPNESS * (_UNIT**2).sum(axis=1)).astype(np.float32)
"""float32 [classes]."""


def colour_outputs(
    images: NDArray[np.uint8], outputs: Collection[str]
) -> Mapping[str, NDArray[np.float32]]:
    """What the colour classifier computes for uint8 [batch, height, width, 3]."""
    pixels = (images / 255).astype(np.float32)
    embedding = pixels.mean(axis=(1, 2))
    everything: dict[str, NDArray[np.float32]] = {
        "logits": embedding @ WEIGHT + BIAS,
        "embedding": embedding,
        "cam": (pixels @ WEIGHT).transpose(0, 3, 1, 2),
    }
    return {name: everything[name] for name in outputs}
