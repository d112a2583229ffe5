"""Data parallelism on one machine: a thread for each core."""

import copy
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn

from senet.training.compute import Loss, Prepare, Shards
from senet.training.optimizers import Optimizer


class Replicas:
    """Computes gradients of a batch in equal shards, each in its own thread; a context manager.

    Operators that split their work over cores meet at a barrier many hundred times a step, so
    one busy core stalls all others. Here each thread works alone and they meet once a step.
    Replicas share the parameters' memory; each has its own gradients and its own batch
    statistics, so the result doesn't depend on which thread is faster.

    Args:
        network: the network to train; shard 0 runs on it, so its running statistics are kept.
        count: number of shards and threads.
        shards: prepares a shard, in its thread.
        mixed: see `Compute`.
    """

    def __init__(
        self, network: nn.Module, count: int, shards: Shards, mixed: torch.dtype | None = None
    ) -> None:
        self.mixed = mixed
        self._shards = shards
        self._replicas = [network, *(copy.deepcopy(network) for _ in range(count - 1))]
        for replica in self._replicas[1:]:
            for shared, parameter in zip(network.parameters(), replica.parameters(), strict=True):
                parameter.data = shared.data
        self._pool = ThreadPoolExecutor(count)

    def backward(self, step: int, loss: Loss, prepare: Prepare = nn.Module.train) -> float:
        """See `Compute`; the mean over the shards, each computed in its thread."""

        def run(shard: int) -> float:
            replica = self._replicas[shard]
            images, targets = self._shards(step, shard)
            prepare(replica)
            replica.zero_grad()
            value = loss(replica, images, targets)
            value.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
            return value.item()

        losses = list(self._pool.map(run, range(len(self._replicas))))
        network, *others = self._replicas
        for other in others:
            for parameter, gradient in zip(network.parameters(), other.parameters(), strict=True):
                if parameter.grad is not None and gradient.grad is not None:
                    parameter.grad += gradient.grad
        for parameter in network.parameters():
            if parameter.grad is not None:
                parameter.grad /= len(self._replicas)
        return sum(losses) / len(losses)

    def move(self, optimizer: Optimizer) -> None:
        """See `Compute`."""
        optimizer.step()

    def predict(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """See `Compute`; the batch is split over the threads."""

        def run(shard: Tensor) -> Tensor:
            with torch.inference_mode():
                logits: Tensor = network(shard)
                return logits

        return torch.cat(list(self._pool.map(run, inputs.chunk(len(self._replicas)))))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown()
