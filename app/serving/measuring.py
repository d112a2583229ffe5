"""How fast an engine is, measured in a short and bounded time."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.engines.engine import InferenceEngine

_CLEARLY_SLOWER = 0.7


@dataclass(frozen=True, slots=True)
class Speed:
    """What an engine reached.

    Attributes:
        images_per_second: by batch size, with all slots busy.
    """

    images_per_second: Mapping[int, float]

    @property
    def best(self) -> float:
        """Images per second at the batch size that suits the engine most."""
        return max(self.images_per_second.values())


def measure(
    engine: InferenceEngine,
    images: NDArray[np.uint8],
    batch_sizes: Iterable[int],
    *,
    seconds: float,
    rival: Speed | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    """Times an engine with all its slots busy, as the batcher keeps them under load.

    Every batch size gets a run to warm up and at least one that counts; the fastest counts, for
    other processes can only slow a run down. Once the time is spent no larger batch is tried.

    Args:
        engine: what to time.
        images: uint8 [n, height, width, 3], repeated to fill batches.
        batch_sizes: rising.
        seconds: what may be spent; exceeded only by the runs that are under way.
        rival: the fastest so far; an engine that is clearly slower is given up.
        clock: monotonic time in seconds.
    """
    speeds: dict[int, float] = {}
    sizes = list(batch_sizes)
    end = clock() + seconds
    with ThreadPoolExecutor(engine.slots, thread_name_prefix="measure") as threads:
        for index, size in enumerate(sizes):
            batch = np.resize(images, (size, *images.shape[1:]))
            _run_all_slots(threads, engine, batch, clock)
            fastest = _run_all_slots(threads, engine, batch, clock)
            share_end = clock() + (end - clock()) / (len(sizes) - index)
            speeds[size] = engine.slots * size / fastest
            if rival and speeds[size] < _CLEARLY_SLOWER * rival.images_per_second.get(size, 0):
                break
            while clock() < share_end:
                fastest = min(fastest, _run_all_slots(threads, engine, batch, clock))
            speeds[size] = engine.slots * size / fastest
            if clock() >= end:
                break
    return Speed(speeds)


def _run_all_slots(
    threads: Executor,
    engine: InferenceEngine,
    batch: NDArray[np.uint8],
    clock: Callable[[], float],
) -> float:
    """Seconds until every slot has run the batch once."""
    started = clock()
    list(threads.map(lambda _: engine.infer(batch, ["logits"]), range(engine.slots)))
    return clock() - started
