"""Fake inference engines behind the service's own protocols."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.contract.signature import Signature
from app.engines.engine import Layout, Provider, Slot
from tests.support.colours import colour_outputs
from tests.support.waiting import BOUND_SECONDS

Respond = Callable[[NDArray[np.uint8], Collection[str]], Mapping[str, NDArray[np.float32]]]


class Gate:
    """Holds whoever passes while it is closed, and counts who waits. It begins open."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open = True
        self._waiting = 0

    def close(self) -> None:
        with self._changed:
            self._open = False

    def open(self) -> None:
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def pass_through(self) -> None:
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            opened = self._changed.wait_for(lambda: self._open, BOUND_SECONDS)
            self._waiting -= 1
        assert opened, "the gate was never opened"

    def wait_until_held(self, count: int = 1) -> None:
        """Returns once so many are waiting at the gate."""
        with self._changed:
            held = self._changed.wait_for(lambda: self._waiting >= count, BOUND_SECONDS)
        assert held, "nobody came to the gate"


class FakeEngine:
    """Classifies by mean colour, at the test's pace.

    Attributes:
        gate: every run passes through it.
        respond: computes the outputs; a test may replace it.
        lone: what runs lone images; None if that is any slot.
        batches: uint8 [batch, height, width, 3] of each run so far.
        outputs: the outputs asked for in each run so far.
    """

    def __init__(
        self,
        *,
        slots: int = 1,
        provider: Provider = "cpu",
        respond: Respond = colour_outputs,
        lone: "FakeEngine | None" = None,
    ) -> None:
        self.gate = Gate()
        self.respond = respond
        self.lone = lone
        self.batches: list[NDArray[np.uint8]] = []
        self.outputs: list[frozenset[str]] = []
        self._slots = slots
        self._provider = provider

    @property
    def provider(self) -> Provider:
        return self._provider

    def open_slots(self) -> list[Slot]:
        return [FakeSlot(self) for _ in range(self._slots)]

    def open_lone_slot(self) -> Slot | None:
        return None if self.lone is None else FakeSlot(self.lone)


class FakeSlot:
    """A slot of a `FakeEngine`, which notes what it ran."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    def run(
        self, images: Sequence[NDArray[np.uint8]], outputs: Collection[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        batch = np.stack(images)
        self._engine.batches.append(batch)
        self._engine.outputs.append(frozenset(outputs))
        self._engine.gate.pass_through()
        return self._engine.respond(batch, outputs)


class FakeEngines:
    """Hands out one engine; loading on a provider in `refusals` raises what stands there.

    Attributes:
        gate: every load passes through it.
        loaded: the files and providers of each load that was tried.
        layouts: the layout of each.
    """

    def __init__(
        self,
        engine: FakeEngine | None = None,
        *,
        providers: tuple[Provider, ...] = ("cpu",),
        refusals: Mapping[Provider, Exception] | None = None,
    ) -> None:
        self.engine = engine or FakeEngine()
        self.gate = Gate()
        self.loaded: list[tuple[Path, Provider]] = []
        self.layouts: list[Layout] = []
        self._providers = providers
        self._refusals = refusals or {}

    @property
    def runtime(self) -> str:
        return "fake 1"

    def providers(self) -> list[Provider]:
        return list(self._providers)

    def load(
        self, model_file: Path, provider: Provider, layout: Layout, signature: Signature
    ) -> FakeEngine:
        self.gate.pass_through()
        self.loaded.append((model_file, provider))
        self.layouts.append(layout)
        if provider in self._refusals:
            raise self._refusals[provider]
        return self.engine
