from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from app.contract.manifest import Manifest
from app.contract.reference import SCORE_EDGES, SIZE_EDGES, SignalReference, bin_of
from tests.support.repository import colour_manifest
from tests.support.trusted import with_reference


def signal(**changed: object) -> SignalReference:
    content = {"mean": [0.5, 10.0], "spread": [0.1, 2.0], "thresholds": [4.0, 9.0]}
    return SignalReference.model_validate(content | changed)


def test_a_difference_is_counted_in_standard_deviations() -> None:
    assert signal().difference(np.array([0.5, 10.0])) == 0
    assert signal().difference(np.array([0.6, 12.0])) == pytest.approx(1)
    assert signal().difference(np.array([0.9, 13.0])) == pytest.approx(((4**2 + 1.5**2) / 2) ** 0.5)


def test_chance_explains_less_the_more_photos_there_are() -> None:
    few, many = (signal().threshold(64, photos, 2000) for photos in (8, 64))
    assert few == pytest.approx((4 * (1 / 8 + 1 / 2000)) ** 0.5)
    assert many < few
    assert signal().threshold(1024, 1024, 2000) == pytest.approx((9 * (1 / 1024 + 1 / 2000)) ** 0.5)


def test_bins_begin_at_their_lower_edge() -> None:
    assert [bin_of(value, SCORE_EDGES) for value in (0.0, 0.1, 0.95, 0.989, 1.0)] == [
        0,
        1,
        10,
        10,
        11,
    ]
    assert [bin_of(value, SIZE_EDGES) for value in (1, 64, 5000)] == [0, 1, 6]


@pytest.mark.parametrize(
    "changed",
    [
        {"mean": []},
        {"mean": [0.5]},
        {"spread": [0.0, 1.0]},
        {"thresholds": [4.0]},
        {"thresholds": [4.0, float("inf")]},
    ],
)
def test_what_cannot_be_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        signal(**changed)


def broken(**changed: object) -> dict[str, Any]:
    content = colour_manifest()
    with_reference(content)
    content["reference"] |= changed
    return content


def test_every_precision_needs_its_signals() -> None:
    assert Manifest.model_validate(broken()).reference is not None
    with pytest.raises(ValidationError, match=r"reference\.expected_score lacks fp32"):
        Manifest.model_validate(broken(expected_score={"int8": 0.9}))


def test_a_signal_has_as_many_figures_as_the_model_gives() -> None:
    content = broken()
    content["reference"]["signals"]["fp32"]["embedding"] |= {"mean": [0.5], "spread": [0.1]}
    with pytest.raises(ValidationError, match=r"fp32\.embedding has 1 figures, not 3"):
        Manifest.model_validate(content)
