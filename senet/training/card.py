"""A graphics card computes whole batches in mixed precision, while threads prepare the next one."""

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn

from senet.training.compute import Loss, Prepare, Shards
from senet.training.optimizers import Optimizer

_Shard = tuple[Tensor, Tensor]


class Card:
    """Computes on one card; a context manager.

    In float16 small gradients would be 0, so the loss is scaled, and a step whose gradients
    overflow is left out (Micikevicius et al. 2018, "Mixed precision training").

    Args:
        network: the network to train, on the card.
        threads: number of shards of a batch, each prepared by a thread of the CPU.
        shards: prepares them.
        device: the card.
        mixed: bfloat16 or float16.
    """

    def __init__(
        self,
        network: nn.Module,
        threads: int,
        shards: Shards,
        device: torch.device,
        mixed: torch.dtype,
    ) -> None:
        self.mixed: torch.dtype | None = mixed
        self._network = network
        self._shards = shards
        self._threads = threads
        self._device = device
        self._scaler = torch.amp.GradScaler(device.type, enabled=mixed is torch.float16)
        self._pool = ThreadPoolExecutor(threads)
        self._ahead: dict[int, list[Future[_Shard]]] = {}

    def backward(self, step: int, loss: Loss, prepare: Prepare = nn.Module.train) -> float:
        """See `Compute`; the gradient is scaled until `move`."""
        images, targets = self._batch(step)
        prepare(self._network)
        self._network.zero_grad()
        value = loss(self._network, images, targets)
        self._scaler.scale(value).backward()  # type: ignore[no-untyped-call] # torch leaves it so
        return value.item()

    def move(self, optimizer: Optimizer) -> None:
        """See `Compute`."""
        # It asks an optimiser for its groups and its step alone.
        self._scaler.step(optimizer)  # type: ignore[arg-type]
        self._scaler.update()

    def predict(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """See `Compute`."""
        with torch.inference_mode():
            logits: Tensor = network(self._moved(inputs))
            return logits.float().cpu()

    def _batch(self, step: int) -> _Shard:
        current = self._ahead.pop(step, None) or self._prepared(step)
        self._ahead = {step + 1: self._prepared(step + 1)}
        images, targets = zip(*(shard.result() for shard in current), strict=True)
        return self._moved(torch.cat(images)), self._moved(torch.cat(targets))

    def _prepared(self, step: int) -> list[Future[_Shard]]:
        return [self._pool.submit(self._shards, step, shard) for shard in range(self._threads)]

    def _moved(self, values: Tensor) -> Tensor:
        # From page-locked memory the copy runs beside the card's work.
        on_card = self._device.type == "cuda"
        return (values.pin_memory() if on_card else values).to(self._device, non_blocking=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
