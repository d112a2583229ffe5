"""Bursts above the capacity: goodput, refusals, latency, and the return to normal."""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tools.loadtools.generator import Generator, Load

_NORMAL_SHARE = 0.5
_FACTORS = (1.0, 1.25, 2.0, 4.0)
# Random arrivals at this factor keep the service busy with few refusals.
_SATURATED = 1.25
_ROUNDS = 5
_COLUMNS = (
    "load", "offered/s", "goodput/s", "of waiting clients'", f"of {_SATURATED}x", "refused/s",
    "p50 ms", "p95 ms", "p99 ms", "MiB", "generator's cores", "other statuses",
    "normal again after s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Round:
    """All bursts, one after the other: machines change their speed within minutes.

    Attributes:
        capacity: images per second to waiting clients, right before.
        loads: by their multiple of the capacity.
        after: the normal load that followed each.
    """

    capacity: float
    loads: Mapping[float, Load]
    after: Mapping[float, Load]


async def measured_capacity(generator: Generator, seconds: float) -> float:
    """Images per second that the service answers to waiting clients; the median of some runs."""
    await generator.closed(seconds / 4)  # warm
    capacities = [(await generator.closed(seconds / 2)).goodput for _ in range(_ROUNDS)]
    capacity = statistics.median(capacities)
    print(f"capacity: {capacity:.0f} images/s (of {[round(c) for c in capacities]})\n")
    return capacity


async def bursts(generator: Generator, capacity: float, seconds: float) -> None:
    """Prints the table of bursts.

    Their goodput is compared with two capacities: that which waiting clients see, who keep step
    with the batches, and that under random arrivals that are a little too many.
    """
    print(f"| {' | '.join(_COLUMNS)} |\n" + "| --- " * len(_COLUMNS) + "|")
    normal = await generator.offer(_NORMAL_SHARE * capacity, seconds)
    print(_row([normal], (f"{_NORMAL_SHARE:g}x", "", "", "")), flush=True)
    rounds = [await _round(generator, capacity, seconds) for _ in range(_ROUNDS)]
    for factor in _FACTORS:
        goodputs = [one.loads[factor].goodput for one in rounds]
        of_waiting = [good / one.capacity for good, one in zip(goodputs, rounds, strict=True)]
        of_random = [good / one.loads[_SATURATED].goodput
                     for good, one in zip(goodputs, rounds, strict=True)]  # fmt: skip
        recovered = max(_recovery_seconds(normal, one.after[factor]) for one in rounds)
        names = (f"{factor:g}x", _spread(of_waiting), _spread(of_random), f"{recovered:.1f}")
        print(_row([one.loads[factor] for one in rounds], names))


async def _round(generator: Generator, capacity: float, seconds: float) -> _Round:
    now = (await generator.closed(seconds)).goodput
    loads, after = {}, {}
    for factor in _FACTORS:
        loads[factor] = await generator.offer(factor * capacity, seconds)
        after[factor] = await generator.offer(_NORMAL_SHARE * capacity, seconds / 2)
    return _Round(now, loads, after)


def _spread(shares: Sequence[float]) -> str:
    return f"{statistics.median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})"


def _row(loads: Sequence[Load], names: tuple[str, str, str, str]) -> str:
    """The median of some loads, but of their p99, memory and processor time the most."""

    def middle(figure: Callable[[Load], float]) -> str:
        return f"{statistics.median(figure(load) for load in loads):.0f}"

    others = sum((load.statuses for load in loads), Counter[int]()) - Counter(
        {status: sum(load.offered for load in loads) for status in (200, 429)}
    )
    name, of_waiting, of_random, recovered = names
    cells = (
        name,
        middle(lambda load: load.offered / load.arrival_seconds),
        middle(lambda load: load.goodput),
        of_waiting,
        of_random,
        middle(lambda load: load.statuses[429] / load.arrival_seconds),
        middle(lambda load: load.quantile_ms(0.5)),
        middle(lambda load: load.quantile_ms(0.95)),
        f"{max(load.quantile_ms(0.99) for load in loads):.0f}",
        f"{max(load.memory for load in loads):.0f}",
        f"{max(load.busy for load in loads):.2f}",
        str(dict(others) or "none"),
        recovered,
    )
    return f"| {' | '.join(cells)} |"


def _recovery_seconds(normal: Load, after: Load) -> float:
    """When latency was last above the normal p99, from the first arrival after the burst."""
    limit = normal.quantile_ms(0.99) / 1000
    first = min(due for due, _ in after.latencies)
    late = sorted(due - first for due, latency in after.latencies if latency > 2 * limit)
    # A straggler of its own, later on, is not the burst's.
    return next((late[at] for at in range(len(late)) if at + 1 == len(late)
                 or late[at + 1] - late[at] > 1.0), 0.0)  # fmt: skip
