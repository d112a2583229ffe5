"""Engines whose runs take the time that a test says, on the test's clock."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.engines.engine import Provider, Slot
from app.selection.candidates import Candidate
from tests.support.clock import Clock
from tests.support.colours import colour_outputs

Seconds = Callable[[Candidate, int], float]
"""How long a run of a candidate takes on a batch of so many images."""

CORES = 2
"""Of the machine that the times are of."""


class TimedEngine:
    """Moves the clock by the length of each run. Runs for which there are cores share its length.

    They come from threads of their own; what the test's thread runs, runs alone.
    """

    def __init__(self, candidate: Candidate, owner: "TimedEngines") -> None:
        self._candidate = candidate
        self._owner = owner
        owner.alive += 1
        owner.most_alive = max(owner.most_alive, owner.alive)

    def __del__(self) -> None:
        self._owner.alive -= 1

    @property
    def provider(self) -> Provider:
        return self._candidate.provider

    def open_slots(self) -> list[Slot]:
        return [TimedSlot(self) for _ in range(self._candidate.layout.slots)]

    def open_lone_slot(self) -> Slot | None:
        return TimedSlot(self) if self._candidate.layout.lone_threads else None

    def run(self, images: int) -> None:
        self._owner.run(self._candidate, images)


class TimedSlot:
    """A slot of a `TimedEngine`, which it keeps alive."""

    def __init__(self, engine: TimedEngine) -> None:
        self._engine = engine

    def run(
        self, images: Sequence[NDArray[np.uint8]], outputs: Collection[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        self._engine.run(len(images))
        return colour_outputs(np.stack(images), outputs)


class TimedEngines:
    """Loads timed engines.

    Args:
        clock: what their runs move.
        seconds: how long a run takes.
        processor_seconds: processor time of an image.

    Attributes:
        loaded: the candidates by name, in order of loading.
        runs: how many runs there were.
        largest: images in the largest of them.
        alive: engines that exist.
        most_alive: the most that existed at once.
        processor: the processor time that runs have taken.
    """

    def __init__(self, clock: Clock, seconds: Seconds, processor_seconds: float = 0) -> None:
        self.loaded: list[str] = []
        self.runs = 0
        self.largest = 0
        self.alive = 0
        self.most_alive = 0
        self.processor = Clock()
        self._clock = clock
        self._seconds = seconds
        self._processor_seconds = processor_seconds
        self._lock = threading.Lock()

    def load(self, candidate: Candidate) -> TimedEngine:
        self.loaded.append(str(candidate))
        return TimedEngine(candidate, self)

    def run(self, candidate: Candidate, images: int) -> None:
        with self._lock:
            self.runs += 1
            self.largest = max(self.largest, images)
            alone = threading.current_thread() is threading.main_thread()
            side_by_side = 1 if alone else max(1, CORES // candidate.layout.threads)
            self._clock.now += self._seconds(candidate, images) / side_by_side
            self.processor.now += self._processor_seconds * images
