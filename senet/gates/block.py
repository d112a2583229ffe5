"""The gates of one SE block over many photos."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEAD_SPREAD = 0.001
"""Spread below which a block's gates are as good as constants."""


@dataclass(frozen=True)
class BlockGates:
    """The gates of one SE block.

    Attributes:
        block: the block's name in the network, such as `layer1.0`.
        values: float32 [photos, channels], each in 0..1.
    """

    block: str
    values: NDArray[np.float32]

    @property
    def mean(self) -> float:
        """Mean over photos and channels."""
        return float(self.values.mean(dtype=np.float64))

    @property
    def spread(self) -> float:
        """Standard deviation over the photos, averaged over the channels."""
        return float(self.values.std(axis=0, dtype=np.float64).mean())

    @property
    def dead(self) -> bool:
        """Whether the gates hardly depend on the photo."""
        return self.spread < DEAD_SPREAD

    def of_class(self, targets: NDArray[np.int64], index: int) -> "BlockGates":
        """The gates of the photos of one class alone.

        Args:
            targets: int64 [photos], index of each photo's class.
            index: the class.
        """
        return BlockGates(self.block, self.values[targets == index])
