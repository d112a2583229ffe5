"""How far one computation of a network is from another."""

import numpy as np
from numpy.typing import NDArray

from app.contract.manifest import Parity


def compare(reference: str, expected: NDArray[np.float32], actual: NDArray[np.float32]) -> Parity:
    """How far `actual` logits [n, classes] are from those of `reference`, photo by photo."""
    return Parity(
        reference=reference,
        max_abs_logit_diff=float(np.abs(expected - actual).max()),
        top1_agreement=float((expected.argmax(1) == actual.argmax(1)).mean()),
    )
