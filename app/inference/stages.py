"""What is done to an image in the threads: it is decoded, and run in a batch."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from app.contract.decoding import LargeImage
from app.contract.errors import InferenceFailed, RequestError
from app.contract.manifest import Preprocessing
from app.contract.oriented_photo import oriented_photo
from app.contract.preprocess import NetworkInput
from app.inference.batch_answers import BatchAnswers
from app.inference.classification import Classification
from app.inference.drift import Drift
from app.inference.observer import Observer, Seen
from app.inference.queued_image import Answer, QueuedImage
from app.inference.scheduler import Decode, Infer, Task
from app.inference.workers import Done
from app.selection.served_model import ServedModel
from app.telemetry.tracing import TracedImage, Tracing

logger = logging.getLogger(__name__)

Answers = Sequence[tuple[QueuedImage, Answer]]


class Decoder(Protocol):
    """Makes the network's input of a file; see `network_input`."""

    def __call__(
        self,
        data: bytes,
        preprocessing: Preprocessing,
        /,
        *,
        max_pixels: int,
        max_bytes: int | None,
    ) -> NetworkInput:
        """See `network_input`.

        Raises:
            RequestError: if there is none.
            LargeImage: if decoding it takes more than `max_bytes`.
        """
        ...


class Stages:
    """Does the scheduler's tasks for one model. For any number of threads.

    Args:
        model: what is served.
        observers: are told what was done.
        tracing: records decoding and batches.
        drift: is shown a sample of the batches, if there is a reference to compare it with.
        answer: takes the answers of a task; called in the thread that did it.
        decode: makes the network's input of a file.
        max_image_pixels: largest width * height of an image.
        decoding_bytes: memory that decoding an image may take beside others.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        model: ServedModel,
        observers: Sequence[Observer],
        tracing: Tracing,
        drift: Drift | None,
        answer: Callable[[Answers], None],
        decode: Decoder,
        *,
        max_image_pixels: int,
        decoding_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._observers = observers
        self._tracing = tracing
        self._drift = drift
        self._answer = answer
        self._decode_file = decode
        self._max_image_pixels = max_image_pixels
        self._decoding_bytes = decoding_bytes
        self._clock = clock
        self._answers = BatchAnswers(model)

    def work(self, task: Task) -> Done:
        """Does one task; tells what the scheduler has to know of it."""
        return self._decode(task) if isinstance(task, Decode) else self._infer(task)

    def _decode(self, task: Decode) -> Done:
        image, started = task.image, self._clock()
        if not isinstance(image.data, bytes):  # it has come decoded
            image.pixels, image.decoded, image.data = image.data, started, b""
            return lambda scheduler: scheduler.decoded(image)
        try:
            contract, most = self._model.manifest.preprocessing, self._max_image_pixels
            max_bytes = None if task.is_large else self._decoding_bytes
            seen = self._decode_file(image.data, contract, max_pixels=most, max_bytes=max_bytes)
            if longest := image.options.photo_longest:
                image.photo = oriented_photo(
                    image.data, contract, longest, max_pixels=most, max_bytes=max_bytes
                )
        except LargeImage:
            return lambda scheduler: scheduler.postpone(image)
        except RequestError as error:
            self._answer([(image, error.alone())])
        else:
            image.pixels, image.crop = seen.pixels, seen.crop
            image.decoded = self._clock()
            image.decode_seconds = image.decoded - started
            for observer in self._observers:
                observer.decoded(image.decode_seconds)
            self._tracing.stage("decode", image.parent, started, image.decoded)
        image.data = b""  # nobody needs it any more
        return lambda scheduler: scheduler.decoded(image)

    def _infer(self, task: Infer) -> Done:
        batch, names = task.batch, self._answers.needed_outputs(task.batch)
        drift = self._drift if self._drift is not None and self._drift.wants_sample() else None
        if drift is not None:
            names |= drift.outputs
        try:
            outputs = task.slot.run(
                [image.pixels for image in batch if image.pixels is not None], names
            )
            wrong = [name for name in names if len(outputs[name]) != len(batch)]
            if wrong:
                raise RuntimeError(f"{wrong[0]} has not one row per image")
        except Exception:
            # Its batch fails, the thread lives on.
            logger.exception("the engine failed on a batch of %d", len(batch))
            self._trace(task, failed=True)
            self._answer(
                [(image, InferenceFailed("the engine failed on this batch")) for image in batch]
            )
        else:
            self._trace(task, failed=False)
            if drift is not None:
                drift.sample([image.pixels for image in batch if image.pixels is not None], outputs)
            seconds = self._clock() - task.started
            answers = self._answers.make(batch, outputs, task.started, seconds)
            self._note(answers, seconds)
            self._answer(answers)
        return lambda scheduler: scheduler.finished(task)

    def _trace(self, task: Infer, *, failed: bool) -> None:
        images = [TracedImage(image.parent, image.queued) for image in task.batch]
        self._tracing.batch(images, task.started, self._clock(), failed=failed)

    def _note(self, answers: Answers, seconds: float) -> None:
        labels = self._model.manifest.labels
        seen = [
            Seen(labels[own.best.class_index], own.best.score, own, image.caller.priority)
            for image, own in answers
            if isinstance(own, Classification) and own.best is not None
        ]
        for observer in self._observers:
            observer.seen(seen, seconds)
