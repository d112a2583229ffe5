"""Builds the TensorRT engine of a published model version for the GPU of this machine.

Run it where the model is to be served; it needs the gpu extra and TensorRT, but no torch.
"""

import argparse
import sys
from pathlib import Path

from app.contract.errors import ConfigurationError
from app.contract.repository import ModelRepository
from app.engines.tensorrt_target import detect
from scripts.tensorrt_engine import build, compile_tensorrt
from senet.export import photos


def main(arguments: list[str] | None = None) -> int:
    """Builds what the command line says. Returns the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        target = detect(parsed.device)
        version = ModelRepository(parsed.repository).find(parsed.name, parsed.version)
        found = photos.unlabelled("--photos", parsed.photos)
        engine = build(
            version,
            photos.sample(found, version.manifest.preprocessing),
            target,
            compile_tensorrt,
            precision=parsed.precision,
            max_batch_size=parsed.max_batch_size,
            max_accuracy_drop=parsed.max_accuracy_drop,
            force=parsed.force,
        )
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the command line's answer
        return 2
    print(f"built {engine}")  # noqa: T201 - likewise
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.build_tensorrt", description=__doc__)
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
    add("--max-batch-size", type=int, default=32, metavar="IMAGES", help="default %(default)s")
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


if __name__ == "__main__":
    sys.exit(main())
