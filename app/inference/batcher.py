"""Gathers images into batches and runs them on the engine."""

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import Draining, EngineHung, InferenceFailed, NotReady, RequestError
from app.engines.engine import Engine, Slot
from app.inference.batch_queue import BatchQueue, Inference, Waiting
from app.inference.priority import Priority
from app.inference.worker_threads import WorkerThreads
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import NoTracing, QueuedImage, Tracing

logger = logging.getLogger(__name__)


class _Hung(Exception):
    """The engine's call has not come back in time."""


class Batcher:
    """Work-conserving dynamic batching: a free engine slot takes what is queued.

    For one event loop. Each image that waits has its caller's future, so that nobody waits for
    anybody who has left.

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
        engine: Engine,
        metrics: Metrics,
        model: tuple[str, str],
        *,
        max_batch_size: int,
        max_queue_delay_seconds: float = 0.0,
        inference_timeout_seconds: float = 30.0,
        tracing: Tracing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slots = engine.open_slots()
        self._inference_timeout = inference_timeout_seconds
        self._tracing = tracing or NoTracing()
        self._clock = clock
        self._queue = BatchQueue(
            max_batch_size=max_batch_size,
            max_delay_seconds=max_queue_delay_seconds,
            depth=metrics.queue_depth.labels(*model),
            clock=clock,
        )
        self._threads = WorkerThreads(len(self._slots), "inference")
        self._loops: list[asyncio.Task[None]] = []
        self._queue_seconds = metrics.queue.labels(*model)
        self._inference_seconds = metrics.inference.labels(*model)
        self._batch_size = metrics.batch_size.labels(*model)

    def start(self, on_death: Callable[[BaseException], None]) -> None:
        """Starts one loop per engine slot.

        Args:
            on_death: called with the reason if a loop ends other than by `stop`.
        """

        def ended(task: asyncio.Task[None]) -> None:
            if task.cancelled() or (error := task.exception()) is None:
                return
            if all(loop.done() for loop in self._loops):
                self._queue.clear(NotReady("the engine has failed"))
            on_death(error)

        self._threads.start()
        for number, slot in enumerate(self._slots):
            kept = number == 0 and len(self._slots) > 1
            task = asyncio.create_task(self._run_slot(slot, kept=kept))
            task.add_done_callback(ended)
            self._loops.append(task)

    async def stop(self) -> None:
        """Ends the loops; what is still queued is answered with `Draining`.

        Does not wait for a batch in the engine, which may hang.
        """
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._queue.clear(Draining("the service is shutting down"))
        self._threads.stop()

    async def submit(
        self,
        image: NDArray[np.uint8],
        *,
        outputs: frozenset[str],
        deadline: float,
        priority: Priority = "interactive",
        caller: Hashable = None,
    ) -> Inference:
        """Queues one image and waits for its result.

        Args:
            image: uint8 [height, width, 3].
            outputs: what to return.
            deadline: on the batcher's clock; not run after it.
            priority: interactive images go first, and bulk makes way while they come; see
                `BatchQueue`.
            caller: for whom it is; callers take turns.

        Raises:
            DeadlineExceeded: if no batch took the image in time.
            InferenceFailed: if the engine failed on its batch.
            Draining: if the batcher was stopped first.
            NotReady: if no slot is left to run it.
        """
        if all(loop.done() for loop in self._loops):
            raise NotReady("the engine has failed")
        answer: asyncio.Future[Inference] = asyncio.get_running_loop().create_future()
        parent = self._tracing.parent()
        waiting = Waiting(image, outputs, deadline, self._clock(), parent, answer)
        self._queue.push(waiting, priority, caller)
        return await answer

    async def _run_slot(self, slot: Slot, *, kept: bool) -> None:
        while True:
            batch = await self._queue.next_batch(kept=kept)
            started = self._clock()
            names = frozenset[str]().union(*(waiting.outputs for waiting in batch))
            try:
                outputs = await self._infer(slot, [waiting.image for waiting in batch], names)
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
            for row, waiting in enumerate(batch):
                waited = started - waiting.submitted
                self._queue_seconds.observe(waited)
                if not waiting.answer.done():
                    own = {name: outputs[name][row] for name in waiting.outputs}
                    waiting.answer.set_result(Inference(own, waited, seconds, len(batch)))

    def _trace(self, batch: Iterable[Waiting], started: float, *, failed: bool) -> None:
        images = [QueuedImage(waiting.parent, waiting.submitted) for waiting in batch]
        self._tracing.batch(images, started, self._clock(), failed=failed)

    async def _infer(
        self, slot: Slot, images: list[NDArray[np.uint8]], names: frozenset[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        running = self._threads.run(partial(slot.run, images, names))
        try:
            async with asyncio.timeout(self._inference_timeout) as timeout:
                return await running
        except TimeoutError:
            if timeout.expired():
                raise _Hung from None
            raise  # the engine's own


def _fail(batch: Iterable[Waiting], error: RequestError) -> None:
    for waiting in batch:
        waiting.fail(error)
