"""How many requests to keep under way.

`AutomaticPace` finds the service's capacity and stays at it, the way TCP Vegas does (L. Brakmo and
L. Peterson, "TCP Vegas: End to End Congestion Avoidance on a Global Internet", 1995, section 3.3):
of `limit` requests under way, those beyond `limit * fastest / now` only wait in the service's
queue. While fewer than two wait, another request is added; while more than four do, one is taken
away. A refusal (429) halves the limit. So the service always has work, and those who share it
meet a short queue.
"""

import asyncio
import statistics
from collections.abc import Callable
from typing import Protocol

_FEWEST_WAITING = 2
_MOST_WAITING = 4
_SMALLEST_WINDOW = 4


class Pace(Protocol):
    """Decides how many requests may be under way."""

    @property
    def limit(self) -> int:
        """That number now, at least 1."""
        ...

    def answered(self, seconds: float) -> None:
        """Told of each request that was answered at its first attempt, and its latency.

        Only of those that were sent while as many as the limit were under way: the others tell
        nothing of what the service can bear.
        """
        ...

    def refused(self) -> None:
        """Told of each refusal for overload."""
        ...


class FixedPace:
    """Always the same number of requests."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def answered(self, seconds: float) -> None:
        """See `Pace`."""

    def refused(self) -> None:
        """See `Pace`."""


class AutomaticPace:
    """As many requests as the service has use for.

    Args:
        most: upper bound of the limit.
    """

    def __init__(self, most: int = 64) -> None:
        self.limit = 1
        self._most = most
        self._fastest = float("inf")
        self._latencies: list[float] = []
        self._doubling = True
        self._since_refusal = _SMALLEST_WINDOW

    def answered(self, seconds: float) -> None:
        """See `Pace`."""
        self._since_refusal += 1
        self._latencies.append(seconds)
        if len(self._latencies) < max(self.limit, _SMALLEST_WINDOW):
            return
        # The median: one image that is slow to decode must not count as a queue.
        now = statistics.median(self._latencies)
        self._latencies.clear()
        self._fastest = min(self._fastest, now)
        waiting = self.limit * (1 - self._fastest / now)
        if waiting >= _FEWEST_WAITING:
            self._doubling = False
        if self._doubling:
            self.limit = min(self.limit * 2, self._most)
        elif waiting < _FEWEST_WAITING:
            self.limit = min(self.limit + 1, self._most)
        elif waiting > _MOST_WAITING:
            self.limit = max(self.limit - 1, 1)

    def refused(self) -> None:
        """See `Pace`."""
        # Requests that were under way together are refused together: that is one refusal.
        if self._since_refusal < self.limit:
            return
        self._since_refusal = 0
        self._doubling = False
        self._latencies.clear()
        self.limit = max(self.limit // 2, 1)


class Slots:
    """Lets as many requests begin as the pace allows. For one event loop.

    Args:
        limit: that number now; may change at any time.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._taken = 0
        self._changed = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether all slots are taken."""
        return self._taken >= self._limit()

    async def take(self) -> bool:
        """Waits for a slot; returns whether it had to."""
        waited = False
        while self.full:
            waited = True
            self._changed.clear()
            await self._changed.wait()
        self._taken += 1
        return waited

    def free(self) -> None:
        """Gives a slot back."""
        self._taken -= 1
        self._changed.set()
