import math
from collections.abc import Sequence

import pytest

from app.contract.manifest import Calibration, Manifest
from app.engines.engine import Layout
from app.inference.classification import Classification
from app.inference.observer import MetricsObserver, Seen
from app.inference.score_window import ScoreWindow
from app.selection.served_model import ServedModel
from app.telemetry.metrics import Metrics
from tests.support.repository import COLOUR_SIGNATURE, colour_manifest


def test_few_images_say_nothing() -> None:
    window = ScoreWindow()
    window.add([0.5] * 63)
    assert math.isnan(window.estimated_accuracy())
    window.add([0.5])
    assert window.estimated_accuracy() == 0.5


def test_images_are_forgotten_after_1024_others() -> None:
    window = ScoreWindow()
    window.add([0.2] * 100)
    window.add([0.9] * 924)
    assert window.estimated_accuracy() == pytest.approx((0.2 * 100 + 0.9 * 924) / 1024)
    window.add([0.9] * 100)
    assert window.estimated_accuracy() == pytest.approx(0.9)


def seen(scores: Sequence[float], label: int = 0) -> list[Seen]:
    labels = Manifest.model_validate(colour_manifest()).labels
    answer = Classification([], (0.0, 0.0, 1.0, 1.0), None, 0.0, 0.0, 0.0)
    return [Seen(labels[label], score, answer, "interactive") for score in scores]


def value(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value(
        "senet_estimated_accuracy", {"model": "colours", "version": "1"}
    )


def calibrated() -> ServedModel:
    calibration = Calibration(temperature=2, ece_before=0.1, ece_after=0.01, dataset="drawn")
    manifest = Manifest.model_validate(
        colour_manifest() | {"calibration": calibration.model_dump()}
    )
    return ServedModel(
        manifest, manifest.variants[0], "cpu", Layout(1, 1), 4, "rule", COLOUR_SIGNATURE
    )


def test_the_estimate_is_told_of_a_calibrated_model(metrics: Metrics) -> None:
    observer = MetricsObserver(metrics, calibrated())
    for _ in range(16):
        observer.seen(seen([1.0, 0.5, 0.5, 0.0]), 0.01)
    assert value(metrics) == 0.5


def test_nothing_is_guessed_of_a_model_without_calibration(
    metrics: Metrics, served: ServedModel
) -> None:
    observer = MetricsObserver(metrics, served)
    observer.seen(seen([0.5] * 100), 0.01)
    assert value(metrics) is None


def test_a_version_that_is_loaded_again_begins_anew(metrics: Metrics) -> None:
    MetricsObserver(metrics, calibrated()).seen(seen([0.5] * 100), 0.01)
    metrics.forget("colours", "1")
    assert value(metrics) is None
    observer = MetricsObserver(metrics, calibrated())
    fresh = value(metrics)
    assert fresh is not None
    assert math.isnan(fresh)
    observer.seen(seen([0.9] * 64), 0.01)
    assert value(metrics) == pytest.approx(0.9)
