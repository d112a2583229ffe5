"""Prediction sets of an export: the rule with the smallest sets, and its thresholds.

Both are fitted to the same photos, which are not those that judge them.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.contract.manifest import Precision
from app.contract.prediction_sets import HIGHEST, LOWEST, PredictionSets, SetRule

Scores = NDArray[np.float64]
_COMPARED = (0.9, 0.95, 0.99)
"""Coverages at which the sizes of sets are compared."""
_FOLDS = 5
_CANDIDATES = (
    SetRule(method="lac", thresholds=()),
    *(
        SetRule(method="raps", penalty=penalty, free_ranks=free, thresholds=())
        for penalty in (0.001, 0.01, 0.1, 0.5)
        for free in (1, 2, 5)
    ),
)
# Fine where coverages are asked for; the last may be above what the photos allow.
_LEVELS = np.unique(
    np.round(
        np.concatenate(
            [
                np.linspace(LOWEST, 0.9, 81),
                np.linspace(0.9, 0.99, 91),
                np.linspace(0.99, HIGHEST, 30),
            ]
        ),
        5,
    )
)


def fit_sets(
    scores: Mapping[Precision, Scores], classes: NDArray[np.int64], dataset: str
) -> PredictionSets | None:
    """Fits a rule per precision.

    Args:
        scores: [n, classes] of each precision, after the temperature that serves.
        classes: [n] true classes.
        dataset: what to call the photos.

    Returns:
        The manifest's entry; None where there are too few photos for any coverage.
    """
    levels = [level for level in _LEVELS.tolist() if rank_of(level, len(classes)) <= len(classes)]
    if not levels:
        return None
    return PredictionSets(
        dataset=dataset,
        images=len(classes),
        levels=tuple(levels),
        rules={
            precision: _with_thresholds(_smallest(own, classes), own, classes, levels)
            for precision, own in scores.items()
        },
    )


def rank_of(coverage: float, photos: int) -> int:
    """Which of the rising nonconformities is the threshold (from 1); beyond `photos` none is."""
    # Rounded first: 0.95 * 20 is a little above 19 in binary.
    return math.ceil(round((photos + 1) * coverage, 9))


def nonconformity_of_truth(
    rule: SetRule, scores: Scores, classes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """[n], the nonconformity of each photo's true class."""
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = rule.nonconformity(np.take_along_axis(scores, order, axis=1))
    return np.asarray(ranked[order == classes[:, None]])


def _smallest(scores: Scores, classes: NDArray[np.int64]) -> SetRule:
    """The rule with the smallest sets, on photos that its thresholds were not fitted to."""
    return min(_CANDIDATES, key=lambda rule: _mean_size(rule, scores, classes))


def _mean_size(rule: SetRule, scores: Scores, classes: NDArray[np.int64]) -> float:
    fold = np.arange(len(classes)) % _FOLDS  # ordered by class: each fold meets every class
    sizes = []
    for held_out in range(_FOLDS):
        fitting, judging = fold != held_out, fold == held_out
        if not judging.any():
            continue
        truth = np.sort(nonconformity_of_truth(rule, scores[fitting], classes[fitting]))
        ranked = rule.nonconformity(-np.sort(-scores[judging], axis=1))
        for coverage in _COMPARED:
            rank = min(rank_of(coverage, len(truth)), len(truth))
            sizes.append(float((ranked <= truth[rank - 1]).sum(axis=1).mean()))
    return sum(sizes) / len(sizes)


def _with_thresholds(
    rule: SetRule, scores: Scores, classes: NDArray[np.int64], levels: Sequence[float]
) -> SetRule:
    truth = np.sort(nonconformity_of_truth(rule, scores, classes))
    chosen = [float(truth[rank_of(level, len(truth)) - 1]) for level in levels]
    # Upwards: what was inside stays so.
    rounded = tuple(math.ceil(value * 1e9) / 1e9 for value in chosen)
    return rule.model_copy(update={"thresholds": rounded})
