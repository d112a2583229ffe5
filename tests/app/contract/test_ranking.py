"""Scores and ranks."""

import numpy as np
import pytest

from app.contract.errors import InferenceFailed
from app.contract.ranking import postprocess, postprocess_batch


def run(logits: list[float], *, temperature: float = 1, top_k: int = 99) -> list[tuple[int, float]]:
    ranked = postprocess(np.array(logits, np.float32), temperature=temperature, top_k=top_k)
    return [(item.class_index, item.score) for item in ranked]


def test_softmax_by_falling_score() -> None:
    ranked = run([np.log(1), np.log(5), np.log(4)])
    assert [index for index, _ in ranked] == [1, 2, 0]
    assert [score for _, score in ranked] == pytest.approx([0.5, 0.4, 0.1])


def test_the_logits_are_divided_by_the_temperature() -> None:
    ranked = run([0, np.log(9)], temperature=2)
    assert ranked[0][1] == pytest.approx(0.75)  # sqrt(9) : 1
    assert run([0, np.log(9)], temperature=0.5)[0][1] == pytest.approx(81 / 82)


def test_large_logits_do_not_overflow() -> None:
    assert run([3e38, -3e38, 0], temperature=0.01) == [(0, 1.0), (1, 0.0), (2, 0.0)]


def test_equal_scores_keep_the_order_of_the_classes() -> None:
    assert [index for index, _ in run([1, 2, 2, 1, 2])] == [1, 2, 4, 0, 3]


def test_top_k_leaves_out() -> None:
    assert [index for index, _ in run([3, 1, 2], top_k=2)] == [0, 2]


def test_one_class_is_certain() -> None:
    assert run([-7]) == [(0, 1.0)]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_a_failed_inference(value: float) -> None:
    with pytest.raises(InferenceFailed):
        run([0, value])


def test_one_image_of_a_batch_fails_alone() -> None:
    logits = np.array([[1, 3, 2], [0, np.nan, 0], [0, 0, np.inf], [2, 2, 9]], np.float32)
    first, second, third, fourth = postprocess_batch(logits, temperature=1, top_k=2)
    assert isinstance(first, list)
    assert isinstance(fourth, list)
    assert [item.class_index for item in first + fourth] == [1, 2, 2, 0]
    assert isinstance(second, InferenceFailed)
    assert isinstance(third, InferenceFailed)


def test_a_batch_is_ranked_as_its_images_are() -> None:
    logits = np.random.default_rng(0).normal(size=(7, 11)).astype(np.float32)
    batch = postprocess_batch(logits, temperature=0.7, top_k=5)
    assert batch == [postprocess(row, temperature=0.7, top_k=5) for row in logits]
