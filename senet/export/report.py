"""`report.json` and `report.md`: what was measured before the version was published."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from app.contract.manifest import Accuracy, Calibration, Parity, Precision, Source
from senet.export.excitation import Excitation
from senet.export.excitation import render as render_gates
from senet.export.photos import Photos
from senet.gates.block import BlockGates
from senet.gates.picture import role_of_excitation
from senet.shapes import Shapes, warnings_on

_PICTURE = "gates.svg"
_COLUMNS = (
    "precision",
    "size, MB",
    "nodes (opset)",
    "compared with",
    "max abs difference of logits",
    "top-1 agreement",
    "top-1",
    "top-5",
    "ECE",
    "speed",
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class VariantReport(_Part):
    """One ONNX file."""

    precision: Precision
    file: str
    bytes: int
    opset: int
    nodes: int
    operators: dict[str, int]
    parity: Parity
    parity_photos: int
    accuracy: Accuracy | None
    ece: float | None
    """Each photo scored with a temperature that was fitted without it."""
    top1_change: str | None = None
    """Against fp32 on the same photos, with its 95 % interval."""
    map_error: float | None = None
    """Largest difference between a logit and its class activation map's mean plus the bias, over
    the photos that PyTorch and ONNX Runtime were compared on."""
    speed_ratio: float
    """Images per second as a multiple of fp32's, side by side on `machine`."""


class Report(_Part):
    """The whole of `report.json`."""

    name: str
    version: int
    architecture: str
    source: Source
    classes: int
    inputs: dict[str, str]
    outputs: dict[str, str]
    variants: tuple[VariantReport, ...]
    left_out: dict[Precision, tuple[str, ...]] = {}
    """Variants that were ordered and not published, with the reasons."""
    calibration: Calibration | None
    gates: Excitation
    folded_gates: tuple[str, ...]
    """Blocks whose constant gates were folded into a convolution."""
    shapes: tuple[Shapes, ...] = ()
    """Of the photos behind the figures."""
    notes: tuple[str, ...] = ()
    """What is to be known about the source."""
    machine: str
    speed_batch: int
    """Images a run in the speed measurement."""
    tools: dict[str, str]
    """Versions of the libraries that exported and measured."""


def write(report: Report, directory: Path) -> None:
    """Writes both files."""
    (directory / "report.json").write_text(report.model_dump_json(indent=1) + "\n")
    (directory / "report.md").write_text(render(report))


def draw(
    blocks: Sequence[BlockGates], photos: Photos, names: Sequence[str], directory: Path
) -> None:
    """Writes the picture of the gates, if there are any.

    Args:
        blocks: the gates over the photos.
        photos: what they were measured on.
        names: of the classes.
        directory: of the version.
    """
    if blocks:
        picture = role_of_excitation(blocks, photos.targets, names)
        (directory / _PICTURE).write_text(picture, encoding="utf-8")


def render(report: Report) -> str:
    """The report for people."""
    lines = [
        f"# {report.name} version {report.version}: parity report",
        "",
        f"- Architecture: {report.architecture}, {report.classes} classes",
        f"- Weights: {report.source.weights} (licence: {report.source.licence})",
        *(f"- {note}" for note in report.notes),
        *(f"- Input `{name}`: {kind}" for name, kind in report.inputs.items()),
        *(f"- Output `{name}`: {kind}" for name, kind in report.outputs.items()),
        f"- Tools: {', '.join(f'{name} {version}' for name, version in report.tools.items())}",
        "",
        "## Variants",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        f"|{' --- |' * len(_COLUMNS)}",
        *(_row(variant) for variant in report.variants),
        "",
        *_left_out(report),
        *_notes(report),
        "",
        "## Gates",
        "",
        *render_gates(report.gates),
    ]
    if report.folded_gates:
        lines.append(
            "Constant gates that were folded into the convolution beside them:"
            f" {', '.join(report.folded_gates)}."
        )
    if report.gates.blocks:
        lines += [
            "",
            "Channel by channel, a line for each class (ten at most), black for all photos:",
            "",
            f"![Gates of each block]({_PICTURE})",
        ]
    return "\n".join(lines) + "\n"


def _left_out(report: Report) -> list[str]:
    """Sentences on what is not published."""
    lines = [
        f"{precision} was left out: {'; '.join(reasons)}."
        for precision, reasons in report.left_out.items()
    ]
    return [part for line in lines for part in (line, "")]


def _row(variant: VariantReport) -> str:
    accuracy = variant.accuracy
    change = f" ({variant.top1_change})" if variant.top1_change else ""
    cells = [
        variant.precision,
        f"{variant.bytes / 1e6:.1f}",
        f"{variant.nodes} ({variant.opset})",
        f"{variant.parity.reference}, {variant.parity_photos} photos",
        f"{variant.parity.max_abs_logit_diff:.2g}",
        f"{variant.parity.top1_agreement:.2%}",
        "not measured" if accuracy is None else f"{accuracy.top1:.2%}{change}",
        "not measured" if accuracy is None else f"{accuracy.top5:.2%}",
        "not measured" if variant.ece is None else f"{variant.ece:.2%}",
        f"{variant.speed_ratio:.2f}x",
    ]
    return f"| {' | '.join(cells)} |"


def _notes(report: Report) -> list[str]:
    speed = (
        f"Speed is images per second as a multiple of fp32's, at batch size {report.speed_batch},"
        f" medians of runs side by side on: {report.machine}. fp16 is for GPUs; a CPU casts."
    )
    notes = [speed]
    accuracy = report.variants[0].accuracy
    if accuracy is not None:
        notes += ["", f"Accuracy: {accuracy.images} photos, {accuracy.dataset}."]
    errors = [
        f"{variant.precision} {variant.map_error:.2g}"
        for variant in report.variants
        if variant.map_error is not None
    ]
    maps = (
        "Class activation maps: a map's mean over its positions, plus the classifier's bias,"
        f" differs from the logit by at most: {', '.join(errors)}."
        if errors
        else "Class activation maps: none, for no map of this network explains its logits exactly."
    )
    notes += ["", maps]
    fitted = report.calibration
    if fitted is not None:
        scores = (
            f"Scores: temperature {fitted.temperature:.3f}; ECE {fitted.ece_before:.2%} before and"
            f" {fitted.ece_after:.2%} after ({fitted.dataset}). The temperature leaves the order of"
            " the classes, and so top-1 and top-5, as they are."
        )
        notes += ["", scores]
    if report.shapes:
        notes += ["", f"Shapes: {'; '.join(map(str, report.shapes))}."]
        notes += ["", *warnings_on(report.shapes)]
    return notes
