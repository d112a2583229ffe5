# ruff: noqa: T201 - it tells its results
"""Bursts above the capacity: goodput, refusals, latency, and the return to normal."""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reliability.overload.load import Generator, Load

_NORMAL_SHARE = 0.5
_ROUNDS = 3
_COLUMNS = (
    "load", "offered/s", "goodput/s", "of capacity", "refused/s", "p50 ms", "p95 ms", "p99 ms",
    "MiB", "generator's cores", "other statuses", "normal again after s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Burst:
    """One burst, between what is compared with it.

    Attributes:
        capacity: images per second to waiting clients, right before.
        load: the burst.
        after: the normal load that follows.
    """

    capacity: float
    load: Load
    after: Load

    @property
    def share(self) -> float:
        """The goodput's share of the capacity."""
        return self.load.goodput / self.capacity


async def measured_capacity(generator: Generator, seconds: float) -> float:
    """Images per second that the service answers to waiting clients; the median of three runs."""
    await generator.closed(seconds / 4)  # warm
    capacities = [(await generator.closed(seconds / 2)).goodput for _ in range(_ROUNDS)]
    capacity = statistics.median(capacities)
    print(f"capacity: {capacity:.0f} images/s (three runs: {[round(c) for c in capacities]})\n")
    return capacity


async def bursts(generator: Generator, capacity: float, seconds: float) -> None:
    """Prints the table of bursts.

    Machines change their speed within minutes, so each burst is compared with the capacity that
    was measured right before it.
    """
    print(f"| {' | '.join(_COLUMNS)} |\n" + "| --- " * len(_COLUMNS) + "|")
    normal = await generator.offer(_NORMAL_SHARE * capacity, seconds)
    print(_row([normal], "0.5x", "", ""), flush=True)
    for factor in (1, 2, 4):
        rounds = [await _burst(generator, capacity, factor, seconds) for _ in range(_ROUNDS)]
        shares = sorted(burst.share for burst in rounds)
        share = f"{statistics.median(shares):.2f} ({shares[0]:.2f} to {shares[-1]:.2f})"
        recovered = max(_recovery_seconds(normal, burst.after) for burst in rounds)
        loads = [burst.load for burst in rounds]
        print(_row(loads, f"{factor}x", share, f"{recovered:.1f}"), flush=True)


async def _burst(generator: Generator, capacity: float, factor: float, seconds: float) -> _Burst:
    now = (await generator.closed(seconds / 2)).goodput
    load = await generator.offer(factor * capacity, seconds)
    return _Burst(now, load, await generator.offer(_NORMAL_SHARE * capacity, seconds / 2))


def _row(loads: Sequence[Load], name: str, share: str, recovered: str) -> str:
    """The median of some loads, but of their p99, memory and processor time the most."""

    def middle(figure: Callable[[Load], float]) -> str:
        return f"{statistics.median(figure(load) for load in loads):.0f}"

    others = sum((load.statuses for load in loads), Counter[int]()) - Counter(
        {status: sum(load.offered for load in loads) for status in (200, 429)}
    )
    cells = (
        name,
        middle(lambda load: load.offered / load.arrival_seconds),
        middle(lambda load: load.goodput),
        share,
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
