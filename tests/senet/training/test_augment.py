"""Augmentation is random, bounded, and a function of its generator."""

import numpy as np
import pytest
import torch

from senet.training.augment import augment, crop_box, jitter, mix

GRADIENT = np.add.outer(np.arange(60), np.arange(80)).astype(np.uint8)
PHOTO = np.stack([GRADIENT, GRADIENT[::-1], GRADIENT[:, ::-1]], axis=-1)


def test_the_same_generator_state_gives_the_same_crop() -> None:
    first, again, other = (augment(PHOTO, 32, np.random.default_rng(seed)) for seed in (1, 1, 2))

    assert first.shape == (32, 32, 3)
    assert first.dtype == np.float32
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_crops_stay_inside_and_keep_their_area() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        left, top, right, bottom = crop_box(80, 60, rng)
        assert 0 <= left < right <= 80
        assert 0 <= top < bottom <= 60
        assert (right - left) * (bottom - top) <= 80 * 60


def test_a_square_crop_has_exactly_the_area_drawn() -> None:
    left, top, right, bottom = crop_box(100, 100, np.random.default_rng(0), (0.25, 0.25), (1, 1))

    assert right - left == pytest.approx(50)
    assert bottom - top == pytest.approx(50)


def test_jitter_without_strength_leaves_the_image() -> None:
    image = PHOTO.astype(np.float32)

    unchanged = jitter(image, np.random.default_rng(0), strength=0, grey=0)

    np.testing.assert_allclose(unchanged, image, atol=1e-3)


def test_jitter_varies_colours_within_the_range_of_pixels() -> None:
    image = PHOTO.astype(np.float32)
    varied = [jitter(image, np.random.default_rng(seed)) for seed in range(20)]

    assert all(result.min() >= 0 and result.max() <= 255 for result in varied)
    assert len({float(result.mean()) for result in varied}) == 20


def test_grey_images_have_equal_channels() -> None:
    grey = jitter(PHOTO.astype(np.float32), np.random.default_rng(0), grey=1)

    np.testing.assert_allclose(grey, grey[..., :1].repeat(3, axis=-1), atol=1e-3)


def test_targets_mix_in_the_proportion_of_the_pixels() -> None:
    # Image i is filled with i, so its mean tells how much of each neighbour is in it.
    values = torch.tensor([0.0, 10.0, 100.0, 1000.0])
    images = values.reshape(4, 1, 1, 1).expand(4, 3, 16, 16).contiguous()
    pasted = 0
    for seed in range(30):
        mixed, targets = mix(images, torch.eye(4), np.random.default_rng(seed))
        torch.testing.assert_close(mixed.mean((1, 2, 3)), targets @ values, rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(targets.sum(1), torch.ones(4))
        pasted += set(mixed.flatten().tolist()) == set(values.tolist())

    assert 0 < pasted < 30  # both CutMix and mixup occur
    assert images[:, 0, 0, 0].tolist() == values.tolist()
