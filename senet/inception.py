"""BN-Inception with and without SE blocks.

Ioffe & Szegedy 2015, "Batch Normalization: Accelerating Deep Network Training by Reducing
Internal Covariate Shift", appendix (figure 5). Every convolution is followed by batch
normalisation and a ReLU, and the stem's first convolution is a full one. Where the paper's
table contradicts itself (4c and 4d give 608 channels by its widths, 576 by its output sizes),
the widths count, as in the models that were trained after it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from senet.blocks import convolution, initialise
from senet.se import SqueezeExcitation


@dataclass(frozen=True)
class InceptionDesign:
    """One row of the paper's table.

    Attributes:
        single: width of the 1x1 branch; None leaves the branch out.
        one_3x3: widths of the branch 1x1, 3x3.
        two_3x3: widths of the branch 1x1, 3x3, 3x3, whose 3x3 are equally wide.
        projection: width of the 1x1 behind the pooling; None passes the pooled map through.
        pooling: kind of the pooling branch.
        stride: stride of the last convolution or pooling of each branch.
    """

    single: int | None
    one_3x3: tuple[int, int]
    two_3x3: tuple[int, int]
    projection: int | None
    pooling: type[nn.AvgPool2d | nn.MaxPool2d] = nn.AvgPool2d
    stride: int = 1


INCEPTIONS = (
    InceptionDesign(64, (64, 64), (64, 96), 32),  # 3a
    InceptionDesign(64, (64, 96), (64, 96), 64),
    InceptionDesign(None, (128, 160), (64, 96), None, nn.MaxPool2d, stride=2),
    InceptionDesign(224, (64, 96), (96, 128), 128),  # 4a
    InceptionDesign(192, (96, 128), (96, 128), 128),
    InceptionDesign(160, (128, 160), (128, 160), 128),
    InceptionDesign(96, (128, 192), (160, 192), 128),
    InceptionDesign(None, (128, 192), (192, 256), None, nn.MaxPool2d, stride=2),
    InceptionDesign(352, (192, 320), (160, 224), 128),  # 5a
    InceptionDesign(352, (192, 320), (192, 224), 128, nn.MaxPool2d),
)


class InceptionModule(nn.Module):
    """Parallel branches, concatenated, then recalibrated (SENet paper, figure 2).

    Args:
        inputs: channels in; `outputs` holds the channels out.
        design: widths of the branches.
        reduction: ratio r of the SE block; None leaves the plain module.
    """

    def __init__(self, inputs: int, design: InceptionDesign, reduction: int | None) -> None:
        super().__init__()
        (reduce3, width3), (reduce33, width33) = design.one_3x3, design.two_3x3
        stride = design.stride
        branches: list[nn.Module] = [
            nn.Sequential(_unit(inputs, reduce3, 1), _unit(reduce3, width3, 3, stride)),
            nn.Sequential(
                _unit(inputs, reduce33, 1),
                _unit(reduce33, width33, 3),
                _unit(width33, width33, 3, stride),
            ),
        ]
        if design.single is not None:
            branches.insert(0, _unit(inputs, design.single, 1))
        # Padded like the convolutions beside it, so that the branches meet at any image size.
        pool = nn.Sequential(design.pooling(3, stride=stride, padding=1))
        if design.projection is not None:
            pool.append(_unit(inputs, design.projection, 1))
        self.branches = nn.ModuleList([*branches, pool])
        projected = inputs if design.projection is None else design.projection
        self.outputs = (design.single or 0) + width3 + width33 + projected
        self.se_module = (
            nn.Identity() if reduction is None else SqueezeExcitation(self.outputs, reduction)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, h, w] -> [batch, outputs, h / stride, w / stride]."""
        out: Tensor = self.se_module(torch.cat([branch(x) for branch in self.branches], dim=1))
        return out


class BNInception(nn.Module):
    """BN-Inception; with a reduction, SE-BN-Inception.

    Args:
        reduction: ratio r of the SE block after each module; None gives the plain network.
        classes: number of outputs.
    """

    def __init__(self, reduction: int | None, classes: int = 1000) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _unit(3, 64, 7, 2),
            nn.MaxPool2d(3, stride=2, padding=1),
            _unit(64, 64, 1),
            _unit(64, 192, 3),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        channels = 192
        modules: list[InceptionModule] = []
        for design in INCEPTIONS:
            modules.append(InceptionModule(channels, design, reduction))
            channels = modules[-1].outputs
        self.inceptions = nn.Sequential(*modules)
        self.last_linear = nn.Linear(channels, classes)
        initialise(self)

    def features(self, x: Tensor) -> Tensor:
        """[batch, 3, height, width] normalised RGB -> the last feature map [batch, C, h, w]."""
        out: Tensor = self.inceptions(self.stem(x))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 3, height, width] normalised RGB -> logits [batch, classes]."""
        out: Tensor = self.last_linear(self.features(x).mean((2, 3)))
        return out


def _unit(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        convolution(inputs, outputs, kernel, stride=stride),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
