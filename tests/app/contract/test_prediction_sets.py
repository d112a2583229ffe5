import numpy as np
import pytest

from app.contract.prediction_sets import CoverageTooHigh, PredictionSets, SetRule

SCORES = np.array([0.6, 0.3, 0.07, 0.03])


def sets_of(levels: list[float], thresholds: list[float]) -> PredictionSets:
    rule = SetRule(method="lac", thresholds=tuple(thresholds))
    return PredictionSets(dataset="drawn", images=9, levels=tuple(levels), rules={"fp32": rule})


@pytest.mark.parametrize(
    ("threshold", "size"), [(0.0, 0), (0.39, 0), (0.4, 1), (0.7, 2), (0.96, 3), (1.0, 4)]
)
def test_lac_takes_every_class_of_enough_score(threshold: float, size: int) -> None:
    assert SetRule(method="lac", thresholds=()).size(SCORES, threshold) == size


@pytest.mark.parametrize(
    ("threshold", "size"), [(0.5, 0), (0.6, 1), (0.9, 1), (1.0, 2), (1.17, 3), (1.3, 4)]
)
def test_raps_takes_classes_until_their_sum_and_penalty_are_too_much(
    threshold: float, size: int
) -> None:
    rule = SetRule(method="raps", penalty=0.1, free_ranks=1, thresholds=())
    assert rule.size(SCORES, threshold) == size


def test_no_set_is_smaller_for_more_coverage() -> None:
    generator = np.random.default_rng(0)
    for rule in (
        SetRule(method="lac", thresholds=()),
        SetRule(method="raps", penalty=0.01, free_ranks=2, thresholds=()),
    ):
        scores = -np.sort(-generator.dirichlet(np.ones(10)))
        sizes = [rule.size(scores, threshold) for threshold in np.linspace(0, 1.2, 50)]
        assert sizes == sorted(sizes)


def test_between_two_levels_the_higher_one_counts() -> None:
    sets = sets_of([0.5, 0.9], [0.2, 0.7])
    assert sets.threshold("fp32", 0.5) == 0.2
    assert sets.threshold("fp32", 0.5000001) == 0.7
    assert sets.threshold("fp32", 0.9) == 0.7


def test_more_coverage_than_the_photos_allow_is_refused() -> None:
    with pytest.raises(CoverageTooHigh, match=r"0\.95 is more than the 9 photos allow"):
        sets_of([0.5, 0.9], [0.2, 0.7]).threshold("fp32", 0.95)


@pytest.mark.parametrize(
    ("levels", "thresholds", "message"),
    [
        ([0.9, 0.5], [0.1, 0.2], "levels must rise"),
        ([0.5, 0.9], [0.1], "one threshold per level"),
        ([0.5, 0.9], [0.2, 0.1], "must not fall"),
        ([0.2, 0.9], [0.1, 0.2], "greater than or equal to 0.5"),
        ([], [], "at least 1 item"),
    ],
)
def test_a_mistake_is_found(levels: list[float], thresholds: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sets_of(levels, thresholds)
