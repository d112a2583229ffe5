"""The schedule over steps and epochs."""

import pytest

from senet.training.schedule import image_size, learning_rate, mixes


def test_the_learning_rate_warms_up_peaks_and_falls_towards_zero() -> None:
    rates = [learning_rate(step, 200, peak=0.5) for step in range(200)]

    assert rates[0] == pytest.approx(0.05)
    assert max(rates) == rates[9] == rates[10] == 0.5
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 1e-3


def test_a_training_of_one_step_has_the_peak_rate() -> None:
    assert learning_rate(0, 1, peak=0.5) == 0.5


def test_images_grow_to_the_full_size() -> None:
    sizes = [image_size(epoch, 10, 128) for epoch in range(10)]

    assert sizes == [80, 80, 80, 80, 104, 104, 104, 104, 128, 128]


def test_the_last_epochs_see_unmixed_images() -> None:
    assert [mixes(epoch, 20) for epoch in range(20)] == [True] * 17 + [False] * 3
