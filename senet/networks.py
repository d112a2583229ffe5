"""The architectures by name."""

from dataclasses import replace

from torch import nn

from senet.blocks import (
    BasicBlock,
    Bottleneck,
    RectifiedBasicBlock,
    ResNeXtBottleneck,
    SENetBottleneck,
)
from senet.inception import BNInception
from senet.resnet import ResNet, ResNetDesign

RESNETS = {
    # The default model's network, for a CPU: a 3x3 stem, narrow widths that are multiples of
    # 32 (fast in oneDNN), and its depth in the third stage, where a layer costs least. Its SE
    # blocks have at least eight hidden units.
    "se_resnet_mini": ResNetDesign(
        BasicBlock,
        (2, 2, 4, 2),
        planes=(32, 64, 128, 256),
        reduction=(4, 8, 8, 8),
        stem=(16, 16, 32),
    ),
    "se_resnet18": ResNetDesign(RectifiedBasicBlock, (2, 2, 2, 2)),
    "se_resnet34": ResNetDesign(RectifiedBasicBlock, (3, 4, 6, 3)),
    "se_resnet50": ResNetDesign(Bottleneck, (3, 4, 6, 3)),
    "se_resnet101": ResNetDesign(Bottleneck, (3, 4, 23, 3)),
    "se_resnet152": ResNetDesign(Bottleneck, (3, 8, 36, 3)),
    "se_resnext26_32x4d": ResNetDesign(ResNeXtBottleneck, (2, 2, 2, 2), groups=32),
    "se_resnext50_32x4d": ResNetDesign(ResNeXtBottleneck, (3, 4, 6, 3), groups=32),
    "se_resnext101_32x4d": ResNetDesign(ResNeXtBottleneck, (3, 4, 23, 3), groups=32),
    "senet154": ResNetDesign(
        SENetBottleneck, (3, 8, 36, 3), groups=64, stem=(64, 64, 128),
        shortcut_kernel=3, dropout=0.2,
    ),
}  # fmt: skip

# Name -> reduction ratio of the SE blocks.
INCEPTIONS = {"se_bn_inception": 16, "bn_inception": None}


def build(name: str, classes: int = 1000) -> nn.Module:
    """Builds a network with fresh weights.

    Args:
        name: one of `names()`; without its `se_` prefix, a residual network's plain twin.
        classes: number of outputs.

    Raises:
        ValueError: if the name is not known.
    """
    if name in INCEPTIONS:
        return BNInception(INCEPTIONS[name], classes)
    if name in RESNETS:
        return ResNet(RESNETS[name], classes)
    if f"se_{name}" in RESNETS:
        return ResNet(replace(RESNETS[f"se_{name}"], reduction=None), classes)
    raise ValueError(f"unknown architecture {name!r}; known: {', '.join(names())}")


def names() -> list[str]:
    """Every name that `build` knows."""
    twins = [name.removeprefix("se_") for name in RESNETS if name.startswith("se_")]
    return [*RESNETS, *twins, *INCEPTIONS]
