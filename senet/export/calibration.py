"""Temperature scaling and how well scores say how often they are right.

Guo et al., "On Calibration of Modern Neural Networks" (2017): section 4.2 for the temperature,
section 2 for the expected calibration error (ECE).
"""

import numpy as np
from numpy.typing import NDArray

from app.errors import ConfigurationError
from app.repository.manifest import Calibration

_BINS = 15
# Temperatures from 1/50 to 50; beyond them the photos do not determine one.
_SHARPEST, _FLATTEST = 50.0, 1 / 50
_BISECTIONS = 60


def calibrate(logits: NDArray[np.float32], classes: NDArray[np.int64], name: str) -> Calibration:
    """Fits the temperature on every second photo and measures the ECE on the others.

    Args:
        logits: [n, classes] of photos that the network was not trained on, ordered by class,
            so that both halves hold every class.
        classes: [n] true classes.
        name: what to call the photos in the manifest.

    Raises:
        ConfigurationError: if the photos do not determine a temperature.
    """
    fitted, held_out = halves(len(logits))
    temperature = fit_temperature(logits[fitted], classes[fitted])
    return Calibration(
        temperature=temperature,
        ece_before=expected_calibration_error(logits[held_out], classes[held_out], 1.0),
        ece_after=expected_calibration_error(logits[held_out], classes[held_out], temperature),
        dataset=(
            f"{name}: temperature fitted on {len(fitted)} photos (every second one, ordered by"
            f" class and file name), ECE measured on the other {len(held_out)}"
        ),
    )


def halves(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the photos that the temperature is fitted on, and of those held out."""
    return np.arange(0, count, 2), np.arange(1, count, 2)


def fit_temperature(logits: NDArray[np.float32], classes: NDArray[np.int64]) -> float:
    """The temperature that minimises the negative log-likelihood.

    The likelihood is convex in the inverse temperature, so its derivative (the mean score-weighted
    logit less the mean logit of the true class) has one root, which is bisected.

    Raises:
        ConfigurationError: if there is none between 1/50 and 50.
    """
    z = logits.astype(np.float64)
    truth = z[np.arange(len(z)), classes].mean()

    def slope(inverse: float) -> float:
        return float((_softmax(z * inverse) * z).sum(1).mean() - truth)

    low, high = _FLATTEST, _SHARPEST
    if not slope(low) < 0 < slope(high):
        raise ConfigurationError(
            "--calibrate",
            f"{len(z)} photos do not determine a temperature (nearly all of them are classified"
            " right, or hardly any)",
            "give more photos that the network was not trained on",
        )
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 2 / (low + high)


def expected_calibration_error(
    logits: NDArray[np.float32], classes: NDArray[np.int64], temperature: float
) -> float:
    """Mean |accuracy - top-1 score| over 15 equal bins of the score, weighted by photos."""
    scores = _softmax(logits.astype(np.float64) / temperature)
    top = scores.max(1)
    right = scores.argmax(1) == classes
    bins = np.minimum((top * _BINS).astype(int), _BINS - 1)
    gap = np.bincount(bins, weights=right - top, minlength=_BINS)
    return float(np.abs(gap).sum() / len(logits))


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    scores: NDArray[np.float64] = shifted / shifted.sum(1, keepdims=True)
    return scores
