import numpy as np
import pytest

from app.contract.errors import ConfigurationError
from senet.export.calibration import (
    calibration,
    cross_fit,
    expected_calibration_error,
    fit_temperature,
    split_fit,
)


def _photos(temperature: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose scores are exact at `temperature`."""
    generator = np.random.default_rng(0)
    exact = generator.normal(0, 2, (count, 5))
    scores = np.exp(exact) / np.exp(exact).sum(1, keepdims=True)
    classes = np.array([generator.choice(5, p=row) for row in scores])
    return (exact * temperature).astype(np.float32), classes


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_the_scores_were_spoilt_by_is_found(temperature: float) -> None:
    logits, classes = _photos(temperature)
    assert fit_temperature(logits, classes) == pytest.approx(temperature, rel=0.05)


def test_every_photo_is_judged_by_a_temperature_fitted_without_it() -> None:
    logits, classes = _photos(3.0)
    fit = cross_fit(logits, classes)
    assert fit.published == fit_temperature(logits, classes)
    np.testing.assert_array_equal(fit.held_out[::2], fit_temperature(logits[1::2], classes[1::2]))
    np.testing.assert_array_equal(fit.held_out[1::2], fit_temperature(logits[::2], classes[::2]))
    # Another truth for one photo moves the temperature of the others only.
    classes[0] = (classes[0] + 1) % 5
    moved = cross_fit(logits, classes)
    assert moved.held_out[0] == fit.held_out[0]
    assert moved.held_out[1] != fit.held_out[1]


def test_the_manifest_tells_the_error_before_and_after() -> None:
    logits, classes = _photos(3.0)
    entry = calibration(cross_fit(logits, classes), logits, classes, "drawn")
    assert entry.temperature == pytest.approx(3, rel=0.05)
    assert entry.ece_after < 0.03 < entry.ece_before
    assert entry.dataset.startswith("drawn, 4000 photos")


def test_the_calibration_error_by_hand() -> None:
    # Two photos with score 0.9, one of them right; two with score 0.6, both right.
    logits = np.log(np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]], np.float32))
    classes = np.array([0, 1, 0, 0])
    expected = (2 * abs(0.5 - 0.9) + 2 * abs(1 - 0.6)) / 4
    assert expected_calibration_error(logits, classes, np.ones(4)) == pytest.approx(
        expected, abs=1e-6
    )


def test_photos_that_are_all_right_determine_no_temperature() -> None:
    logits = np.eye(3, dtype=np.float32)[[0, 1, 2] * 4]
    with pytest.raises(ConfigurationError, match="12 photos do not determine a temperature"):
        fit_temperature(logits, np.array([0, 1, 2] * 4))


def test_listed_photos_fit_and_the_others_judge() -> None:
    logits, classes = _photos(3.0)
    fitting = np.arange(len(logits)) < 1500
    fit = split_fit(logits, classes, fitting)
    assert fit.published == fit_temperature(logits[:1500], classes[:1500])
    entry = calibration(fit, logits, classes, "drawn")
    assert entry.dataset.endswith("fitted on 1500 listed photos, ECE of the other 2500")
    scaled = np.full(2500, fit.published)
    assert entry.ece_after == expected_calibration_error(logits[1500:], classes[1500:], scaled)
    # What a judging photo truly shows does not move the temperature.
    classes[2000] = (classes[2000] + 1) % 5
    assert split_fit(logits, classes, fitting).published == fit.published
