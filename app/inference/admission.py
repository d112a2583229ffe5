"""The door: how many images may be in the house, and when to come back."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from app.contract.errors import Overloaded
from app.inference.fair_share import FairShare
from app.inference.priority import Priority
from app.telemetry.metrics import Metrics

# Weight of the newest answer in the measured time per image.
_SMOOTHING = 0.05
# `Retry-After` counts in whole seconds.
_SHORTEST_WAIT_SECONDS = 1.0


class Caller(NamedTuple):
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
        self._told_to_wait = _ToldToWait(clock)
        self._expected: list[Caller] = []
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def inside(self) -> int:
        """Images in the house now."""
        return self._share.total - len(self._expected)

    def check_door(self, caller: Caller) -> None:
        """Refuses a request by its head, when nobody knows how many images it holds.

        It is taken for one, but after a refusal, until the caller was told to come back, for as
        many as were refused: else whoever does not wait has all its bodies read for nothing.

        Raises:
            Overloaded: if there is no room.
        """
        images, early_seconds = self._told_to_wait.of(caller)
        if not self._share.fits(images, *caller.holders):
            raise self._refusal(caller, images, early_seconds)

    def knock(self, caller: Caller) -> Overloaded | None:
        """Tells whether `check_door` would refuse a request that the event loop is about to start.

        Requests come in together, and none is admitted before all have knocked. So each that is
        let in counts as one image until they are started, and no more are let in than fit.

        Returns:
            The refusal, which is not raised: above capacity most requests end in one. None if
            there is room.
        """
        images, early_seconds = self._told_to_wait.of(caller)
        if not self._share.fits(images, *caller.holders):
            return self._refusal(caller, images, early_seconds)
        if not self._expected:
            asyncio.get_running_loop().call_soon(self._forget_expected)
        self._share.take(1, *caller.holders)
        self._expected.append(caller)
        return None

    def check(self, caller: Caller, images: int = 1) -> None:
        """Refuses what would not fit now, without admitting anything.

        Raises:
            Overloaded: if so many more would exceed the capacity, or the caller's share of it.
        """
        if not self._share.fits(images, *caller.holders):
            raise self._refusal(caller, images)

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

    def _refusal(self, caller: Caller, images: int, early_seconds: float = 0.0) -> Overloaded:
        inside = self._share.total  # with those that are about to come in
        full = inside + images > self._capacity
        (self._refused_when_full if full else self._refused_over_share).inc(images)
        wait = inside * self._seconds_per_image
        self._told_to_wait.note(caller, images, max(_SHORTEST_WAIT_SECONDS, wait))
        return Overloaded(
            f"{inside} of at most {self._capacity} images are in the house, "
            + (f"no room for {images} more" if full else "and this caller has its share of them"),
            retry_after_seconds=wait,
            early_seconds=early_seconds,
        )

    def _forget_expected(self) -> None:
        for caller in self._expected:
            self._share.give_back(1, *caller.holders)
        self._expected.clear()

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


class _ToldToWait:
    """Who was refused with several images, with how many, and until when.

    Args:
        clock: monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._refused: OrderedDict[Caller, tuple[int, float]] = OrderedDict()

    def note(self, caller: Caller, images: int, seconds: float) -> None:
        """Remembers a refusal for so long; a later one of fewer images does not shorten it."""
        if images == 1:  # that many anybody needs room for
            return
        now = self._clock()
        while self._refused and next(iter(self._refused.values()))[1] <= now:
            self._refused.popitem(last=False)  # callers come and go; the table must not grow
        if images > self.of(caller)[0]:
            self._refused[caller] = (images, now + seconds)

    def of(self, caller: Caller) -> tuple[int, float]:
        """With how many images the caller was refused, and the seconds it should still wait.

        One image and no time if it need not.
        """
        images, until = self._refused.get(caller, (1, 0.0))
        left = until - self._clock()
        return (images, left) if left > 0 else (1, 0.0)
