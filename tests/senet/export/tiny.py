"""A network small enough to export in a test."""

from torch import nn

from senet.blocks import BasicBlock
from senet.resnet import ResNet, ResNetDesign


def network() -> nn.Module:
    """One SE block a stage, three classes."""
    design = ResNetDesign(BasicBlock, (1, 1, 1, 1), planes=(8, 8, 16, 16), stem=(8,), reduction=4)
    return ResNet(design, classes=3)
