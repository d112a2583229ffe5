"""What the gates of each SE block did over the photos of each class, as an export keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Gates lie between 0 and 1; a byte tells them to 0.002.
_STEPS = 255


@dataclass(frozen=True, slots=True)
class BlockOfClass:
    """The gates of one block over the photos of one class.

    Attributes:
        mean: float [channels].
        spread: float [channels], the standard deviation over the photos.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClassGates:
    """The gates of all blocks over the photos of all classes.

    Attributes:
        blocks: name and channels of each block, in the network's order.
        stored: uint8 [2, classes, channels of all blocks], means and standard deviations in 255ths.
    """

    blocks: Sequence[tuple[str, int]]
    stored: NDArray[np.uint8]

    def of(self, index: int) -> dict[str, BlockOfClass]:
        """Those of one class, by block."""
        parts: dict[str, BlockOfClass] = {}
        start = 0
        for name, channels in self.blocks:
            mean, spread = self.stored[:, index, start : start + channels] / _STEPS
            parts[name] = BlockOfClass(mean, spread)
            start += channels
        return parts


def stored(
    values: NDArray[np.float32], targets: NDArray[np.int64], classes: int
) -> NDArray[np.uint8]:
    """What `ClassGates` keeps of gates; zeros for a class that there is no photo of.

    Args:
        values: float32 [photos, channels of all blocks].
        targets: int64 [photos], index of each photo's class.
        classes: how many there are.
    """
    figures = np.zeros((2, classes, values.shape[1]))
    for index in np.unique(targets):
        own = values[targets == index]
        figures[:, index] = own.mean(0, dtype=np.float64), own.std(0, dtype=np.float64)
    return np.rint(figures * _STEPS).astype(np.uint8)
