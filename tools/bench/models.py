"""`python -m tools.bench.models`: networks of published sizes with random weights, to time them.

They have the published networks' layers, so they take the same time; what they answer means
nothing. Only this module of the benchmark needs PyTorch.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast, get_args

import numpy as np
import torch
from torch import nn

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label, Precision, Preprocessing, Source
from app.contract.repository import ModelRepository
from senet.export.order import Order
from senet.export.photos import Photos
from senet.export.pipeline import export
from senet.networks import build
from senet.sources import SourceModel
from tools.loadtools import pictures

NAMES = ("se_resnet18", "se_resnet50")
_CLASSES = 1000
_PREPROCESSING = Preprocessing(
    geometry="torchvision", resize_shorter_side=256, crop_height=224, crop_width=224
)
_SEED = 0
_NO_ACCURACY = "drawn pictures with random labels: says nothing"


def random_network(name: str) -> nn.Module:
    """A network with PyTorch's initial weights, the same in every call."""
    torch.manual_seed(_SEED)
    return build(name, _CLASSES)


def make(
    work: Path,
    precisions: tuple[Precision, ...],
    names: tuple[str, ...] = NAMES,
    network: Callable[[str], nn.Module] = random_network,
) -> list[Path]:
    """Exports whichever of `names` is not there yet.

    Args:
        work: the benchmark's folder; models go to `<work>/models/<name>/1`.
        precisions: of each; fp32 among them.
        names: architectures.
        network: makes one with its weights.

    Returns:
        The folders of the versions that were written.
    """
    orders = [_order(work, name, precisions, network(name)) for name in names]
    missing = [order for order in orders if not _is_there(order)]
    for order in missing:
        export(order)
    return [order.target for order in missing]


def _order(work: Path, name: str, precisions: tuple[Precision, ...], network: nn.Module) -> Order:
    source = SourceModel(
        network=network.eval(),
        architecture=name,
        source=Source(weights="random: for measuring speed", licence="Apache-2.0"),
        preprocessing=_PREPROCESSING,
        labels=tuple(
            Label(index=index, id=f"c{index:04d}", name=f"class {index}")
            for index in range(_CLASSES)
        ),
    )
    folder = work / "photos"
    files = pictures.drawn(folder, pictures.SMALL)
    targets = np.random.default_rng(_SEED).integers(0, _CLASSES, len(files), dtype=np.int64)
    photos = Photos("drawn pictures", folder, files, targets)
    return Order(
        source=source,
        name=name,
        version=1,
        repository=work / "models",
        photos=photos,
        evaluation=photos,
        evaluation_name=_NO_ACCURACY,
        quantisation=photos,
        precisions=precisions,
        # With random weights and labels, answers and accuracies of two variants differ by chance.
        max_accuracy_drop=100,
        min_agreement=0,
        min_speedup=0,
        allow_untrained=True,
        force=True,
    )


def _is_there(order: Order) -> bool:
    try:
        found = ModelRepository(order.repository).find(order.name, order.version)
    except ConfigurationError:
        return False
    return set(order.precisions) <= {variant.precision for variant in found.manifest.variants}


def _precisions(text: str) -> tuple[Precision, ...]:
    named = text.split(",")
    if "fp32" not in named or not set(named) <= set(get_args(Precision)):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of {', '.join(get_args(Precision))} with fp32 in it"
        )
    return tuple(cast("Precision", name) for name in named)


def main() -> int:
    """Runs the command; the exit code is 2 if a model cannot be exported."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench.models",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--work", type=Path, default=Path("runs/bench"), metavar="DIR")
    parser.add_argument(
        "--precisions",
        type=_precisions,
        default=("fp32", "int8"),
        metavar="LIST",
        help="separated by commas (default fp32,int8)",
    )
    options = parser.parse_args()
    try:
        for folder in make(options.work, options.precisions):
            print(f"exported {folder}")
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
