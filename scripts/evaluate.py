"""Accuracy of a checkpoint on class folders, its photos prepared as the service prepares them."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.contract.errors import ConfigurationError
from senet import checkpoint
from senet.evaluation import evaluate, load_photos
from senet.shapes import shapes_of, warnings_on
from senet.sources import SourceOptions, load_source
from senet.training.batches import normalise


def main(arguments: list[str] | None = None) -> int:
    """Prints a line for each size, and one on the photos' shapes; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.evaluate", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="file that training wrote")
    parser.add_argument("--data", type=Path, required=True, help="folder of class folders")
    parser.add_argument(
        "--size",
        type=int,
        nargs="*",
        default=[],
        help="sides of the network's input to try, in pixels; default: the checkpoint's own",
    )
    parsed = parser.parse_args(arguments)
    if any(size < 1 for size in parsed.size):
        parser.error("--size must be at least 1")
    try:
        for line in _lines(parsed.checkpoint, parsed.data, parsed.size):
            sys.stdout.write(line + "\n")
    except ConfigurationError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _lines(file: Path, data: Path, sizes: list[int]) -> Iterator[str]:
    trained = checkpoint.load(file)
    network = cast("nn.Module", load_source(SourceOptions(checkpoint=file)).network)
    own = trained.preprocessing
    for size in sizes or [own.resize_shorter_side]:
        scale = size / own.resize_shorter_side
        preprocessing = own.model_copy(
            update={
                "resize_shorter_side": size,
                "crop_height": round(own.crop_height * scale),
                "crop_width": round(own.crop_width * scale),
            }
        )

        def infer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            with torch.inference_mode():
                logits: Tensor = network(normalise(images, own))
            return logits.numpy()

        photos = load_photos("--data", data, trained.labels, preprocessing)
        result = evaluate(infer, photos)
        yield (
            f"{size} px: top-1 {result.top1:.2%}, top-5 {result.top5:.2%} of {result.count} photos"
        )
    shapes = shapes_of("accuracy", photos.files)
    yield f"{shapes}."
    yield from photos.notes
    yield from warnings_on([shapes])


if __name__ == "__main__":
    sys.exit(main())
