"""Only variants that are near to fp32, faster and testable are published."""

from dataclasses import replace

import numpy as np
import pytest

from app.contract.manifest import Parity
from senet.export.assess import Figures
from senet.export.chance import Flips, flips, interval, skill
from senet.export.order import Order
from senet.export.verdict import reasons_against


def figures(agreement: float, photos: int, lost: int = 0, gained: int = 0) -> Figures:
    parity = Parity(reference="fp32", max_abs_logit_diff=0.1, top1_agreement=agreement)
    return Figures(parity, photos, flips=Flips(lost, gained, photos))


def judged(order: Order, measured: Figures, speed: float = 1.5, tolerance: float = 0.2) -> str:
    reasons = reasons_against(
        "int8", measured, order=order, speed_ratio=speed, tolerance=tolerance, variation=1.0
    )
    return "; ".join(reasons)


@pytest.mark.parametrize(
    ("agreement", "photos", "published"),
    [
        (0.80, 134, False),
        (0.95, 134, True),  # its interval reaches 97 %
        (0.94, 3925, False),
        (0.9684, 3925, True),
        (1.0, 7, True),
    ],
)
def test_agreement_is_judged_within_its_interval(
    order: Order, agreement: float, photos: int, published: bool
) -> None:
    reasons = judged(order, figures(agreement, photos))
    assert (not reasons) == published
    assert published or f"agrees with fp32 on {agreement:.1%} of {photos} photos" in reasons


@pytest.mark.parametrize(
    ("lost", "gained", "photos", "published"),
    [
        (1, 0, 134, True),  # 0.75 points, and one photo
        (3, 0, 134, True),
        (8, 0, 134, False),
        (20, 14, 134, True),
        (60, 30, 3925, False),  # 0.76 points, and no chance
        (60, 45, 3925, True),  # 0.38 points
    ],
)
def test_a_drop_counts_when_it_is_beyond_chance(
    order: Order, lost: int, gained: int, photos: int, published: bool
) -> None:
    assert (not judged(order, figures(1.0, photos, lost, gained))) == published


def test_a_self_test_that_a_constant_might_pass_is_refused(order: Order) -> None:
    assert "could not tell a broken file" in judged(order, figures(1, 60), tolerance=0.51)
    assert "could not tell" in judged(order, figures(1, 60), tolerance=float("nan"))
    assert not judged(order, figures(1, 60), tolerance=0.5)
    assert not judged(replace(order, allow_untrained=True), figures(1, 60), tolerance=0.9)


def test_int8_that_is_slower_is_refused_unless_size_is_the_purpose(order: Order) -> None:
    assert "0.90 times the speed of fp32" in judged(order, figures(1, 60), speed=0.9)
    assert not judged(replace(order, min_speedup=0), figures(1, 60), speed=0.9)
    assert not judged(replace(order, int8_layout="s8s8"), figures(1, 60), speed=0.9)


def test_intervals_are_wilsons() -> None:
    assert interval(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert interval(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_flips_are_counted_photo_by_photo() -> None:
    targets = np.array([0, 1, 1, 0])
    first = np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
    second = np.eye(2, dtype=np.float32)[[1, 1, 1, 1]]
    assert flips(first, second, targets) == Flips(lost=1, gained=1, photos=4)


def test_skill_is_what_the_photos_add_to_the_frequencies() -> None:
    targets = np.repeat([0, 1], [90, 10])
    always_first = np.eye(2, dtype=np.float32)[np.zeros(100, int)]
    seeing = np.eye(2, dtype=np.float32)[np.repeat([0, 1], [92, 8])]
    constant, learned = skill(always_first, targets), skill(seeing, targets)
    assert constant is not None
    assert (constant.top1, constant.shown) == (0.9, False)
    assert learned is not None
    assert learned.shown
    assert skill(always_first, np.zeros(100, int)) is None
