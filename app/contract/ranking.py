"""Logits -> ranked classes."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import InferenceFailed


class RankedClass(NamedTuple):
    """A class and its score; scores of all classes sum to 1."""

    class_index: int
    score: float


def postprocess(
    logits: NDArray[np.float32], *, temperature: float, top_k: int
) -> list[RankedClass]:
    """Softmax with temperature, then the best classes.

    Args:
        logits: float32 [classes].
        temperature: see `softmax`.
        top_k: most classes to return; more than there are means all.

    Returns:
        Classes by falling score; equal scores by rising index.

    Raises:
        InferenceFailed: if a logit is not finite, as after an overflow in fp16.
    """
    scores = softmax(logits, temperature)
    best = np.argsort(-scores, kind="stable")[:top_k]
    return list(map(RankedClass, best.tolist(), scores[best].tolist()))


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """The scores of all classes of one image.

    Args:
        logits: float32 [classes].
        temperature: the logits are divided by it (Guo et al. 2017, section 4.2).

    Returns:
        float64 [classes], which sum to 1.

    Raises:
        InferenceFailed: if a logit is not finite, as after an overflow in fp16.
    """
    scores = logits.astype(np.float64)
    # One value that is not finite makes the sum so.
    if not math.isfinite(scores.sum()):
        raise InferenceFailed("the network's output is not finite")
    scores -= scores.max()
    scores /= temperature
    np.exp(scores, out=scores)
    scores /= scores.sum()
    return scores
