"""What `tools.trust` compares coverage with, and how it spoils photos."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from tests.support.colours import COLOURS
from tests.support.images import encode, landscape, photo
from tools.trust.interval import coverage_interval
from tools.trust.signals import auroc
from tools.trust.spoil import SPOILERS


def test_the_interval_is_that_of_simulated_photos() -> None:
    generator = np.random.default_rng(0)
    fitted, judged, rank = 199, 200, 180
    truths = np.sort(generator.uniform(size=(20000, fitted)), axis=1)[:, rank - 1]
    covered = generator.binomial(judged, truths) / judged
    low, high = coverage_interval(fitted, judged, rank)
    assert low == pytest.approx(np.quantile(covered, 0.005), abs=0.011)
    assert high == pytest.approx(np.quantile(covered, 0.995), abs=0.011)


def test_it_narrows_around_the_coverage_with_more_photos() -> None:
    widths = []
    for photos in (100, 1000):
        low, high = coverage_interval(photos, photos, math.ceil((photos + 1) * 0.9))
        assert low < 0.9 < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"), np.float64)


def test_an_unchanged_photo_is_the_same_to_the_last_byte() -> None:
    data = encode(photo(COLOURS[9]))
    assert SPOILERS["unchanged"](data) == data


def test_photos_are_spoiled_as_their_name_says() -> None:
    data = encode(landscape((96, 96)))
    before = pixels(data)
    spoiled = {name: pixels(spoil(data)) for name, spoil in SPOILERS.items()}
    assert spoiled["dark"].mean() == pytest.approx(before.mean() / 4, abs=1)
    assert np.abs(spoiled["noise"] - before).mean() > 10
    assert np.abs(spoiled["wrong colour order"][..., ::-1] - before).mean() < 3
    grainy = encode(photo(COLOURS[20], (96, 96)))
    blurred, sharp = (
        own.std(axis=(0, 1)).max() for own in (pixels(SPOILERS["blur"](grainy)), pixels(grainy))
    )
    assert blurred < sharp / 2


def test_the_area_under_the_curve_counts_pairs_in_the_right_order() -> None:
    belonging, strange = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.5])
    assert auroc(belonging, strange) == (1.5 + 3) / 8
    assert auroc(belonging, belonging + 10) == 1
    assert auroc(belonging, belonging) == 0.5
