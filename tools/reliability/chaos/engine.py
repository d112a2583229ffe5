"""Engines that fail now and then."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.contract.signature import Signature
from app.engines.engine import Engine, Layout, Provider, Slot
from app.engines.onnx_engine import OnnxEngines

_FAILS_EVERY = 20


class FlakyEngines:
    """ONNX Runtime; while `failing` is set, every twentieth batch raises.

    Args:
        provider: what runs the model.

    Attributes:
        failing: whether to.
        failures: batches that raised.
    """

    def __init__(self, provider: Provider = "cpu") -> None:
        self.failing = False
        self.failures = 0
        self._inner = OnnxEngines(provider)

    @property
    def runtime(self) -> str:
        """See `Engines`."""
        return self._inner.runtime

    def providers(self) -> list[Provider]:
        """See `Engines`."""
        return self._inner.providers()

    def load(
        self, model_file: Path, provider: Provider, layout: Layout, signature: Signature
    ) -> Engine:
        """See `Engines`."""
        return _FlakyEngine(self._inner.load(model_file, provider, layout, signature), self)


class _FlakyEngine:
    def __init__(self, inner: Engine, owner: FlakyEngines) -> None:
        self._inner = inner
        self._owner = owner

    @property
    def provider(self) -> Provider:
        return self._inner.provider

    def open_slots(self) -> list[Slot]:
        return [_FlakySlot(slot, self._owner) for slot in self._inner.open_slots()]

    def open_lone_slot(self) -> Slot | None:
        slot = self._inner.open_lone_slot()
        return None if slot is None else _FlakySlot(slot, self._owner)


class _FlakySlot:
    def __init__(self, inner: Slot, owner: FlakyEngines) -> None:
        self._inner = inner
        self._owner = owner
        self._batches = 0

    def run(
        self, images: Sequence[NDArray[np.uint8]], outputs: Collection[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        self._batches += 1
        if self._owner.failing and self._batches % _FAILS_EVERY == 0:
            self._owner.failures += 1
            raise RuntimeError("a failure made on purpose")
        return self._inner.run(images, outputs)
