"""How fast an engine is, measured in a short and bounded time."""

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.engines.engine import Engine, Slot

_CLEARLY_SLOWER = 0.7
# A batch that brings less than this has brought nothing.
_GAIN = 1.03
# As near to the best speed, images are better answered sooner than gathered (docs/performance.md).
_NEARLY_BEST = 0.97
# After one that has brought less than this, larger ones are not expected to bring much.
_SMALL_GAIN = 1.1
# A run as long as this makes little of what else a batch costs the service: threads that hand
# over, and wait for a core (docs/performance.md).
_LONG_RUN_SECONDS = 0.02
# One run as long as this makes a start too slow if more follow.
_HUGE_SECONDS = 0.5
# Of every batch size, so that a heavy model's layouts are not told apart by chance.
_ROUNDS = 3
_LONE_RUNS = 5
# After which cores and threads have gone to sleep, as they have when a lone client's image comes.
_SLEEP_SECONDS = 0.003
# Of processor time for an image of 500 x 375, scaled by the JPEG decoder.
_DECODE_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Clocks:
    """A time in seconds that goes on steadily, this process's processor time, and sleep."""

    wall: Callable[[], float] = time.perf_counter
    processor: Callable[[], float] = time.process_time
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Speed:
    """What an engine reached.

    Attributes:
        images_per_second: by batch size, with all slots busy and images to decode.
        enough: the smallest batch size of long runs that is nearly as fast as the fastest; None
            if there is none, or if larger batches might still bring much.
        lone_seconds: of a run of one image on idle cores.
    """

    images_per_second: Mapping[int, float]
    enough: int | None = None
    lone_seconds: float = math.inf

    @property
    def best(self) -> float:
        """Images per second at the batch size that suits the engine most."""
        return max(self.images_per_second.values())


def measure(
    engine: Engine,
    images: NDArray[np.uint8],
    output: str,
    batch_sizes: Iterable[int],
    *,
    cores: int,
    seconds: float,
    rival: Speed | None = None,
    clocks: Clocks,
) -> Speed:
    """Times an engine with all its slots busy, as the batcher keeps them under load.

    A service also decodes, in the time that the engine leaves the cores idle. So an engine serves
    what its slots can run or what the cores can decode and compute, whichever is less.

    Every batch size gets a round to warm up and at least three that count, of long runs one; the
    fastest counts, for other processes can only slow a run down. No larger batch is tried once
    the time is spent, except a second one, or when one has brought nothing and runs are long.

    Args:
        engine: what to time.
        images: uint8 [n, height, width, 3], repeated to fill batches.
        output: name of the output to ask for.
        batch_sizes: rising, from 1.
        cores: that inference and decoding share.
        seconds: what may be spent; exceeded by the rounds under way, and by those of the second
            batch size.
        rival: the fastest so far; an engine that is clearly slower is given up.
        clocks: the time.
    """
    clock = clocks.wall
    speeds: dict[int, float] = {}
    long: list[int] = []
    sizes = list(batch_sizes)
    end = clock() + seconds
    slots = engine.open_slots()
    lone_seconds = _alone(engine.open_lone_slot() or slots[0], images[0], output, clocks)
    with ThreadPoolExecutor(len(slots), thread_name_prefix="measure") as threads:
        for index, size in enumerate(sizes):
            batch = [images[number % len(images)] for number in range(size)]
            if index:  # the first size is warm
                _run_all_slots(threads, slots, batch, output, clocks)
            fastest = _run_all_slots(threads, slots, batch, output, clocks)
            share_end = clock() + (end - clock()) / (len(sizes) - index)
            speeds[size] = fastest.images_per_second(len(slots) * size, cores)
            if rival and speeds[size] < _CLEARLY_SLOWER * rival.images_per_second.get(size, 0):
                break
            rounds = 1
            while clock() < share_end or (rounds < _ROUNDS and fastest.wall < _HUGE_SECONDS):
                fastest = fastest.least(_run_all_slots(threads, slots, batch, output, clocks))
                rounds += 1
            speeds[size] = fastest.images_per_second(len(slots) * size, cores)
            gain = speeds[size] / speeds[sizes[index - 1]] if index else math.inf
            if long and gain < _GAIN:
                break
            if fastest.wall >= _LONG_RUN_SECONDS:
                long.append(size)
            # What one batch size took says nothing of the next, so that two are compared.
            if clock() >= end and (index or fastest.wall > _HUGE_SECONDS):
                if gain >= _SMALL_GAIN:
                    return Speed(speeds, None, lone_seconds)
                break
    best = max(speeds.values())
    enough = next((size for size in long if speeds[size] >= _NEARLY_BEST * best), None)
    return Speed(speeds, enough, lone_seconds)


@dataclass(frozen=True, slots=True)
class _Round:
    """Seconds that every slot's run took, side by side, and of all cores' time."""

    wall: float
    processor: float

    def least(self, other: "_Round") -> "_Round":
        return _Round(min(self.wall, other.wall), min(self.processor, other.processor))

    def images_per_second(self, images: int, cores: int) -> float:
        computed = images / self.wall
        return min(computed, cores / (self.processor / images + _DECODE_SECONDS))


def _alone(slot: Slot, image: NDArray[np.uint8], output: str, clocks: Clocks) -> float:
    """The usual time of a run that finds cores and threads asleep."""
    slot.run([image], [output])
    times: list[float] = []
    while len(times) < _LONE_RUNS and sum(times) < _HUGE_SECONDS:
        clocks.sleep(_SLEEP_SECONDS)
        started = clocks.wall()
        slot.run([image], [output])
        times.append(clocks.wall() - started)
    return statistics.median(times)


def _run_all_slots(
    threads: Executor,
    slots: Sequence[Slot],
    batch: Sequence[NDArray[np.uint8]],
    output: str,
    clocks: Clocks,
) -> _Round:
    """The time until every slot has run the batch once."""
    wall, processor = clocks.wall(), clocks.processor()
    list(threads.map(lambda slot: slot.run(batch, [output]), slots))
    return _Round(clocks.wall() - wall, clocks.processor() - processor)
