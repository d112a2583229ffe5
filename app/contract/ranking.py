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
    [ranked] = postprocess_batch(logits[np.newaxis], temperature=temperature, top_k=top_k)
    if isinstance(ranked, InferenceFailed):
        raise ranked
    return ranked


def postprocess_batch(
    logits: NDArray[np.float32], *, temperature: float, top_k: int
) -> list[list[RankedClass] | InferenceFailed]:
    """What `postprocess` does, to a whole batch: numpy's calls take longer than their arithmetic.

    Args:
        logits: float32 [n, classes].
        temperature: see `softmax`.
        top_k: most classes of each image; more than there are means all.

    Returns:
        For each image its classes, or why there are none.
    """
    scores = _softmax(logits, temperature)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
    ranked = np.take_along_axis(scores, best, axis=1).tolist()
    return [
        list(map(RankedClass, classes, own)) if math.isfinite(own[0]) else _not_finite()
        for classes, own in zip(best.tolist(), ranked, strict=True)
    ]


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
    scores: NDArray[np.float64] = _softmax(logits[np.newaxis], temperature)[0]
    if not math.isfinite(scores[0]):
        raise _not_finite()
    return scores


def _softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Float64 [n, classes]; NaN throughout where a logit is not finite."""
    scores = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):
        # One value that is not finite makes the sum so, and infinity less itself is NaN.
        sums = scores.sum(axis=1, keepdims=True)
        scores -= scores.max(axis=1, keepdims=True)
        scores /= temperature
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        scores += sums - sums
    return scores


def _not_finite() -> InferenceFailed:
    return InferenceFailed("the network's output is not finite")
