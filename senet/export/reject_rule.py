"""What an export finds to be unlike its photos, at a stated rate of false alarms."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.contract.manifest import Precision
from app.contract.reject import Reject, RejectRule, distances, doubts

REJECT_RATE = 0.05
"""Of false alarms, unless an export says otherwise."""
_HIGHEST_RATE = 0.5
# More bring nothing: docs/trust.md.
_DIRECTIONS = 16
_FOLDS = 5
# Of the rate, for contrast; what is left goes to distance and doubt.
_CONTRAST_SHARE = 0.1
_LEAST_PHOTOS = 50
"""Fewer have too few directions, and no quantile."""
_DIGITS = 6


def check_rate(rate: float) -> None:
    """Raises ConfigurationError if a rate of false alarms is none."""
    # Written so that NaN, which compares false, is refused.
    if not 0 <= rate <= _HIGHEST_RATE:
        raise ConfigurationError(
            "--reject-rate",
            f"{rate:g} is not a share from 0 to {_HIGHEST_RATE:g}",
            f"give such a number, such as {REJECT_RATE:g}; 0 rejects no photo",
        )


def fit_reject(
    embeddings: Mapping[Precision, NDArray[np.float32]],
    best_scores: Mapping[Precision, NDArray[np.float64]],
    contrast: NDArray[np.float64],
    dataset: str,
    rate: float,
) -> Reject | None:
    """Fits the directions, and each precision's threshold.

    Args:
        embeddings: [n, dim] of each precision; the directions come from the first.
        best_scores: [n] of each, the best class's.
        contrast: [n], in grey levels.
        dataset: what to call the photos.
        rate: share of the photos that is rejected.

    Returns:
        The manifest's entry; None where there are too few photos.
    """
    count = len(contrast)
    if count < _LEAST_PHOTOS or rate * count < 1:
        return None
    first = next(iter(embeddings.values()))
    mean, directions = _directions(first)
    least = float(np.sort(contrast)[int(_CONTRAST_SHARE * rate * count)])
    least = np.floor(least * 1e3) / 1e3  # downwards: who has it is accepted
    rules = {
        precision: _rule(_crossed(own), doubts(list(best_scores[precision])), contrast, least, rate)
        for precision, own in embeddings.items()
    }
    return Reject(
        dataset=dataset,
        images=count,
        rate=rate,
        mean=tuple(mean.round(_DIGITS).tolist()),
        directions=tuple(tuple(own) for own in directions.round(_DIGITS).tolist()),
        least_contrast=least,
        rules=rules,
    )


def _rule(
    distance: NDArray[np.float64],
    doubt: NDArray[np.float64],
    contrast: NDArray[np.float64],
    least: float,
    rate: float,
) -> RejectRule:
    normal = RejectRule(
        distance_mean=float(distance.mean()),
        distance_spread=float(distance.std()) or 1.0,
        doubt_mean=float(doubt.mean()),
        doubt_spread=float(doubt.std()) or 1.0,
        threshold=0.0,
    )
    strangeness = normal.strangeness(distance, doubt)
    # Among those that contrast accepts, so that both together reject at the rate.
    accepted = np.sort(strangeness[contrast >= least])
    rejected = int(rate * len(contrast)) - (len(contrast) - len(accepted))
    threshold = float(accepted[len(accepted) - 1 - max(0, rejected)])
    return normal.model_copy(update={"threshold": threshold})


def _crossed(embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    """[n], distances from directions that the photo itself was not fitted to.

    Those of its own fit are shorter than a new photo's.
    """
    fold = np.arange(len(embeddings)) % _FOLDS  # ordered by class: each fold meets every class
    crossed = np.empty(len(embeddings))
    for held_out in range(_FOLDS):
        mean, directions = _directions(embeddings[fold != held_out])
        crossed[fold == held_out] = distances(embeddings[fold == held_out], mean, directions)
    return crossed


def _directions(
    embeddings: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean [dim] and the directions of most variance [k, dim]."""
    own = embeddings.astype(np.float64)
    mean = own.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(own - mean, rowvar=False).reshape(own.shape[1], -1))
    most = min(_DIRECTIONS, own.shape[1] // 4)  # something must be left outside of them
    directions = vectors[:, ::-1][:, :most].T
    return mean.astype(np.float32), np.ascontiguousarray(directions, np.float32)
