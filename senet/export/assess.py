"""Every variant against PyTorch, against fp32 and against the truth, before it is published."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.contract.manifest import Accuracy, Calibration, Parity, Precision
from app.contract.parity import compare
from senet.export import calibration, measure, parity
from senet.export.chance import Flips, Skill, flips, skill
from senet.export.measure import Logits
from senet.export.order import Order
from senet.export.photos import Photos
from senet.export.runtime import Run


@dataclass(frozen=True)
class Figures:
    """What was measured of one variant.

    Attributes:
        parity: of fp32 with PyTorch, of the others with fp32.
        photos: how many photos the parity was measured on.
        accuracy: on the evaluation photos, if there are any.
        flips: the photos of them that fp32 alone or this variant alone has right.
        ece: after temperature scaling, of photos that it was not fitted on; see `calibration`.
    """

    parity: Parity
    photos: int
    accuracy: Accuracy | None = None
    flips: Flips | None = None
    ece: float | None = None


@dataclass(frozen=True)
class Assessment:
    """What was measured of an export.

    Attributes:
        figures: of each variant.
        calibration: the temperature they share.
        skill: fp32's accuracy beside chance; None without evaluation photos, or with those of one
            class.
    """

    figures: dict[Precision, Figures]
    calibration: Calibration | None
    skill: Skill | None = None


def assess(
    order: Order, source_run: Run, runs: Mapping[Precision, Run], first: Parity, first_photos: int
) -> Assessment:
    """Measures every variant.

    Args:
        order: names the photos.
        source_run: the source network.
        runs: the variants; fp32 among them.
        first: the parity that fp32 has already shown on `order.photos`.
        first_photos: on how many of them.

    Raises:
        ConfigurationError: if fp32 differs from PyTorch on the evaluation photos.
    """
    figures: dict[Precision, Figures] = {"fp32": Figures(first, first_photos)}
    named: dict[str, Run] = {str(precision): run for precision, run in runs.items()}
    evaluated: dict[str, Logits] = {}
    learned: Skill | None = None
    if order.evaluation is not None:
        evaluated = _logits(order, {order.source.reference: source_run, **named}, order.evaluation)
        figures = _evaluate(order, evaluated, order.evaluation, list(runs))
        learned = skill(evaluated["fp32"], order.evaluation.targets)
    if order.calibration is None:
        return Assessment(figures, None, learned)

    photos = order.calibration
    same = order.evaluation is not None and photos.files == order.evaluation.files
    logits = evaluated if same else _logits(order, named, photos)
    if order.fitting is None:
        fit = calibration.cross_fit(logits["fp32"], photos.targets)
    else:
        fit = calibration.split_fit(logits["fp32"], photos.targets, order.fitting)
    for precision, measured in figures.items():
        figures[precision] = replace(measured, ece=fit.error(logits[precision], photos.targets))
    entry = calibration.calibration(fit, logits["fp32"], photos.targets, order.calibration_name)
    return Assessment(figures, entry, learned)


def _evaluate(
    order: Order, logits: Mapping[str, Logits], photos: Photos, precisions: list[Precision]
) -> dict[Precision, Figures]:
    figures: dict[Precision, Figures] = {}
    for precision in precisions:
        reference = order.source.reference if precision == "fp32" else "fp32"
        agreed = compare(reference, logits[reference], logits[precision])
        if precision == "fp32":
            parity.refuse_difference(agreed, f"on {len(photos)} photos")
        measured = measure.accuracy(logits[precision], photos, order.evaluation_name)
        flipped = flips(logits["fp32"], logits[precision], photos.targets)
        figures[precision] = Figures(agreed, len(photos), measured, flipped)
    return figures


def _logits(order: Order, runs: Mapping[str, Run], photos: Photos) -> dict[str, Logits]:
    return measure.logits_of(runs, photos, order.source.preprocessing, progress=order.progress)
