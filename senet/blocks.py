"""Residual blocks with an optional SE block before the addition (paper, figure 3)."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from senet.se import SqueezeExcitation


def convolution(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    """A convolution without bias, padded to keep the size at stride 1."""
    return nn.Conv2d(
        inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False
    )


def initialise(network: nn.Module) -> None:
    """Draws the convolutions' weights anew, as He et al. 2015 (section 2.2) do for ReLUs."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class ResidualBlock(nn.Module, ABC):
    """The frame all blocks share: transform, recalibrate, add the shortcut, ReLU.

    Subclasses build the layers that `_transform` runs. Parameter names are those of the
    published SENet checkpoints.

    Args:
        inputs: channels in.
        planes: width parameter; the block gives `planes * expansion` channels.
        stride: spatial stride of the block.
        groups: groups of the 3x3 convolution, where the block has any.
        reduction: ratio r of the SE block; None leaves the plain residual block.
        downsample: projection for the shortcut, or None for the identity.
    """

    expansion: ClassVar[int]

    def __init__(
        self,
        inputs: int,
        planes: int,
        *,
        stride: int,
        groups: int,
        reduction: int | None,
        downsample: nn.Module | None,
    ) -> None:
        super().__init__()
        self._build(inputs, planes, stride, groups)
        self.relu = nn.ReLU(inplace=True)
        outputs = planes * self.expansion
        self.se_module = (
            nn.Identity() if reduction is None else SqueezeExcitation(outputs, reduction)
        )
        self.downsample = downsample

    @abstractmethod
    def _build(self, inputs: int, planes: int, stride: int, groups: int) -> None:
        """Creates the convolutions and normalisations that `_transform` runs."""

    @abstractmethod
    def _transform(self, x: Tensor) -> Tensor:
        """The residual branch, up to its last normalisation."""

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, h, w] -> [batch, planes * expansion, h / stride, w / stride]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.relu(self.se_module(self._transform(x)) + shortcut)
        return out


class BasicBlock(ResidualBlock):
    """Two 3x3 convolutions (ResNet-18 and -34)."""

    expansion = 1

    def _build(self, inputs: int, planes: int, stride: int, groups: int) -> None:
        self.conv1 = convolution(inputs, planes, 3, stride=stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = convolution(planes, planes, 3, groups=groups)
        self.bn2 = nn.BatchNorm2d(planes)

    def _transform(self, x: Tensor) -> Tensor:
        out: Tensor = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return out


class RectifiedBasicBlock(BasicBlock):
    """SE-ResNet-18's and -34's block as published: a ReLU also before the SE block.

    The paper has no such ReLU (figure 3); the published weights (timm's `legacy_seresnet18` and
    `legacy_seresnet34`) were trained with it. Without an SE block this is the usual basic block.
    """

    def _transform(self, x: Tensor) -> Tensor:
        out = super()._transform(x)
        return out if isinstance(self.se_module, nn.Identity) else self.relu(out)


class _ThreeLayerBlock(ResidualBlock):
    """Reduce by 1x1, convolve by 3x3, expand by 1x1."""

    expansion = 4

    def _layers(
        self,
        inputs: int,
        widths: tuple[int, int],
        outputs: int,
        strides: tuple[int, int],
        groups: int,
    ) -> None:
        self.conv1 = convolution(inputs, widths[0], 1, stride=strides[0])
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.conv2 = convolution(widths[0], widths[1], 3, stride=strides[1], groups=groups)
        self.bn2 = nn.BatchNorm2d(widths[1])
        self.conv3 = convolution(widths[1], outputs, 1)
        self.bn3 = nn.BatchNorm2d(outputs)

    def _transform(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        out: Tensor = self.bn3(self.conv3(x))
        return out


class Bottleneck(_ThreeLayerBlock):
    """ResNet-50's block as the SENet authors trained it: the stride sits in the first 1x1."""

    def _build(self, inputs: int, planes: int, stride: int, groups: int) -> None:
        self._layers(inputs, (planes, planes), planes * 4, (stride, 1), groups)


class ResNeXtBottleneck(_ThreeLayerBlock):
    """ResNeXt's block: grouped 3x3 of twice the width (32 x 4d), which carries the stride."""

    def _build(self, inputs: int, planes: int, stride: int, groups: int) -> None:
        width = planes * 4 * groups // 64
        self._layers(inputs, (width, width), planes * 4, (1, stride), groups)


class SENetBottleneck(_ThreeLayerBlock):
    """SENet-154's block (paper, appendix): 64 groups, half the width in the first 1x1."""

    def _build(self, inputs: int, planes: int, stride: int, groups: int) -> None:
        self._layers(inputs, (planes * 2, planes * 4), planes * 4, (1, stride), groups)
