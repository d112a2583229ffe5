"""The door: how many images may be in the house, and when to come back."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.errors import Overloaded
from app.metrics import Metrics
from app.serving.fair_share import FairShare
from app.serving.priority import Priority

# Weight of the newest answer in the measured time per image.
_SMOOTHING = 0.05


@dataclass(frozen=True, slots=True)
class Caller:
    """Who wants images in.

    Attributes:
        client: the API key's name, or the address.
        priority: bulk images share one more bound, so that they leave room for interactive ones.
    """

    client: str
    priority: Priority = "interactive"

    @property
    def holders(self) -> tuple[tuple[str, str], ...]:
        """Under which names the images are counted."""
        client = ("client", self.client)
        return (client, ("priority", "bulk")) if self.priority == "bulk" else (client,)


class Admission:
    """Counts the images that are admitted and not yet answered. For one event loop.

    The capacity is shared fairly between callers, see `FairShare`.

    Args:
        capacity: most images in the house.
        metrics: gets the count and the refusals.
        clock: monotonic time in seconds.
    """

    def __init__(
        self, capacity: int, metrics: Metrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = capacity
        self._share = FairShare(capacity)
        self._in_flight = metrics.in_flight
        self._refused_when_full = metrics.rejected.labels("capacity")
        self._refused_over_share = metrics.rejected.labels("share")
        self._clock = clock
        self._seconds_per_image = 0.0
        self._last_left = 0.0
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def inside(self) -> int:
        """Images in the house now."""
        return self._share.total

    def check(self, caller: Caller, images: int = 1) -> None:
        """Refuses what would not fit now, without admitting anything.

        Raises:
            Overloaded: if so many more would exceed the capacity, or the caller's share of it.
        """
        if self._share.fits(images, *caller.holders):
            return
        full = self.inside + images > self._capacity
        (self._refused_when_full if full else self._refused_over_share).inc(images)
        raise Overloaded(
            f"{self.inside} of at most {self._capacity} images are in the house, "
            + (f"no room for {images} more" if full else "and this caller has its share of them"),
            retry_after_seconds=self.inside * self._seconds_per_image,
        )

    @contextmanager
    def admit(self, caller: Caller, images: int) -> Iterator[None]:
        """Admits images for the length of a `with` block.

        Raises:
            Overloaded: if they do not all fit.
        """
        self.check(caller, images)
        if not self.inside:
            self._last_left = self._clock()
        self._share.take(images, *caller.holders)
        self._note()
        try:
            yield
        finally:
            self._share.give_back(images, *caller.holders)
            self._note()
            self._learn(images)

    async def wait_empty(self) -> None:
        """Returns when no image is in the house."""
        await self._empty.wait()

    def _note(self) -> None:
        self._in_flight.set(self.inside)
        if self.inside:
            self._empty.clear()
        else:
            self._empty.set()

    def _learn(self, images: int) -> None:
        now = self._clock()
        sample = (now - self._last_left) / images
        self._last_left = now
        if self._seconds_per_image:
            weight = 1 - (1 - _SMOOTHING) ** images
            self._seconds_per_image += weight * (sample - self._seconds_per_image)
        else:
            self._seconds_per_image = sample
