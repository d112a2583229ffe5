"""One version of a model in memory, and the images that it is asked about."""

import asyncio
import contextlib
import enum
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import (
    DeadlineExceeded,
    Draining,
    EngineHung,
    InferenceFailed,
    RequestError,
)
from app.engines.engine import Slot
from app.inference.decoded import Decoder, decode_here
from app.inference.drift import Drift
from app.inference.observer import Observer
from app.inference.queued_image import Answer, Answers, ClientLeft, QueuedImage
from app.inference.scheduler import Infer, Scheduler
from app.inference.stages import Stages
from app.inference.workers import Lane, Workers
from app.selection.served_model import ServedModel
from app.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from app.inference.visit import Visit

Argument = TypeVar("Argument")

# How often batches that hang are looked for, in each time-out.
_LOOKS_PER_TIMEOUT = 10
# From one look to the next at whether threads have ended what nobody waits for.
_LOOK_SECONDS = 0.01


class HostState(enum.Enum):
    """Where a host stands."""

    LOADING = enum.auto()
    READY = enum.auto()
    DRAINING = enum.auto()
    GONE = enum.auto()


class ModelHost:
    """Answers for one version of a model. For one event loop.

    Args:
        model: what is served.
        slots: run its batches.
        observers: are told what it does.
        tracing: records decoding and batches.
        workers: the threads that decode, infer and rank; hosts share them.
        drift: compares what comes with the model's reference, if it has one.
        lone_slot: runs a batch that has the cores to itself; None if that is any slot.
        threads: how many threads this host needs.
        decode: makes the network's inputs of files.
        decoders: how many processes `decode` has, if it has any.
        max_image_pixels: largest width * height of an image.
        decoding_bytes: memory that decoding an image may take beside others; one that takes more
            waits until no other such image is decoded.
        max_queue_delay_seconds: how long a batch that is not full waits for more images.
        inference_timeout_seconds: after which a batch counts as hung.
        clock: monotonic time in seconds, the deadlines' clock.

    Attributes:
        model: what it answers with.
        state: where it stands.
        drift: see above.
    """

    def __init__(
        self,
        model: ServedModel,
        slots: Sequence[Slot],
        observers: Sequence[Observer],
        tracing: Tracing,
        workers: Workers,
        *,
        drift: Drift | None = None,
        lone_slot: Slot | None = None,
        threads: int,
        decode: Decoder = decode_here,
        decoders: int | None = None,
        max_image_pixels: int,
        decoding_bytes: int,
        max_queue_delay_seconds: float = 0.0,
        inference_timeout_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self.state = HostState.LOADING
        self.drift = drift
        self._observers = observers
        self._tracing = tracing
        self._inference_timeout = inference_timeout_seconds
        self._clock = clock
        scheduler = Scheduler(
            slots,
            lone_slot,
            max_batch_size=self.model.max_batch_size,
            usual_batch_size=self.model.usual_batch_size,
            max_delay_seconds=max_queue_delay_seconds,
            shares_device=model.provider != "cpu",
            decoders=decoders,
        )
        stages = Stages(
            self.model,
            observers,
            tracing,
            drift,
            self._hand_over,
            decode,
            max_image_pixels=max_image_pixels,
            decoding_bytes=decoding_bytes,
            clock=clock,
        )
        self._open_lane = partial(workers.open, scheduler, stages.work, self._refuse, threads)
        self._lane: Lane | None = None
        self._leases = 0
        self._unleased = asyncio.Event()
        self._unleased.set()
        self._watching: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop

    @property
    def waiting(self) -> int:
        """Images that wait for a thread or for a batch."""
        return self._lane.waiting if self._lane else 0

    def start(self, on_death: Callable[[BaseException], None]) -> None:
        """Takes images from now on.

        Args:
            on_death: called, with the reason, if the engine hangs.
        """
        self._loop = asyncio.get_running_loop()
        self._lane = self._open_lane()
        del self._open_lane  # it leads back here: once stopped, the engine's memory is free at once
        self._watching = asyncio.create_task(self._watch(on_death))
        self.state = HostState.READY

    def lease(self) -> None:
        """Keeps the host in memory until the lease is given back."""
        self._leases += 1
        self._unleased.clear()

    def give_back_lease(self) -> None:
        """Gives back what `lease` took."""
        self._leases -= 1
        if not self._leases:
            self._unleased.set()

    async def infer(
        self, images: list[bytes] | list[NDArray[np.uint8]], visit: "Visit"
    ) -> list[Answer]:
        """Classifies each image on its own; one that fails does not touch the others.

        Args:
            images: which the visit has admitted: encoded images, or the network's input, each
                uint8 [height, width, 3]. The list is emptied, so that each is forgotten as soon as
                it is decoded.
            visit: whose they are.

        Returns:
            For each image its answer or its error, in order.

        Raises:
            ClientLeft: if the visit's client leaves before.
        """
        count = len(images)
        answers = Answers(count, future := self._loop.create_future())
        now, parent = self._clock(), self._tracing.parent()
        visit.await_answers(answers)
        timer = self._loop.call_later(max(0.0, visit.deadline - now), answers.settle_all, _too_late)
        queued = [
            QueuedImage(
                images[index],
                visit.caller,
                visit.options,
                visit.deadline,
                now,
                parent,
                answers,
                index,
            )
            for index in range(count)
        ]
        if visit.shadow is not None:
            visit.shadow.follow(images, future)
        images.clear()
        if self._lane is None or not self._lane.add(queued):
            answers.settle_all(_draining)
        del queued
        try:
            results: list[Answer] = await future
        except (ClientLeft, asyncio.CancelledError):
            self._settled("client_left", count)
            raise
        finally:
            timer.cancel()
        for result in results:
            self._settled(result.code if isinstance(result, RequestError) else "ok", 1)
        return results

    async def close(self) -> None:
        """Waits until nobody holds a lease, then stops, and waits for what threads still do."""
        self.state = HostState.DRAINING
        await self._unleased.wait()
        # A batch that hangs is still seen meanwhile.
        while self._lane is not None and self._lane.tasks:  # noqa: ASYNC110 - threads change it
            await asyncio.sleep(_LOOK_SECONDS)
        await self.stop()

    async def stop(self) -> None:
        """Ends the threads; images that have no answer are answered with `Draining`.

        Does not wait for a batch in the engine, which may hang.
        """
        self.state = HostState.GONE
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        if self._lane is not None:
            self._lane.close()
            self._lane = None  # likewise

    def _hand_over(self, answers: Sequence[tuple[QueuedImage, Answer]]) -> None:
        """Brings answers from a thread to the event loop, in one go."""
        self._call(_settle, answers)

    def _call(self, function: Callable[[Argument], None], argument: Argument) -> None:
        """Calls a function in the event loop, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
            self._loop.call_soon_threadsafe(function, argument)

    def _refuse(self, image: QueuedImage) -> None:
        self._hand_over([(image, _draining())])

    async def _watch(self, on_death: Callable[[BaseException], None]) -> None:
        """Fails the batches that hang, which nothing can end."""
        hung: Sequence[Infer] = ()
        looked = awake_since = self._clock()
        while not hung:
            await asyncio.sleep(self._inference_timeout / _LOOKS_PER_TIMEOUT)
            last, looked = looked, self._clock()
            if looked - last > self._inference_timeout:
                # The whole process stood still (a paused container, a suspended machine), and its
                # batches with it.
                awake_since = looked
            if self._lane and looked - awake_since >= self._inference_timeout:
                hung = self._lane.overdue(self._inference_timeout)
        for task in hung:
            _settle(
                [(image, InferenceFailed("the engine did not come back")) for image in task.batch]
            )
        on_death(EngineHung(f"a batch did not come back within {self._inference_timeout:g} s"))

    def _settled(self, outcome: str, images: int) -> None:
        for observer in self._observers:
            observer.settled(outcome, images)


def _settle(answers: Sequence[tuple[QueuedImage, Answer]]) -> None:
    for image, answer in answers:
        image.answers.settle(image.index, answer)


def _draining() -> RequestError:
    return Draining("the service is shutting down")


def _too_late() -> RequestError:
    return DeadlineExceeded("no result by the request's deadline")
