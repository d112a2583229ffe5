"""What waits for inference, and which of it makes the next batch."""

import asyncio
import contextlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Gauge

from app.contract.errors import DeadlineExceeded, RequestError
from app.inference.priority import Priority, PriorityQueue

# How long after an interactive image bulk still makes way for the next one.
_MAKES_WAY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Inference:
    """What the engine gave for one image.

    Attributes:
        outputs: float32 arrays without batch axis, one per output asked for.
        queue_seconds: from submission to the start of the batch.
        inference_seconds: the batch's time in the engine.
        batch_size: images in the batch.
    """

    outputs: dict[str, NDArray[np.float32]]
    queue_seconds: float
    inference_seconds: float
    batch_size: int


@dataclass(slots=True, eq=False)
class Waiting:
    """One image that waits. A caller who is cancelled takes it out of the next batch.

    Attributes:
        image: uint8 [height, width, 3].
        outputs: what to return.
        deadline: on the queue's clock; not run after it.
        submitted: on the same clock.
        parent: of the spans, for tracing.
        answer: the caller's future.
    """

    image: NDArray[np.uint8]
    outputs: frozenset[str]
    deadline: float
    submitted: float
    parent: object
    answer: asyncio.Future[Inference]

    def fail(self, error: RequestError) -> None:
        """Answers with an error, if the caller still waits."""
        if not self.answer.done():
            # One exception each: a shared one would gather the tracebacks of all its raisers.
            self.answer.set_exception(type(error)(str(error)))


class BatchQueue:
    """A queue that hands out batches, each of one kind.

    While interactive images come, bulk makes way: one of several slots is kept from it, so that
    the next interactive image need not wait for a batch of bulk to end, and its batches are at
    most half as large, so that it shares the cores with less of it.

    Args:
        max_batch_size: most images in a batch.
        max_delay_seconds: how long a batch that is not full waits for more images.
        depth: is set to the images that wait.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        *,
        max_batch_size: int,
        max_delay_seconds: float,
        depth: Gauge,
        clock: Callable[[], float],
    ) -> None:
        self._max_batch_size = max_batch_size
        self._max_delay = max_delay_seconds
        self._depth = depth
        self._clock = clock
        self._queue: PriorityQueue[Waiting] = PriorityQueue()
        self._arrival = asyncio.Event()
        self._interactive_arrival = asyncio.Event()
        self._full = asyncio.Event()
        self._interactive_at = float("-inf")

    def push(self, waiting: Waiting, priority: Priority, caller: Hashable) -> None:
        """Puts an image at the end of its caller's row."""
        if priority == "interactive":
            self._interactive_at = waiting.submitted
        self._queue.push(waiting, priority, caller)
        self._note_depth()

    async def next_batch(self, *, kept: bool = False) -> list[Waiting]:
        """Waits for the next batch; leaves out who has left, and answers who came too late.

        Args:
            kept: for a slot that is kept for interactive images while they come.
        """
        while True:
            await self._arrival.wait()
            if kept and await self._keep():
                continue
            if self._max_delay:
                await self._wait_until_full()
            if not self._queue:  # another slot was woken, too, and has taken it all
                continue
            # Of one kind: an interactive image does not wait for bulk to be computed with it.
            batch = self._take(self._queue.turn())
            self._note_depth()
            if batch:
                return batch

    def clear(self, error: RequestError) -> None:
        """Answers all that wait with an error."""
        while self._queue:
            self._queue.pop(self._queue.turn()).fail(error)
        self._note_depth()

    def _take(self, kind: Priority) -> list[Waiting]:
        batch: list[Waiting] = []
        largest = self._max_batch_size
        if kind == "bulk" and self._makes_way_seconds() > 0:
            largest = max(1, largest // 2)
        while len(batch) < largest and self._queue.waiting(kind):
            waiting = self._queue.pop(kind)
            if waiting.answer.done():  # its caller has left
                continue
            if waiting.deadline <= self._clock():
                waiting.fail(DeadlineExceeded("the deadline passed in the queue"))
                continue
            batch.append(waiting)
        return batch

    def _makes_way_seconds(self) -> float:
        """How much longer bulk makes way; 0 or less if it does not."""
        return self._interactive_at + _MAKES_WAY_SECONDS - self._clock()

    async def _keep(self) -> bool:
        """Waits for an interactive image while one may come; whether there was need to."""
        remaining = self._makes_way_seconds()
        if self._queue.waiting("interactive") or remaining <= 0:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(remaining):
                await self._interactive_arrival.wait()
        return True

    def _note_depth(self) -> None:
        depth = len(self._queue)
        self._depth.set(depth)
        _set(self._arrival, depth > 0)
        _set(self._interactive_arrival, self._queue.waiting("interactive") > 0)
        _set(self._full, depth >= self._max_batch_size)

    async def _wait_until_full(self) -> None:
        # Another slot may have emptied the queue since this one was woken.
        heads = (waiting.submitted for waiting in self._queue.heads())
        remaining = min(heads, default=self._clock()) + self._max_delay - self._clock()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, remaining)):
                await self._full.wait()


def _set(event: asyncio.Event, on: bool) -> None:
    if on:
        event.set()
    else:
        event.clear()
