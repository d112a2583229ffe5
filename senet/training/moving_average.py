"""Exponential moving average of a network's weights."""

import copy

import torch
from torch import nn


class MovingAverage:
    """Follows a network; the average generalises better than the last iterate.

    Args:
        network: the network to follow; the average starts as a copy of it.
        decay: weight of the past per update, below 1. The first updates weigh it less, so that
            the random start is forgotten quickly.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Moves the average towards `network` after training step `step`, counted from 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        latest = network.state_dict()
        for name, average in self.network.state_dict().items():
            if average.is_floating_point():
                average.lerp_(latest[name], 1 - decay)
            else:
                average.copy_(latest[name])
