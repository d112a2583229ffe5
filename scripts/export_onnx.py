"""Exports a trained network to the model repository: `python -m scripts.export_onnx --help`.

Compares PyTorch with ONNX Runtime on real photos, measures every precision, and writes
`<repository>/<name>/<version>/` whole or not at all.
"""

import argparse
import sys
from pathlib import Path
from typing import get_args

from app.contract.errors import ConfigurationError
from app.contract.manifest import Geometry, Interpolation, Precision
from app.contract.repository import ModelRepository
from app.engines.tensorrt_builder import build, compile_tensorrt
from app.engines.tensorrt_cache import TensorRTTarget
from app.engines.tensorrt_target import detect
from senet.export import photos
from senet.export.int8 import Layout
from senet.export.order import Order
from senet.export.pipeline import export
from senet.export.report import render
from senet.sources import PreprocessingOptions, SourceOptions, load_source


def main(arguments: list[str] | None = None) -> int:
    """Exports what the command line says. Returns the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        # Asked first: a missing GPU should not show after the hour that measuring may take.
        target = detect() if parsed.tensorrt else None
        order = _order(parsed)
        report = export(order)
        if target is not None:
            _build_engine(order, target, parsed)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the command line's answer
        return 2
    print(render(report))  # noqa: T201 - likewise
    print(f"published {order.target}")  # noqa: T201 - likewise
    return 0


def _order(parsed: argparse.Namespace) -> Order:
    if parsed.tensorrt and "fp16" not in parsed.precision:
        raise ConfigurationError(
            "--tensorrt", "engines are built from the fp16 file", "add fp16 to --precision"
        )
    source = load_source(_source_options(parsed))
    evaluation = calibration = quantisation = fitting = None
    if parsed.evaluate is not None:
        evaluation = photos.labelled("--evaluate", parsed.evaluate, source.labels)
    if parsed.calibrate is not None:
        calibration = photos.labelled("--calibrate", parsed.calibrate, source.labels)
    if parsed.fit_on is not None:
        if calibration is None:
            raise ConfigurationError(
                "--fit-on", "it chooses among photos of --calibrate, which is not given", "give it"
            )
        fitting = photos.listed("--fit-on", parsed.fit_on, calibration)
    if parsed.calibration_photos is not None:
        quantisation = photos.unlabelled("--calibration-photos", parsed.calibration_photos)
    if parsed.photos is not None:
        parity = photos.unlabelled("--photos", parsed.photos)
    elif evaluation is not None:
        parity = evaluation
    else:
        raise ConfigurationError(
            "--photos",
            "PyTorch and ONNX Runtime are compared on real photos, and none are named",
            "name a folder with --photos, or one of class folders with --evaluate",
        )
    return Order(
        source=source,
        name=parsed.name,
        version=parsed.version,
        repository=parsed.repository,
        photos=parity,
        evaluation=evaluation,
        evaluation_name=parsed.evaluate_name or str(getattr(parsed.evaluate, "name", "")),
        calibration=calibration,
        fitting=fitting,
        quantisation=quantisation,
        precisions=parsed.precision,
        int8_layout=parsed.int8_layout,
        max_accuracy_drop=parsed.max_accuracy_drop,
        min_agreement=parsed.min_agreement,
        min_speedup=parsed.min_speedup,
        allow_untrained=parsed.allow_untrained,
        force=parsed.force,
        progress=True,
    )


def _build_engine(order: Order, target: TensorRTTarget, parsed: argparse.Namespace) -> None:
    version = ModelRepository(order.repository).find(order.name, order.version)
    images = photos.sample(order.photos, order.source.preprocessing)
    build(
        version,
        images,
        target,
        compile_tensorrt,
        max_batch_size=parsed.max_batch_size,
        max_accuracy_drop=order.max_accuracy_drop,
        force=order.force,
    )


def _source_options(parsed: argparse.Namespace) -> SourceOptions:
    return SourceOptions(
        checkpoint=parsed.checkpoint,
        architecture=parsed.architecture,
        timm=parsed.timm,
        pretrained=parsed.pretrained,
        test_size=parsed.test_size,
        module=parsed.module,
        program=parsed.exported_program,
        onnx=parsed.onnx,
        hub=parsed.hf_hub,
        labels=parsed.labels,
        preprocessing=PreprocessingOptions(
            geometry=parsed.geometry,
            resize_shorter_side=parsed.resize_shorter_side,
            crop_height=parsed.crop_height,
            crop_width=parsed.crop_width,
            interpolation=parsed.interpolation,
            mean=parsed.mean,
            std=parsed.std,
            scaled_decoding=parsed.scaled_decoding,
        ),
        licence=parsed.licence,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.export_onnx",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_source(parser.add_argument_group("where the weights come from"))
    _add_preprocessing(parser.add_argument_group("preprocessing, where the source does not say"))
    _add_measurement(parser.add_argument_group("photos and precisions"))
    _add_target(parser.add_argument_group("where the model goes"))
    return parser


def _add_source(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="weights, of torch.save or safetensors; alone: a checkpoint of this training, or a"
        " folder of the Hugging Face hub (config.json, model.safetensors)",
    )
    add("--architecture", metavar="NAME", help="network that --checkpoint holds the weights of")
    add("--timm", metavar="NAME", help="network of the timm library")
    add("--pretrained", action="store_true", help="let timm download the weights of --timm")
    add(
        "--test-size",
        action="store_true",
        help="take the input size that timm states for tests, where it differs from the training's",
    )
    add("--module", metavar="PACKAGE.MODULE:FACTORY", help="makes a network of your own")
    add("--exported-program", type=Path, metavar="FILE", help=".pt2 file of torch.export.save")
    add("--onnx", type=Path, metavar="FILE", help="ONNX file of another exporter, float NCHW")
    add("--hf-hub", metavar="ORG/NAME", help="network of timm on the Hugging Face hub")
    add("--labels", type=Path, metavar="FILE", help="lines `index id name` or names, or JSON")
    add("--licence", metavar="TEXT", help="licence of the weights, for the manifest")


def _add_preprocessing(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--geometry",
        choices=get_args(Geometry),
        help="torchvision: sizes and offsets rounded as it does; squash: both sides resized;"
        " exact: the centre to fractions of a pixel",
    )
    add("--resize-shorter-side", type=int, metavar="PX")
    add("--crop-height", type=int, metavar="PX")
    add("--crop-width", type=int, metavar="PX")
    add("--interpolation", choices=get_args(Interpolation))
    add("--mean", type=_rgb, metavar="R,G,B", help="in units of 0..1")
    add("--std", type=_rgb, metavar="R,G,B", help="in units of 0..1")
    add(
        "--scaled-decoding",
        action=argparse.BooleanOptionalAction,
        help="whether JPEGs may be decoded at 1/2, 1/4 or 1/8 where that suffices",
    )


def _add_measurement(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--photos", type=Path, metavar="DIR", help="at least 7, for parity (default: --evaluate)")
    add("--evaluate", type=Path, metavar="DIR", help="class folders to measure accuracy on")
    add("--evaluate-name", metavar="TEXT", help="their name in the manifest (default: DIR's)")
    add(
        "--calibrate",
        type=Path,
        metavar="DIR",
        help="class folders of photos the network was not trained on: the temperature is fitted on"
        " all of them, the calibration error cross-fitted between halves",
    )
    add(
        "--fit-on",
        type=Path,
        metavar="FILE",
        help="list, '<class id>/<file name>' a line, of the photos of --calibrate to fit the"
        " temperature on; the others alone judge it",
    )
    add("--calibration-photos", type=Path, metavar="DIR", help="training photos for int8's ranges")
    add(
        "--precision",
        type=_precisions,
        default=("fp32",),
        metavar="LIST",
        help="of fp32, fp16 (GPU) and int8 (CPU), separated by commas (default fp32)",
    )
    add(
        "--int8-layout",
        choices=get_args(Layout),
        default="u8s8",
        help="activations and weights: u8s8 for CPUs, s8s8 for TensorRT (default %(default)s)",
    )
    add(
        "--max-accuracy-drop",
        type=float,
        default=0.5,
        metavar="POINTS",
        help="of top-1 that fp16 and int8 may lose against fp32, beyond chance, or be left out"
        " (default %(default)s)",
    )
    add(
        "--min-agreement",
        type=float,
        default=0.97,
        metavar="SHARE",
        help="of photos on which fp16 and int8 must have fp32's class, within the 95%% interval, or"
        " be left out (default %(default)s)",
    )
    add(
        "--min-speedup",
        type=float,
        default=1.0,
        metavar="RATIO",
        help="of int8 against fp32 on this machine, or it is left out; 0 where a smaller file is"
        " all that is wanted (default %(default)s)",
    )
    add(
        "--allow-untrained",
        action="store_true",
        help="publish a network that shows no sign of having learned, to measure speed; the"
        " manifest and /models say so",
    )


def _add_target(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--name", required=True, help="the model's name")
    add("--version", type=int, default=1, help="its version (default %(default)s)")
    add("--repository", type=Path, default=Path("models"), metavar="DIR", help="default models/")
    add(
        "--tensorrt",
        action="store_true",
        help="also build the TensorRT engine of the fp16 file, on the GPU of this machine",
    )
    add(
        "--max-batch-size",
        type=int,
        default=32,
        metavar="IMAGES",
        help="largest batch of the TensorRT engine (default %(default)s)",
    )
    add("--force", action="store_true", help="replace the version if it exists")


def _rgb(text: str) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not three numbers R,G,B") from None
    return red, green, blue


def _precisions(text: str) -> tuple[Precision, ...]:
    known = get_args(Precision)
    named = text.split(",")
    unknown = [name for name in named if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
    return tuple(precision for precision in known if precision in named)


if __name__ == "__main__":
    sys.exit(main())
