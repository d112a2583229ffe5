import numpy as np
import pytest
from numpy.typing import NDArray

from senet.export.sets import fit_sets, nonconformity_of_truth, rank_of

Drawn = tuple[NDArray[np.float64], NDArray[np.int64]]


def draw(count: int, seed: int = 0, sharpness: float = 3.0) -> Drawn:
    """Scores of 10 classes, and classes drawn by other scores: the model is too sure."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, sharpness, (count, 10))
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    true = np.exp(logits / 2) / np.exp(logits / 2).sum(1, keepdims=True)
    drawn = (generator.uniform(size=(count, 1)) < true.cumsum(1)).argmax(1)
    return scores, drawn


@pytest.mark.parametrize("coverage", [0.9, 0.95, 0.99])
def test_sets_hold_the_true_class_as_often_as_they_promise(coverage: float) -> None:
    scores, classes = draw(2000)
    sets = fit_sets({"fp32": scores}, classes, "drawn")
    assert sets is not None
    rule, threshold = sets.rules["fp32"], sets.threshold("fp32", coverage)
    new_scores, new_classes = draw(20000, seed=1)
    truth = nonconformity_of_truth(rule, new_scores, new_classes)
    assert abs((truth <= threshold).mean() - coverage) < 0.02


def test_scores_that_sum_to_one_are_best_used_as_they_are() -> None:
    # LAC has the smallest sets of all where scores are right (Sadinle et al. 2019).
    generator = np.random.default_rng(0)
    scores = generator.dirichlet(np.full(10, 0.2), 3000)
    classes = (generator.uniform(size=(3000, 1)) < scores.cumsum(1)).argmax(1)
    sets = fit_sets({"fp32": scores}, classes, "drawn")
    assert sets is not None
    assert sets.rules["fp32"].method == "lac"


def test_each_precision_has_its_own_thresholds() -> None:
    scores, classes = draw(500)
    other, _ = draw(500, sharpness=1.0, seed=2)
    sets = fit_sets({"fp32": scores, "int8": other}, classes, "drawn")
    assert sets is not None
    assert sets.threshold("fp32", 0.9) != sets.threshold("int8", 0.9)


def test_there_are_at_most_200_levels_and_the_usual_ones_are_among_them() -> None:
    scores, classes = draw(3000)
    sets = fit_sets({"fp32": scores}, classes, "drawn")
    assert sets is not None
    assert len(sets.levels) == 200
    assert {0.5, 0.8, 0.9, 0.95, 0.99, 0.999} <= set(sets.levels)


@pytest.mark.parametrize(("photos", "highest"), [(9, 0.9), (19, 0.95), (99, 0.99), (998, 0.99876)])
def test_the_number_of_photos_bounds_the_coverage(photos: int, highest: float) -> None:
    scores, classes = draw(photos)
    sets = fit_sets({"fp32": scores}, classes, "drawn")
    assert sets is not None
    assert sets.levels[-1] == pytest.approx(highest, abs=4e-4)


def test_without_photos_there_are_no_sets() -> None:
    assert fit_sets({"fp32": np.empty((0, 10))}, np.empty(0, np.int64), "none") is None


@pytest.mark.parametrize(
    ("coverage", "photos", "rank"), [(0.95, 19, 19), (0.9, 9, 9), (0.9, 10, 10), (0.5, 1, 1)]
)
def test_the_rank_is_exact_where_binary_fractions_are_not(
    coverage: float, photos: int, rank: int
) -> None:
    assert rank_of(coverage, photos) == rank
