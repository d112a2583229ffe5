"""Temperature scaling and how well scores say how often they are right.

Guo et al., "On Calibration of Modern Neural Networks" (2017): section 4.2 for the temperature,
section 2 for the expected calibration error (ECE).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.contract.manifest import Calibration

_BINS = 15
# Temperatures from 1/50 to 50; beyond them the photos do not determine one.
_SHARPEST, _FLATTEST = 50.0, 1 / 50
_BISECTIONS = 60


@dataclass(frozen=True)
class Fit:
    """Temperatures fitted to photos.

    Attributes:
        published: the one to serve with.
        judging: indices of the photos that judge.
        held_out: the temperature to judge each of them by: fitted without it.
        method: what was done, for the manifest.
    """

    published: float
    judging: NDArray[np.int64]
    held_out: NDArray[np.float64]
    method: str

    def error(self, logits: NDArray[np.float32], classes: NDArray[np.int64]) -> float:
        """ECE of the photos that judge; arguments as of `cross_fit`."""
        chosen = self.judging
        return expected_calibration_error(logits[chosen], classes[chosen], self.held_out)


def split_fit(
    logits: NDArray[np.float32], classes: NDArray[np.int64], fitting: NDArray[np.bool_]
) -> Fit:
    """Fits on some photos; the others judge.

    Args:
        logits: [n, classes] of photos that the network was not trained on.
        classes: [n] true classes.
        fitting: [n], whether a photo is one to fit on.

    Raises:
        ConfigurationError: if the photos do not determine a temperature.
    """
    temperature = fit_temperature(logits[fitting], classes[fitting])
    judging = np.flatnonzero(~fitting)
    method = f"temperature fitted on {fitting.sum()} listed photos, ECE of the other {len(judging)}"
    return Fit(temperature, judging, np.full(len(judging), temperature), method)


def cross_fit(logits: NDArray[np.float32], classes: NDArray[np.int64]) -> Fit:
    """Fits on all photos, and on each half for judging the other.

    Judging by one half alone would do, at more noise: even exact scores differ from the share of
    right answers by chance, which the ECE adds up, and the more the fewer photos there are.

    Args:
        logits: [n, classes] of photos that the network was not trained on, ordered by class, so
            that every second one meets every class.
        classes: [n] true classes.

    Raises:
        ConfigurationError: if the photos do not determine a temperature.
    """
    held_out = np.empty(len(logits))
    for start in (0, 1):
        held_out[start::2] = fit_temperature(logits[1 - start :: 2], classes[1 - start :: 2])
    method = (
        "temperature fitted on all of them; ECE cross-fitted, each photo scored with a temperature"
        " fitted on the half (every second photo, ordered by class and file name) that it is not in"
    )
    return Fit(fit_temperature(logits, classes), np.arange(len(logits)), held_out, method)


def calibration(
    fit: Fit, logits: NDArray[np.float32], classes: NDArray[np.int64], name: str
) -> Calibration:
    """The manifest's entry.

    Args:
        fit: of these photos.
        logits: [n, classes].
        classes: [n] true classes.
        name: what to call the photos.
    """
    unscaled = replace(fit, held_out=np.ones(len(fit.judging)))
    return Calibration(
        temperature=fit.published,
        ece_before=unscaled.error(logits, classes),
        ece_after=fit.error(logits, classes),
        dataset=f"{name}, {len(logits)} photos: {fit.method}",
    )


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
        return float((softmax(z * inverse) * z).sum(1).mean() - truth)

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
    logits: NDArray[np.float32], classes: NDArray[np.int64], temperatures: NDArray[np.float64]
) -> float:
    """Mean |accuracy - top-1 score| over 15 equal bins of the score, weighted by photos.

    Args:
        logits: [n, classes].
        classes: [n] true classes.
        temperatures: [n], of each photo.
    """
    scores = softmax(logits.astype(np.float64) / temperatures[:, None])
    top = scores.max(1)
    right = scores.argmax(1) == classes
    bins = np.minimum((top * _BINS).astype(int), _BINS - 1)
    gap = np.bincount(bins, weights=right - top, minlength=_BINS)
    return float(np.abs(gap).sum() / len(logits))


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores [n, classes] of logits [n, classes]."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    scores: NDArray[np.float64] = shifted / shifted.sum(1, keepdims=True)
    return scores
