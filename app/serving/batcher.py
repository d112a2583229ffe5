"""Gathers images into batches and runs them on the engine."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.engines.engine import InferenceEngine, Output
from app.errors import (
    DeadlineExceeded,
    Draining,
    EngineHung,
    InferenceFailed,
    NotReady,
    RequestError,
)
from app.metrics import Metrics
from app.serving.priority import Priority, PriorityQueue
from app.serving.worker_threads import WorkerThreads
from app.tracing import NoTracing, QueuedImage, Tracing

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inference:
    """What the engine gave for one image.

    Attributes:
        outputs: float32 arrays without batch axis, one per output asked for.
        queue_seconds: from submission to the start of the batch.
        inference_seconds: the batch's time in the engine.
        batch_size: images in the batch.
    """

    outputs: dict[Output, NDArray[np.float32]]
    queue_seconds: float
    inference_seconds: float
    batch_size: int


class _Hung(Exception):
    """The engine's call has not come back in time."""


@dataclass(slots=True, eq=False)
class _Entry:
    image: NDArray[np.uint8]
    outputs: frozenset[Output]
    deadline: float
    submitted: float
    parent: object
    answer: asyncio.Future[Inference]


class Batcher:
    """Work-conserving dynamic batching: a free engine slot takes what is queued.

    For one event loop. Its future lives in the queue's entry, so that a caller who is cancelled
    takes its entry out of the next batch, and nobody waits for anybody who has left.

    Args:
        engine: runs the batches; as many at once as it has slots.
        metrics: gets queue, batch and inference figures.
        model: the model's name and version, for the metrics' labels.
        max_batch_size: most images in a batch.
        max_queue_delay_seconds: how long a batch that is not full waits for more images.
        inference_timeout_seconds: after which a batch counts as hung.
        tracing: records the batches.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        engine: InferenceEngine,
        metrics: Metrics,
        model: tuple[str, str],
        *,
        max_batch_size: int,
        max_queue_delay_seconds: float = 0.0,
        inference_timeout_seconds: float = 30.0,
        tracing: Tracing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._max_batch_size = max_batch_size
        self._max_delay = max_queue_delay_seconds
        self._inference_timeout = inference_timeout_seconds
        self._tracing = tracing or NoTracing()
        self._clock = clock
        self._queue: PriorityQueue[_Entry] = PriorityQueue()
        self._arrival = asyncio.Event()
        self._full = asyncio.Event()
        self._threads = WorkerThreads(engine.slots, "inference")
        self._slots: list[asyncio.Task[None]] = []
        self._queue_seconds = metrics.queue.labels(*model)
        self._inference_seconds = metrics.inference.labels(*model)
        self._batch_size = metrics.batch_size.labels(*model)
        self._queue_depth = metrics.queue_depth.labels(*model)

    def start(self, on_death: Callable[[BaseException], None]) -> None:
        """Starts one loop per engine slot.

        Args:
            on_death: called with the reason if a loop ends other than by `stop`.
        """

        def ended(task: asyncio.Task[None]) -> None:
            if task.cancelled() or (error := task.exception()) is None:
                return
            if all(slot.done() for slot in self._slots):
                self._empty_queue(NotReady("the engine has failed"))
            on_death(error)

        self._threads.start()
        for _ in range(self._engine.slots):
            task = asyncio.create_task(self._run_slot())
            task.add_done_callback(ended)
            self._slots.append(task)

    async def stop(self) -> None:
        """Ends the loops; what is still queued is answered with `Draining`.

        Does not wait for a batch in the engine, which may hang.
        """
        for task in self._slots:
            task.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)
        self._empty_queue(Draining("the service is shutting down"))
        self._threads.stop()

    async def submit(
        self,
        image: NDArray[np.uint8],
        *,
        outputs: frozenset[Output],
        deadline: float,
        priority: Priority = "interactive",
        caller: Hashable = None,
    ) -> Inference:
        """Queues one image and waits for its result.

        Args:
            image: uint8 [height, width, 3].
            outputs: what to return.
            deadline: on the batcher's clock; not run after it.
            priority: batches of interactive images go first, every eighth may be of bulk.
            caller: for whom it is; callers take turns.

        Raises:
            DeadlineExceeded: if no batch took the image in time.
            InferenceFailed: if the engine failed on its batch.
            Draining: if the batcher was stopped first.
            NotReady: if no slot is left to run it.
        """
        if all(slot.done() for slot in self._slots):
            raise NotReady("the engine has failed")
        answer: asyncio.Future[Inference] = asyncio.get_running_loop().create_future()
        parent = self._tracing.parent()
        entry = _Entry(image, outputs, deadline, self._clock(), parent, answer)
        self._queue.push(entry, priority, caller)
        self._note_depth()
        return await answer

    def _note_depth(self) -> None:
        depth = len(self._queue)
        self._queue_depth.set(depth)
        _set(self._arrival, depth > 0)
        _set(self._full, depth >= self._max_batch_size)

    async def _run_slot(self) -> None:
        while True:
            batch = await self._next_batch()
            started = self._clock()
            names = frozenset[Output]().union(*(entry.outputs for entry in batch))
            try:
                images = np.stack([entry.image for entry in batch])
                outputs = await self._infer(images, names)
                wrong = [name for name in names if len(outputs[name]) != len(batch)]
                if wrong:
                    raise RuntimeError(f"{wrong[0]} has not one row per image")
            except asyncio.CancelledError:
                _fail(batch, Draining("the service is shutting down"))
                raise
            except _Hung:
                _fail(batch, InferenceFailed("the engine did not come back"))
                raise EngineHung(
                    f"a batch did not come back within {self._inference_timeout:g} s"
                ) from None
            except Exception:
                # Its batch fails, the loop lives on.
                logger.exception("the engine failed on a batch of %d", len(batch))
                self._trace(batch, started, failed=True)
                _fail(batch, InferenceFailed("the engine failed on this batch"))
                continue
            seconds = self._clock() - started
            self._trace(batch, started, failed=False)
            self._inference_seconds.observe(seconds)
            self._batch_size.observe(len(batch))
            for row, entry in enumerate(batch):
                waited = started - entry.submitted
                self._queue_seconds.observe(waited)
                if not entry.answer.done():
                    own = {name: outputs[name][row] for name in entry.outputs}
                    entry.answer.set_result(Inference(own, waited, seconds, len(batch)))

    def _trace(self, batch: Iterable[_Entry], started: float, *, failed: bool) -> None:
        images = [QueuedImage(entry.parent, entry.submitted) for entry in batch]
        self._tracing.batch(images, started, self._clock(), failed=failed)

    async def _infer(
        self, images: NDArray[np.uint8], names: frozenset[Output]
    ) -> Mapping[Output, NDArray[np.float32]]:
        running = self._threads.run(partial(self._engine.infer, images, names))
        try:
            async with asyncio.timeout(self._inference_timeout) as timeout:
                return await running
        except TimeoutError:
            if timeout.expired():
                raise _Hung from None
            raise  # the engine's own

    async def _next_batch(self) -> list[_Entry]:
        while True:
            await self._arrival.wait()
            if self._max_delay:
                await self._wait_until_full()
            if not self._queue:  # another slot was woken, too, and has taken it all
                continue
            batch: list[_Entry] = []
            # Of one kind: an interactive image does not wait for bulk to be computed with it.
            kind = self._queue.turn()
            while len(batch) < self._max_batch_size and self._queue.waiting(kind):
                entry = self._queue.pop(kind)
                if entry.answer.done():  # its caller has left
                    continue
                if entry.deadline <= self._clock():
                    _fail([entry], DeadlineExceeded("the deadline passed in the queue"))
                    continue
                batch.append(entry)
            self._note_depth()
            if batch:
                return batch

    async def _wait_until_full(self) -> None:
        # Another slot may have emptied the queue since this one was woken.
        heads = (entry.submitted for entry in self._queue.heads())
        remaining = min(heads, default=self._clock()) + self._max_delay - self._clock()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, remaining)):
                await self._full.wait()

    def _empty_queue(self, error: RequestError) -> None:
        while self._queue:
            _fail([self._queue.pop(self._queue.turn())], error)
        self._note_depth()


def _set(event: asyncio.Event, on: bool) -> None:
    if on:
        event.set()
    else:
        event.clear()


def _fail(entries: Iterable[_Entry], error: RequestError) -> None:
    for entry in entries:
        if not entry.answer.done():
            # One exception each: a shared one would gather the tracebacks of all its raisers.
            entry.answer.set_exception(type(error)(str(error)))
