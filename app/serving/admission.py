"""The door: how many images may be in the house, and when to come back."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.errors import Overloaded
from app.metrics import Metrics

# Weight of the newest answer in the measured time per image.
_SMOOTHING = 0.05


class Admission:
    """Counts the images that are admitted and not yet answered. For one event loop.

    Args:
        capacity: most images in the house.
        metrics: gets the count and the refusals.
        clock: monotonic time in seconds.
    """

    def __init__(
        self, capacity: int, metrics: Metrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = capacity
        self._metrics = metrics
        self._clock = clock
        self._inside = 0
        self._seconds_per_image = 0.0
        self._last_left = 0.0
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def inside(self) -> int:
        """Images in the house now."""
        return self._inside

    def check(self, images: int = 1) -> None:
        """Refuses what would not fit now, without admitting anything.

        Raises:
            Overloaded: if so many more would exceed the capacity.
        """
        if self._inside + images > self._capacity:
            self._metrics.rejected.labels(Overloaded.code).inc(images)
            raise Overloaded(
                f"{self._inside} of at most {self._capacity} images are in the house,"
                f" no room for {images} more",
                retry_after_seconds=self._inside * self._seconds_per_image,
            )

    @contextmanager
    def admit(self, images: int) -> Iterator[None]:
        """Admits images for the length of a `with` block.

        Raises:
            Overloaded: if they do not all fit.
        """
        self.check(images)
        if not self._inside:
            self._last_left = self._clock()
        self._change(images)
        try:
            yield
        finally:
            self._change(-images)
            self._learn(images)

    async def wait_empty(self) -> None:
        """Returns when no image is in the house."""
        await self._empty.wait()

    def _change(self, images: int) -> None:
        self._inside += images
        self._metrics.in_flight.set(self._inside)
        if self._inside:
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
