"""The squeeze-and-excitation block (Hu et al., "Squeeze-and-Excitation Networks")."""

import torch
from torch import Tensor, nn


class SqueezeExcitation(nn.Module):
    """Recalibrates channels by gates computed from the whole feature map.

    Section 3 of the paper: squeeze (equation 2) averages each channel over space;
    excitation (equation 3) is a bottleneck of two fully connected layers with a ReLU
    between and a sigmoid after; scale (equation 4) multiplies each channel by its gate.
    The fully connected layers are 1x1 convolutions, which spares two reshapes and keeps the
    parameter names and shapes of the published checkpoints (`fc1`, `fc2`).

    Args:
        channels: number of channels C of the input.
        reduction: ratio r of the bottleneck, C // r hidden units (section 6.1: 16).

    Raises:
        ValueError: if the bottleneck would have no unit.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = channels // reduction
        if hidden < 1:
            raise ValueError(f"reduction {reduction} leaves no unit for {channels} channels")
        self.fc1 = nn.Conv2d(channels, hidden, kernel_size=1)
        self.relu = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(hidden, channels, kernel_size=1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Scales `x` [batch, C, height, width] channel by channel; same shape and dtype out."""
        if x.dtype == self.fc1.weight.dtype:
            return x * self.gates(x.mean((2, 3), keepdim=True))
        # Under autocast. A gate near 0 or 1 moves by less than bfloat16 resolves, and so would
        # learn nothing.
        squeezed = x.mean((2, 3), keepdim=True, dtype=self.fc1.weight.dtype)
        with torch.autocast(x.device.type, enabled=False):
            gates = self.gates(squeezed)
        return x * gates.to(x.dtype)

    def gates(self, squeezed: Tensor) -> Tensor:
        """Squeezed channels [batch, C, 1, 1] -> gates in 0..1, of the same shape."""
        gates: Tensor = self.sigmoid(self.fc2(self.relu(self.fc1(squeezed))))
        return gates
