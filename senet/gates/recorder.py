"""Records the gates of a PyTorch network while it runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from torch import Tensor, nn

from senet.gates.block import BlockGates
from senet.se import SqueezeExcitation


class GateRecorder:
    """Keeps the gates that a network computes while it is watched."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Tensor]] = {}

    @contextmanager
    def watch(self, network: nn.Module) -> Iterator[None]:
        """Records every forward pass of `network` inside the `with` block."""
        handles = [
            module.sigmoid.register_forward_hook(self._keep(name))
            for name, module in network.named_modules()
            if isinstance(module, SqueezeExcitation)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def blocks(self) -> list[BlockGates]:
        """What was recorded, in the order of the network's blocks."""
        return [
            BlockGates(name, np.concatenate([part.flatten(1).float().numpy() for part in parts]))
            for name, parts in self._parts.items()
        ]

    def _keep(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        parts = self._parts.setdefault(name.rpartition(".")[0], [])

        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], gates: Tensor) -> None:
            parts.append(gates.detach().cpu())

        return hook
