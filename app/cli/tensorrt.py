"""`python -m app tensorrt`: builds the TensorRT engine of a published model version."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from app.contract.photo_folder import photo_files, sample
from app.contract.repository import ModelRepository
from app.engines.buckets import largest_batch
from app.engines.tensorrt_builder import build, compile_tensorrt
from app.engines.tensorrt_target import detect


def build_engine(arguments: Sequence[str]) -> str:
    """Runs the `tensorrt` command.

    Args:
        arguments: the command line after `tensorrt`.

    Returns:
        What to print: where the engine lies.

    Raises:
        ConfigurationError: if an option is wrong, this machine cannot build engines, or the
            engine computes something else than the model.
    """
    parsed = _parser().parse_args(arguments)
    target = detect(parsed.device)
    version = ModelRepository(parsed.repository).find(parsed.name, parsed.version)
    files = photo_files("--photos", parsed.photos)
    engine = build(
        version,
        sample("--photos", files, version.manifest.preprocessing),
        target,
        compile_tensorrt,
        precision=parsed.precision,
        max_batch_size=parsed.max_batch_size,
        max_accuracy_drop=parsed.max_accuracy_drop,
        force=parsed.force,
    )
    return f"built {engine}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app tensorrt",
        description="Builds the TensorRT engine of a published model version for the GPU of this"
        " machine. Run it where the model is to be served; it needs the gpu extra and TensorRT.",
    )
    add = parser.add_argument
    add("--name", required=True, help="the model's name")
    add("--version", type=int, help="its version (default: the highest)")
    add("--repository", type=Path, default=Path("models"), metavar="DIR", help="default models/")
    add("--photos", type=Path, required=True, metavar="DIR", help="real photos, for parity")
    add(
        "--precision",
        choices=("fp16", "int8"),
        default="fp16",
        help="variant to build from; int8 in the layout s8s8 (default %(default)s)",
    )
    add(
        "--max-batch-size",
        type=int,
        default=largest_batch(0, "tensorrt"),
        metavar="IMAGES",
        help="at least the service's max_batch_size (default %(default)s, as there)",
    )
    add(
        "--max-accuracy-drop",
        type=float,
        default=0.5,
        metavar="PERCENT",
        help="photos that may change class against fp32 (default %(default)s)",
    )
    add("--device", type=int, default=0, help="ordinal of the GPU (default %(default)s)")
    add("--force", action="store_true", help="replace an engine that is there")
    return parser
