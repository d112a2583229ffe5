"""Networks of timm with drawn weights and statistics that keep activations in range."""

from importlib import import_module

import torch
from torch import Tensor, nn

CLASSES = 10


def drawn_network(name: str, classes: int = CLASSES) -> nn.Module:
    """A timm network, in evaluation mode, none of whose tensors has its initial value."""
    torch.manual_seed(0)
    network: nn.Module = import_module("timm").create_model(name, num_classes=classes)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.2)
        norm.momentum = 1.0
    # With momentum 1, one pass in training mode sets the statistics to those of these images.
    with torch.no_grad():
        network.train()(drawn_images(8))
    return network.eval()


def drawn_images(count: int) -> Tensor:
    """Images of odd and unequal sides, so that the rounding of strides and pools shows."""
    return torch.randn(count, 3, 75, 66, generator=torch.Generator().manual_seed(count))
