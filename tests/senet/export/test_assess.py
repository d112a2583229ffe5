from dataclasses import replace

import numpy as np
import pytest

from app.contract.errors import ConfigurationError
from app.contract.manifest import Parity, Precision
from senet.export.assess import assess
from senet.export.order import Order
from senet.export.photos import Photos
from senet.export.runtime import Images, Outputs, Run

FIRST = Parity(reference="PyTorch fp32", max_abs_logit_diff=0, top1_agreement=1)


def brightest(images: Images) -> Outputs:
    """Takes the channel with the highest mean for the class."""
    return {"logits": images.mean((1, 2)).astype(np.float32) / 8}


def shifted(points: float) -> Run:
    """As `brightest`, with the first class favoured by `points`."""

    def run(images: Images) -> Outputs:
        favour = np.array([points, 0, 0], np.float32)
        return {"logits": brightest(images)["logits"] + favour}

    return run


@pytest.fixture
def measured(order: Order, drawn: Photos) -> Order:
    return replace(order, evaluation=drawn, evaluation_name="drawn", calibration=drawn)


def test_figures_are_of_all_photos_and_the_held_out_half(measured: Order, drawn: Photos) -> None:
    assessment = assess(measured, brightest, {"fp32": brightest}, FIRST, 28)
    figures = assessment.figures["fp32"]
    assert figures.photos == len(drawn)
    assert figures.parity.max_abs_logit_diff == 0
    assert figures.accuracy is not None
    assert figures.accuracy.images == len(drawn)
    assert 0.5 < figures.accuracy.top1 < 1
    assert assessment.calibration is not None
    assert figures.ece == assessment.calibration.ece_after
    assert assessment.calibration.dataset.startswith("drawn, 60 photos: temperature fitted")


def test_fp32_that_differs_from_pytorch_is_refused(measured: Order) -> None:
    with pytest.raises(
        ConfigurationError, match=r"logits differ from PyTorch fp32's by up to 0\.01"
    ):
        assess(measured, brightest, {"fp32": shifted(0.01)}, FIRST, 28)


def test_photos_that_a_variant_loses_and_gains_are_counted(measured: Order) -> None:
    runs: dict[Precision, Run] = {"fp32": brightest, "int8": shifted(100)}
    assessment = assess(measured, brightest, runs, FIRST, 28)
    int8 = assessment.figures["int8"]
    assert int8.accuracy is not None
    assert int8.accuracy.top1 == pytest.approx(1 / 3)
    fp32 = assessment.figures["fp32"].accuracy
    assert fp32 is not None
    assert int8.flips is not None
    assert int8.flips.drop == pytest.approx(fp32.top1 - 1 / 3)
    assert assessment.skill is not None
    assert assessment.skill.shown
    assert int8.parity.reference == "fp32"
    assert int8.parity.max_abs_logit_diff == pytest.approx(100)
    assert int8.parity.top1_agreement < 1


def test_without_labelled_photos_the_first_parity_stands(order: Order) -> None:
    assessment = assess(order, brightest, {"fp32": brightest}, FIRST, 28)
    assert assessment.figures["fp32"].parity == FIRST
    assert assessment.figures["fp32"].accuracy is None
    assert assessment.calibration is None
