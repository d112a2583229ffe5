"""What a network costs: its parameters and its multiply-adds."""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(network: nn.Module) -> int:
    """The number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def multiply_adds(network: nn.Module, height: int, width: int) -> int:
    """The multiply-adds of the convolutions and fully connected layers for one image.

    This is the figure that papers on image classification call FLOPs. Pooling, normalisation,
    activations and the SE blocks' scaling are left out.

    Args:
        network: takes float32 [batch, 3, height, width]; is left as it is.
        height: height in pixels of the image.
        width: width in pixels of the image.
    """
    # On the meta device only shapes are computed.
    shapes = copy.deepcopy(network).to("meta").eval()
    image = torch.empty(1, 3, height, width, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        shapes(image)
    operations: int = counter.get_total_flops()
    return operations // 2
