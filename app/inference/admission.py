"""How many images may be in flight, and when whoever is refused may come back."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from app.contract.errors import Overloaded, Unavailable
from app.inference.fair_share import FairShare
from app.inference.priority import Priority
from app.telemetry.metrics import Metrics

# Weight of the newest answer in the measured time per image.
_SMOOTHING = 0.05


class Caller(NamedTuple):
    """Who sends images.

    Attributes:
        client: the API key's name, or the address.
        priority: bulk images share one more bound, so that they leave places for interactive ones.
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
        capacity: most images in flight.
        metrics: gets the count and the refusals.
        clock: monotonic time in seconds.
    """

    def __init__(
        self, capacity: int, metrics: Metrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = capacity
        self._share = FairShare(capacity)
        metrics.in_flight.set_function(lambda: self.in_flight)
        self._refused_at_capacity = metrics.rejected.labels("capacity")
        self._refused_over_share = metrics.rejected.labels("share")
        self._clock = clock
        self._seconds_per_image = 0.0
        self._last_released = 0.0
        self._expected: list[Caller] = []
        self._closed: Callable[[], Unavailable] | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def in_flight(self) -> int:
        """Images in flight now."""
        return self._share.total - len(self._expected)

    def expect(self, caller: Caller) -> None:
        """Refuses a request by its head, before its images are known; it is taken for one image.

        Heads come in together, and the event loop reads all that are there before any of their
        requests runs. So each that passes counts as one image until the loop's next turn, and no
        more pass than can be admitted.

        Raises:
            Overloaded: if not even one image would be admitted.
            Unavailable: if admission is closed.
        """
        self._check(caller, 1)
        if not self._expected:
            asyncio.get_running_loop().call_soon(self._forget_expected)
        self._share.take(1, *caller.holders)
        self._expected.append(caller)

    def admit(self, caller: Caller, images: int) -> None:
        """Admits so many images; `release` gives their places back.

        Raises:
            Overloaded: if they do not all fit.
            Unavailable: if admission is closed.
        """
        if caller in self._expected:  # the image that its head was taken for is one of these
            self._expected.remove(caller)
            self._share.give_back(1, *caller.holders)
        self._check(caller, images)
        if not self.in_flight:
            self._last_released = self._clock()
        self._share.take(images, *caller.holders)
        self._empty.clear()

    def release(self, caller: Caller, images: int) -> None:
        """Gives the places of answered images back."""
        self._share.give_back(images, *caller.holders)
        self._learn(images)
        if not self.in_flight:
            self._empty.set()

    def close(self, refusal: Callable[[], Unavailable]) -> None:
        """Refuses all images from now on.

        Args:
            refusal: makes the error.
        """
        self._closed = refusal

    async def wait_empty(self) -> None:
        """Returns when no image is in flight."""
        await self._empty.wait()

    def _check(self, caller: Caller, images: int) -> None:
        if self._closed is not None:
            raise self._closed()
        if self._share.fits(images, *caller.holders):
            return
        taken = self._share.total  # with those that are expected
        is_full = taken + images > self._capacity
        (self._refused_at_capacity if is_full else self._refused_over_share).inc(images)
        if is_full:
            message = (
                f"the service is at capacity: {taken} of {self._capacity} places for images are in"
                f" use, {images} more are asked for"
            )
        else:
            message = (
                f"this caller has its share: {taken} of {self._capacity} places for images are in"
                f" use, {images} more are asked for"
            )
        raise Overloaded(message, retry_after_seconds=taken * self._seconds_per_image)

    def _forget_expected(self) -> None:
        for caller in self._expected:
            self._share.give_back(1, *caller.holders)
        self._expected.clear()

    def _learn(self, images: int) -> None:
        now = self._clock()
        sample = (now - self._last_released) / images
        self._last_released = now
        if self._seconds_per_image:
            weight = 1 - (1 - _SMOOTHING) ** images
            self._seconds_per_image += weight * (sample - self._seconds_per_image)
        else:
            self._seconds_per_image = sample
