# ruff: noqa: T201 - it tells its results
"""Bursts above the capacity: goodput, refusals, latency, and the return to normal."""

import statistics

from reliability.overload.load import Generator, Load

_NORMAL_SHARE = 0.5


async def measured_capacity(generator: Generator, seconds: float) -> float:
    """Images per second that the service answers to waiting clients; the median of three runs."""
    await generator.closed(seconds / 4)  # warm
    capacities = [(await generator.closed(seconds / 2)).goodput for _ in range(3)]
    capacity = statistics.median(capacities)
    print(f"capacity: {capacity:.0f} images/s (three runs: {[round(c) for c in capacities]})\n")
    return capacity


async def bursts(generator: Generator, capacity: float, seconds: float) -> None:
    """Prints the table of bursts."""
    print("| load | offered/s | goodput/s | refused/s | p50 ms | p95 ms | p99 ms | MiB |"
          " generator's cores | other statuses |")  # fmt: skip
    print("|" + " --- |" * 10)
    normal = await generator.offer(_NORMAL_SHARE * capacity, seconds / 2)
    print(_row("0.5x", normal))
    for factor in (1, 2, 4):
        print(_row(f"{factor}x", await generator.offer(factor * capacity, seconds)), flush=True)
        after = await generator.offer(_NORMAL_SHARE * capacity, seconds / 2)
        print(_row("0.5x after it", after))
        recovered = _recovery_seconds(normal, after)
        print(f"| back to normal after {recovered:.1f} s |" + " |" * 9)


def _row(name: str, load: Load) -> str:
    refused = load.statuses[429]
    others = {status: n for status, n in load.statuses.items() if status not in (200, 429)}
    return (
        f"| {name} | {load.offered / load.arrival_seconds:.0f} | {load.goodput:.0f} |"
        f" {refused / load.arrival_seconds:.0f} | {load.quantile_ms(0.5):.0f} |"
        f" {load.quantile_ms(0.95):.0f} | {load.quantile_ms(0.99):.0f} |"
        f" {load.memory:.0f} | {load.busy:.2f} | {others or 'none'} |"
    )


def _recovery_seconds(normal: Load, after: Load) -> float:
    """When latency was last above the normal p99, from the first arrival after the burst."""
    limit = normal.quantile_ms(0.99) / 1000
    first = min(due for due, _ in after.latencies)
    late = sorted(due - first for due, latency in after.latencies if latency > 2 * limit)
    # A straggler of its own, later on, is not the burst's.
    return next((late[at] for at in range(len(late)) if at + 1 == len(late)
                 or late[at + 1] - late[at] > 1.0), 0.0)  # fmt: skip
