import numpy as np
import pytest

from app.contract.exposure import exposures


def test_levels_and_contrast_of_each_image() -> None:
    generator = np.random.default_rng(0)
    noisy = generator.integers(0, 256, (160, 200, 3), dtype=np.uint8)
    plain = np.zeros_like(noisy) + np.array([10, 20, 250], np.uint8)
    [first, second] = exposures([noisy, plain])
    assert first == pytest.approx([127.5, 127.5, 127.5, 73.9], abs=6)
    assert second[:3] == pytest.approx([10, 20, 250])
    assert second[3] == pytest.approx(np.std([10, 20, 250]))


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (19, 21)])
def test_small_images_have_an_exposure_too(size: tuple[int, int]) -> None:
    [found] = exposures([np.full((*size, 3), 255, np.uint8)])
    assert found == pytest.approx([255, 255, 255, 0], abs=1e-3)


def test_how_the_pixels_lie_in_memory_makes_no_difference() -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 40, 60), dtype=np.uint8)
    turned = image.transpose(1, 2, 0)
    assert np.array_equal(exposures([turned]), exposures([np.ascontiguousarray(turned)]))
