import numpy as np
import pytest
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.contract.reject import Reject
from senet.export.reject_rule import check_rate, fit_reject

DIM = 64


def draw(count: int, seed: int, off: float = 0.1) -> NDArray[np.float32]:
    """Embeddings that vary in few directions, and by `off` in all others."""
    basis = np.random.default_rng(7).normal(size=(6, DIM))
    generator = np.random.default_rng(seed)
    inside = generator.normal(size=(count, 6)) @ basis
    return (inside + off * generator.normal(size=(count, DIM))).astype(np.float32)


def contrast(count: int, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(60, 10, count)


def fitted(rate: float = 0.05, count: int = 5000) -> Reject:
    found = fit_reject(
        {"fp32": draw(count, 0)}, {"fp32": np.full(count, 0.9)}, contrast(count, 1), "drawn", rate
    )
    assert found is not None
    return found


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_new_photos_of_the_same_kind_are_rejected_at_the_rate(rate: float) -> None:
    count = 10_000
    found = fitted(rate).rejected("fp32", draw(count, 2), [0.9] * count, contrast(count, 3))
    assert found.mean() == pytest.approx(rate, rel=0.35)


def test_other_photos_are_rejected() -> None:
    count = 100
    own = fitted()
    assert own.rejected("fp32", draw(count, 2, off=0.2), [0.9] * count, contrast(count, 3)).all()
    assert own.rejected("fp32", draw(count, 2), [0.9] * count, np.zeros(count)).all()


def test_too_few_photos_give_no_threshold() -> None:
    few = 40
    assert (
        fit_reject({"fp32": draw(few, 0)}, {"fp32": np.ones(few)}, contrast(few, 1), "few", 0.05)
        is None
    )
    assert (
        fit_reject({"fp32": draw(90, 0)}, {"fp32": np.ones(90)}, contrast(90, 1), "few", 0.01)
        is None
    )


def test_photos_that_are_all_the_same_can_be_fitted_to() -> None:
    same = np.ones((100, 8), np.float32)
    found = fit_reject({"fp32": same}, {"fp32": np.ones(100)}, np.full(100, 60.0), "same", 0.05)
    assert found is not None
    assert not found.rejected("fp32", same, [1.0] * 100, np.full(100, 60.0)).any()


def test_a_short_embedding_leaves_something_outside_of_its_directions() -> None:
    short = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    found = fit_reject({"fp32": short}, {"fp32": np.ones(200)}, contrast(200, 1), "short", 0.05)
    assert found is not None
    assert found.directions == ()


@pytest.mark.parametrize("rate", [-0.1, 0.51, 1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused_with_its_option(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="--reject-rate"):
        check_rate(rate)
