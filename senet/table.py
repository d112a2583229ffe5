"""`python -m senet.table`: what the networks cost, beside the SENet paper's figures.

Multiply-adds are counted for one image of 224 x 224 pixels. Those to compare with are from
table 2 of the paper (Hu et al., "Squeeze-and-Excitation Networks"), which calls them FLOPs;
parameters are those of the models that its authors released.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from senet import networks
from senet.cost import multiply_adds, parameters

SIZE = 224
_COLUMNS = "{:<22}{:>16}{:>9}{:>9}{:>20}{:>9}{:>9}"
_HEADINGS = ("network", "parameters (M)", "paper", "differ", "multiply-adds (G)", "paper", "differ")


@dataclass(frozen=True)
class Figures:
    """Cost of one network; None where the paper says nothing.

    Attributes:
        parameters: in millions.
        multiply_adds: in thousand millions.
    """

    parameters: float | None = None
    multiply_adds: float | None = None


PAPER = {
    "resnet50": Figures(multiply_adds=3.86),
    "se_resnet50": Figures(28.1, 3.87),
    "resnet101": Figures(multiply_adds=7.58),
    "se_resnet101": Figures(49.3, 7.60),
    "resnet152": Figures(multiply_adds=11.30),
    "se_resnet152": Figures(66.8, 11.32),
    "resnext50_32x4d": Figures(multiply_adds=4.24),
    "se_resnext50_32x4d": Figures(27.6, 4.25),
    "resnext101_32x4d": Figures(multiply_adds=7.99),
    "se_resnext101_32x4d": Figures(49.0, 8.00),
    "bn_inception": Figures(multiply_adds=2.03),
    "se_bn_inception": Figures(12.0, 2.04),
    "senet154": Figures(115.1, 20.7),
}


def rows() -> Iterator[str]:
    """The table's lines, each as soon as its network is counted."""
    yield _COLUMNS.format(*_HEADINGS)
    for name in networks.names():
        # Weights are not needed to count, so none are drawn.
        with torch.device("meta"):
            network = networks.build(name)
        paper = PAPER.get(name, Figures())
        ours = (parameters(network) / 1e6, multiply_adds(network, SIZE, SIZE) / 1e9)
        theirs = (paper.parameters, paper.multiply_adds)
        cells = [_cells(own, other) for own, other in zip(ours, theirs, strict=True)]
        yield _COLUMNS.format(name, *cells[0], *cells[1])


def _cells(own: float, paper: float | None) -> tuple[str, str, str]:
    if paper is None:
        return f"{own:.2f}", "", ""
    return f"{own:.2f}", f"{paper:.2f}", f"{own / paper - 1:+.1%}"


if __name__ == "__main__":
    for row in rows():
        sys.stdout.write(row.rstrip() + "\n")
