"""Images on their way to the network, as these tests compare them."""

import numpy as np
from numpy.typing import NDArray

from app.contract.manifest import Preprocessing
from app.contract.preprocess import preprocess

PLAIN = Preprocessing(resize_shorter_side=40, crop_height=32, crop_width=36, scaled_decoding=False)


def prepared(data: bytes, max_pixels: int = 1_000_000) -> NDArray[np.uint8]:
    """The network's input: uint8 [32, 36, 3]."""
    return preprocess(data, PLAIN, max_pixels=max_pixels)


def difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean absolute difference in levels."""
    return float(np.abs(a.astype(np.int64) - b).mean())
