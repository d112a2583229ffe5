"""What a queue in front of the cores costs a request, whoever serves it: M/D/c, simulated."""

import heapq
import random

_ARRIVALS = 200_000
_SEED = 1


def response_seconds(
    rate: float, capacity: float, servers: int, share: float, arrivals: int = _ARRIVALS
) -> float:
    """A quantile of the time from arrival to answer, waiting and service together.

    Arrivals are Poisson, each takes the first free server in its turn, and service takes
    `servers / capacity` seconds: M/D/c in Kendall's notation.

    Args:
        rate: arrivals a second; below the capacity.
        capacity: of all servers together, a second.
        servers: how many.
        share: which quantile, of 1.
        arrivals: how many to simulate.

    Raises:
        ValueError: if the queue would grow without end.
    """
    if rate >= capacity:
        raise ValueError(f"{rate:g} a second are more than {capacity:g}")
    service = servers / capacity
    draw = random.Random(_SEED)  # noqa: S311 - not for secrets
    free = [0.0] * servers
    now, times = 0.0, []
    for _ in range(arrivals):
        now += draw.expovariate(rate)
        end = max(now, free[0]) + service
        heapq.heapreplace(free, end)
        times.append(end - now)
    times.sort()
    return times[min(arrivals - 1, int(share * arrivals))]
