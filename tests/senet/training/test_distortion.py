"""Distortions change a photo, not its size, and depend on the generator alone."""

import numpy as np
from PIL import Image

from senet.training.distortion import distorted

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8), mode=None)


def test_they_depend_on_the_generator_alone_and_keep_size_and_mode() -> None:
    for seed in range(40):
        first = distorted(PHOTO, np.random.default_rng(seed))
        second = distorted(PHOTO, np.random.default_rng(seed))
        assert (first.size, first.mode) == (PHOTO.size, PHOTO.mode)
        assert np.array_equal(np.asarray(first), np.asarray(second))


def test_nine_in_ten_change_the_photo() -> None:
    same = sum(
        np.array_equal(np.asarray(distorted(PHOTO, np.random.default_rng(seed))), np.asarray(PHOTO))
        for seed in range(400)
    )
    assert 0 < same < 120  # the identity, and operations at a strength near none
