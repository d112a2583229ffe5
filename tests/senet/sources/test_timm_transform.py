"""What timm states of a network's evaluation is taken whole, or refused by name."""

from typing import Any

import pytest

from app.contract.errors import ConfigurationError
from senet.sources.timm_transform import notes_on, preprocessing_of

STATED = {
    "architecture": "seresnet50",
    "input_size": (3, 224, 224),
    "crop_pct": 0.95,
    "crop_mode": "center",
    "interpolation": "bicubic",
    "mean": (0.5, 0.4, 0.3),
    "std": (0.2, 0.3, 0.4),
}
TESTED = STATED | {"test_input_size": (3, 288, 288), "test_crop_pct": 1.0}


def test_all_that_is_stated_is_taken() -> None:
    assert preprocessing_of(STATED, test_size=False) == {
        "geometry": "torchvision",
        "resize_shorter_side": 235,
        "crop_height": 224,
        "crop_width": 224,
        "interpolation": "bicubic",
        "mean": (0.5, 0.4, 0.3),
        "std": (0.2, 0.3, 0.4),
    }
    assert notes_on(STATED, test_size=False) == ()


def test_squashing_is_a_geometry() -> None:
    values = preprocessing_of(STATED | {"crop_mode": "squash"}, test_size=False)
    assert values["geometry"] == "squash"


@pytest.mark.parametrize(
    ("tested", "size", "side"),
    [
        (TESTED, 288, 288),
        (STATED | {"test_input_size": (3, 288, 288)}, 288, 303),
        (STATED | {"test_input_size": None, "test_crop_pct": 1.0}, 224, 224),
    ],
)
def test_the_size_for_tests_is_taken_where_asked_for_and_told_where_not(
    tested: dict[str, Any], size: int, side: int
) -> None:
    values = preprocessing_of(tested, test_size=True)
    assert (values["crop_height"], values["resize_shorter_side"]) == (size, side)
    assert preprocessing_of(tested, test_size=False)["crop_height"] == 224
    (left_out,), (taken,) = (notes_on(tested, test_size=test) for test in (False, True))
    assert f"timm tests it at {size} x {size} px" in left_out
    assert "`--test-size`" in left_out
    assert taken.startswith(f"Input size: timm's for tests, {size} x {size} px")
    assert "trained at 224 x 224 px with a crop fraction of 0.95" in taken


def test_a_size_for_tests_that_is_not_stated_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^--test-size: .*of seresnet50; leave it out"):
        preprocessing_of(STATED, test_size=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop_mode": "border"}, "crop mode 'border'.*'center', 'squash'"),
        ({"interpolation": "hamming"}, "interpolation 'hamming'.*nearest, bilinear, bicubic"),
        ({"input_size": (3, 256, 192)}, "an input of 192 x 256 pixels.*a square input"),
        ({"input_size": (1, 224, 224)}, "images of 1 channels"),
        ({"crop_pct": 1.15}, "a crop fraction of 1.15, which pads"),
    ],
)
def test_what_cannot_be_reproduced_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^--timm: .*{message}"):
        preprocessing_of(STATED | change, test_size=False)
