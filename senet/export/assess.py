"""Every variant against PyTorch, against fp32 and against the truth, before it is published."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.contract.manifest import Accuracy, Calibration, Parity, Precision
from app.contract.parity import compare
from senet.export import calibration, measure, parity
from senet.export.measure import Logits
from senet.export.order import Order
from senet.export.photos import Photos
from senet.export.runtime import Run

_PYTORCH = "PyTorch fp32"


@dataclass(frozen=True)
class Figures:
    """What was measured of one variant.

    Attributes:
        parity: of fp32 with PyTorch, of the others with fp32.
        photos: how many photos the parity was measured on.
        accuracy: on the evaluation photos, if there are any.
        ece: after temperature scaling, of photos that it was not fitted on; see `calibration`.
    """

    parity: Parity
    photos: int
    accuracy: Accuracy | None = None
    ece: float | None = None


@dataclass(frozen=True)
class Assessment:
    """The figures of every variant, and the temperature they share."""

    figures: dict[Precision, Figures]
    calibration: Calibration | None


def assess(
    order: Order, torch_run: Run, runs: Mapping[Precision, Run], first: Parity, first_photos: int
) -> Assessment:
    """Measures every variant.

    Args:
        order: names the photos and the allowed drop.
        torch_run: the source network.
        runs: the variants; fp32 among them.
        first: the parity that fp32 has already shown on `order.photos`.
        first_photos: on how many of them.

    Raises:
        ConfigurationError: if fp32 differs from PyTorch on the evaluation photos, or another
            variant loses more top-1 than allowed.
    """
    figures: dict[Precision, Figures] = {"fp32": Figures(first, first_photos)}
    named: dict[str, Run] = {str(precision): run for precision, run in runs.items()}
    evaluated: dict[str, Logits] = {}
    if order.evaluation is not None:
        evaluated = _logits(order, {_PYTORCH: torch_run, **named}, order.evaluation)
        figures = _evaluate(order, evaluated, order.evaluation, list(runs))
    if order.calibration is None:
        return Assessment(figures, None)

    photos = order.calibration
    same = order.evaluation is not None and photos.files == order.evaluation.files
    logits = evaluated if same else _logits(order, named, photos)
    name = order.evaluation_name if same else photos.directory.name
    if order.fitting is None:
        fit = calibration.cross_fit(logits["fp32"], photos.targets)
    else:
        fit = calibration.split_fit(logits["fp32"], photos.targets, order.fitting)
    for precision, measured in figures.items():
        figures[precision] = replace(measured, ece=fit.error(logits[precision], photos.targets))
    entry = calibration.calibration(fit, logits["fp32"], photos.targets, name)
    return Assessment(figures, entry)


def _evaluate(
    order: Order, logits: Mapping[str, Logits], photos: Photos, precisions: list[Precision]
) -> dict[Precision, Figures]:
    figures: dict[Precision, Figures] = {}
    for precision in precisions:
        reference = _PYTORCH if precision == "fp32" else "fp32"
        agreed = compare(reference, logits[reference], logits[precision])
        if precision == "fp32":
            parity.refuse_difference(agreed, f"on {len(photos)} photos")
        measured = measure.accuracy(logits[precision], photos, order.evaluation_name)
        figures[precision] = Figures(agreed, len(photos), measured)
        reached = figures["fp32"].accuracy
        if reached is not None:
            measure.refuse_drop(precision, reached, measured, order.max_accuracy_drop)
    return figures


def _logits(order: Order, runs: Mapping[str, Run], photos: Photos) -> dict[str, Logits]:
    return measure.logits_of(runs, photos, order.source.preprocessing, progress=order.progress)
