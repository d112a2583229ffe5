"""Residual networks with and without SE blocks, built from one description."""

from collections import OrderedDict
from dataclasses import dataclass

from torch import Tensor, nn

from senet.blocks import ResidualBlock, convolution, initialise


@dataclass(frozen=True)
class ResNetDesign:
    """What tells one residual network from another.

    Attributes:
        block: the residual block to stack.
        depths: blocks in each of the four stages.
        planes: width parameter of each stage.
        reduction: ratio r of the SE blocks, or one for each stage; None gives the plain twin.
        groups: groups of the 3x3 convolutions.
        stem: widths of the stem's convolutions: one is a single 7x7, three are three 3x3.
        shortcut_kernel: kernel of the projecting shortcut (SENet-154: 3 from the second stage).
        dropout: probability before the classifier.
    """

    block: type[ResidualBlock]
    depths: tuple[int, int, int, int]
    planes: tuple[int, int, int, int] = (64, 128, 256, 512)
    reduction: int | tuple[int, int, int, int] | None = 16
    groups: int = 1
    stem: tuple[int, ...] = (64,)
    shortcut_kernel: int = 1
    dropout: float = 0.0


class ResNet(nn.Module):
    """A residual network; parameter names follow the published SENet checkpoints.

    Args:
        design: the architecture.
        classes: number of outputs.
    """

    def __init__(self, design: ResNetDesign, classes: int = 1000) -> None:
        super().__init__()
        self.layer0 = _stem(design.stem)
        channels = design.stem[-1]
        stages: list[nn.Sequential] = []
        for index, (depth, planes) in enumerate(zip(design.depths, design.planes, strict=True)):
            stages.append(_stage(design, index, depth, channels, planes))
            channels = planes * design.block.expansion
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.dropout = nn.Dropout(design.dropout)
        self.last_linear = nn.Linear(channels, classes)
        initialise(self)

    def features(self, x: Tensor) -> Tensor:
        """[batch, 3, height, width] normalised RGB -> the last feature map [batch, C, h, w]."""
        x = self.layer1(self.layer0(x))
        out: Tensor = self.layer4(self.layer3(self.layer2(x)))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 3, height, width] normalised RGB -> logits [batch, classes]."""
        out: Tensor = self.last_linear(self.dropout(self.features(x).mean((2, 3))))
        return out


def _stem(widths: tuple[int, ...]) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 3
    for index, width in enumerate(widths, start=1):
        kernel = 7 if len(widths) == 1 else 3
        layers[f"conv{index}"] = convolution(channels, width, kernel, stride=2 if index == 1 else 1)
        layers[f"bn{index}"] = nn.BatchNorm2d(width)
        layers[f"relu{index}"] = nn.ReLU(inplace=True)
        channels = width
    # Unpadded with ceil_mode, as the Caffe originals round: 112 -> 56 at 224 px.
    layers["pool"] = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    return nn.Sequential(layers)


def _stage(
    design: ResNetDesign, index: int, depth: int, channels: int, planes: int
) -> nn.Sequential:
    stride = 1 if index == 0 else 2
    outputs = planes * design.block.expansion
    reduction = design.reduction
    if isinstance(reduction, tuple):
        reduction = reduction[index]
    blocks: list[nn.Module] = []
    for position in range(depth):
        downsample = None
        if position == 0 and (stride != 1 or channels != outputs):
            kernel = 1 if index == 0 else design.shortcut_kernel
            downsample = nn.Sequential(
                convolution(channels, outputs, kernel, stride=stride), nn.BatchNorm2d(outputs)
            )
        blocks.append(
            design.block(
                channels,
                planes,
                stride=stride if position == 0 else 1,
                groups=design.groups,
                reduction=reduction,
                downsample=downsample,
            )
        )
        channels = outputs
    return nn.Sequential(*blocks)
