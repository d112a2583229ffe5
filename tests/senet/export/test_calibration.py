import numpy as np
import pytest

from app.errors import ConfigurationError
from senet.export.calibration import (
    calibrate,
    expected_calibration_error,
    fit_temperature,
    halves,
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


def test_the_calibration_error_is_that_of_the_held_out_half() -> None:
    logits, classes = _photos(3.0)
    calibration = calibrate(logits, classes, "drawn")
    fitted, held_out = halves(len(logits))
    assert not set(fitted) & set(held_out)
    assert calibration.temperature == fit_temperature(logits[fitted], classes[fitted])
    assert calibration.ece_before == expected_calibration_error(
        logits[held_out], classes[held_out], 1.0
    )
    assert calibration.ece_after < 0.03 < calibration.ece_before


def test_the_calibration_error_by_hand() -> None:
    # Two photos with score 0.9, one of them right; two with score 0.6, both right.
    logits = np.log(np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]], np.float32))
    classes = np.array([0, 1, 0, 0])
    expected = (2 * abs(0.5 - 0.9) + 2 * abs(1 - 0.6)) / 4
    assert expected_calibration_error(logits, classes, 1.0) == pytest.approx(expected, abs=1e-6)


def test_photos_that_are_all_right_determine_no_temperature() -> None:
    logits = np.eye(3, dtype=np.float32)[[0, 1, 2] * 4]
    with pytest.raises(ConfigurationError, match="12 photos do not determine a temperature"):
        fit_temperature(logits, np.array([0, 1, 2] * 4))
