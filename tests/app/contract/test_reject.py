import math

import numpy as np
import pytest
from pydantic import ValidationError

from app.contract.reject import Reject

RULE = {
    "distance_mean": 0.0,
    "distance_spread": 1.0,
    "doubt_mean": 0.0,
    "doubt_spread": 1.0,
    "threshold": 0.0,
}


def reject(**changed: object) -> Reject:
    content = {
        "dataset": "drawn",
        "images": 100,
        "rate": 0.05,
        "mean": [1.0, 2.0, 3.0],
        "directions": [[1.0, 0.0, 0.0]],
        "least_contrast": 10.0,
        "rules": {"fp32": RULE},
    }
    return Reject.model_validate(content | changed)


def test_distance_counts_only_what_lies_outside_of_the_directions() -> None:
    embeddings = np.array([[100.0, 2.0, 3.0], [1.0, 4.0, 3.0], [1.0, 2.0, 8.0]], np.float32)
    found = reject().distances(embeddings)
    assert found[0] == pytest.approx(math.log(1e-9))
    assert found[1:] == pytest.approx([math.log(4.0), math.log(25.0)])


def test_doubt_counts_half_as_much_as_distance() -> None:
    near = np.array([[0.0, 3.0, 3.0]], np.float32)  # the logarithm of its distance is 0
    sure, unsure = [1.0], [0.0]
    own = reject(rules={"fp32": RULE | {"threshold": -1.0}})
    contrast = np.array([50.0])
    assert not own.rejected("fp32", near, sure, contrast)[0]  # 0 + ln(0.001) / 2
    assert own.rejected("fp32", near, unsure, contrast)[0]  # 0 + ln(1.001) / 2


def test_too_little_contrast_rejects_whatever_the_embedding() -> None:
    same = np.array([[1.0, 2.0, 3.0]] * 2, np.float32)
    assert reject().rejected("fp32", same, [0.9] * 2, np.array([9.0, 11.0])).tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize("broken", [np.nan, np.inf, 3e38])
def test_an_embedding_that_has_overflowed_is_rejected(broken: float) -> None:
    embeddings = np.array([[broken, 2.0, 3.0], [1.0, broken, 3.0]], np.float32)
    assert reject().rejected("fp32", embeddings, [0.9] * 2, np.array([50.0] * 2)).all()


@pytest.mark.parametrize(
    "changed",
    [
        {"rate": 0.0},
        {"rate": 1.0},
        {"mean": []},
        {"directions": [[1.0, 0.0]]},
        {"mean": [1.0, 2.0, math.inf]},
        {"least_contrast": -1.0},
        {"rules": {}},
        {"rules": {"fp32": RULE | {"distance_spread": 0.0}}},
    ],
)
def test_what_cannot_be_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        reject(**changed)
