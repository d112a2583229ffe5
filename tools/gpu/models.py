"""`python -m tools.gpu.models`: networks of published sizes whose files hardly take space packed.

A machine with a card may be reachable only through a narrow upload. Random weights do not compress;
here the same few thousand random values repeat in every layer. A convolution takes as long with
them, and its results differ from channel to channel, for the period divides no layer's width.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from app.contract.errors import ConfigurationError
from senet.se import SqueezeExcitation
from tools.bench import models

NAMES = ("se_resnet50", "senet154")
# A prime, so that no two filters of a layer begin at the same value.
_PERIOD = 4099
_SEED = 0
_GATES = 30.0


def repeating_network(name: str) -> nn.Module:
    """A network whose layers have repeating weights with the spread of PyTorch's initial ones."""
    network = models.random_network(name)
    values = np.random.default_rng(_SEED).standard_normal(_PERIOD, dtype=np.float32)
    with torch.no_grad():
        for weights in network.parameters():
            if weights.numel() > _PERIOD:
                repeated = np.resize(values, weights.numel()) * float(weights.std())
                weights.copy_(torch.from_numpy(repeated.astype(np.float32)).view_as(weights))
        for module in network.modules():
            if isinstance(module, SqueezeExcitation):
                # Gates that hardly vary would be folded into the convolution before them.
                module.fc2.weight.mul_(_GATES)
    return network


def main() -> int:
    """Runs the command; the exit code is 2 if a model cannot be exported."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.gpu.models",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--work", type=Path, default=Path("runs/gpu"), metavar="DIR")
    try:
        made = models.make(parser.parse_args().work, ("fp32", "fp16"), NAMES, repeating_network)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for folder in made:
        print(f"exported {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
