"""The command line of `scripts/export_onnx.py`."""

import argparse
from pathlib import Path
from typing import get_args

from app.contract.manifest import Geometry, Interpolation, Precision
from senet.export.int8 import Layout
from senet.export.reject_rule import REJECT_RATE


def parser(description: str | None) -> argparse.ArgumentParser:
    """The parser of the command line.

    Args:
        description: what the command does.
    """
    own = argparse.ArgumentParser(
        prog="python -m scripts.export_onnx",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_source(own.add_argument_group("where the weights come from"))
    _add_preprocessing(own.add_argument_group("preprocessing, where the source does not say"))
    _add_measurement(own.add_argument_group("photos and precisions"))
    _add_target(own.add_argument_group("where the model goes"))
    return own


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
    add_reject_rate(group)
    add(
        "--excitations",
        action="store_true",
        help="let the files give the gates of each SE block (include=excitations), and keep their"
        " means over the photos of each class",
    )
    add(
        "--allow-untrained",
        action="store_true",
        help="publish a network that shows no sign of having learned, to measure speed; the"
        " manifest and /models say so",
    )


def add_reject_rate(group: argparse._ActionsContainer) -> None:
    """The option `--reject-rate`."""
    group.add_argument(
        "--reject-rate",
        type=float,
        default=REJECT_RATE,
        metavar="SHARE",
        help="of the photos fitted to that is rejected as unlike them, the rate of false alarms; 0"
        " rejects none (default %(default)s)",
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
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(known)}")
    return tuple(precision for precision in known if precision in named)
