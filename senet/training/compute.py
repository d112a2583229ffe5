"""What computes a training's steps: the cores of this machine, or a graphics card."""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

import torch
from torch import Tensor, nn

from senet.training.optimizers import Optimizer

Shards = Callable[[int, int], tuple[Tensor, Tensor]]
"""(step, shard) -> its images, float32 [n, 3, side, side], and class probabilities [n, classes]."""

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""(network, images, class probabilities) -> scalar mean loss."""

Prepare = Callable[[nn.Module], object]
"""Sets a network's mode, and which of its parameters get gradients."""


class Compute(Protocol):
    """Gradients, steps and predictions of one network; a context manager.

    Attributes:
        mixed: the type to compute in beside fp32; None for fp32 alone.
    """

    mixed: torch.dtype | None

    def backward(self, step: int, loss: Loss, prepare: Prepare) -> float:
        """Leaves the gradient of a step's mean loss in the network's parameters.

        Args:
            step: of the whole training, from 0.
            loss: of a part of the batch.
            prepare: called before it.

        Returns:
            The mean loss.
        """
        ...

    def move(self, optimizer: Optimizer) -> None:
        """Moves the weights along that gradient."""
        ...

    def predict(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """Logits float32 [n, classes] of any network in evaluation mode, on the CPU."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
