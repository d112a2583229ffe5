"""A network small enough to be drawn, saved and loaded in every test."""

import torch
from torch import Tensor, nn

CLASSES = 3
SIZE = 32


class TinyNet(nn.Module):
    """Convolution, normalisation, pooling, classifier."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, stride=2)
        self.bn = nn.BatchNorm2d(width)
        self.fc = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.bn(self.conv(x)).relu().mean((2, 3)))
        return out


def broken() -> nn.Module:
    raise OSError("no\nlicence")


def not_a_network() -> str:
    return "network"


class NeedsBigImages(TinyNet):
    """Its kernel doesn't fit into small images."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.avg_pool2d(x, 33))


class Greyscale(TinyNet):
    """Takes images of one channel."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.conv2d(x, torch.ones(3, 1, 1, 1)))


class TwoOutputs(TinyNet):
    """Returns the logits as a feature map."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, :, None, None]
