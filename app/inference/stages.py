"""What is done to an image in the threads: it is decoded, and run in a batch."""

import logging
import time
from collections.abc import Callable, Sequence

from app.contract.decoding import LargeImage
from app.contract.errors import InferenceFailed, RequestError
from app.contract.oriented_photo import oriented_photo
from app.contract.preprocess import NetworkInput
from app.inference.batch_answers import BatchAnswers
from app.inference.classification import Classification
from app.inference.decoded import Decoded, Decoder
from app.inference.drift import Drift
from app.inference.observer import Observer, Seen
from app.inference.queued_image import Answer, QueuedImage
from app.inference.scheduler import Decode, Infer, Scheduler, Task
from app.inference.workers import Done
from app.selection.served_model import ServedModel
from app.telemetry.tracing import TracedImage, Tracing

logger = logging.getLogger(__name__)

Answers = Sequence[tuple[QueuedImage, Answer]]


class Stages:
    """Does the scheduler's tasks for one model. For any number of threads.

    Args:
        model: what is served.
        observers: are told what was done.
        tracing: records decoding and batches.
        drift: is shown a sample of the batches, if there is a reference to compare it with.
        answer: takes the answers of a task; called in the thread that did it.
        decode: makes the network's inputs of files.
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
        self._decode_all = decode
        self._max_image_pixels = max_image_pixels
        self._decoding_bytes = decoding_bytes
        self._clock = clock
        self._answers = BatchAnswers(model)

    def work(self, task: Task) -> Done:
        """Does one task; tells what the scheduler has to know of it."""
        return self._decode(task) if isinstance(task, Decode) else self._infer(task)

    def _decode(self, task: Decode) -> Done:
        started = self._clock()
        encoded: list[tuple[QueuedImage, bytes]] = []
        for image in task.images:
            if isinstance(image.data, bytes):
                encoded.append((image, image.data))
            else:  # it has come decoded
                image.pixels, image.decoded, image.data = image.data, started, b""
        postponed = self._decode_files(encoded, started, is_large=task.is_large) if encoded else []

        def tell(scheduler: Scheduler) -> None:
            for image in task.images:
                if image in postponed:
                    scheduler.postpone(image)
                else:
                    scheduler.decoded(image)

        return tell

    def _decode_files(
        self, encoded: Sequence[tuple[QueuedImage, bytes]], started: float, *, is_large: bool
    ) -> list[QueuedImage]:
        """Gives images their pixels or their errors; returns those that need more memory."""
        max_bytes = None if is_large else self._decoding_bytes
        decoded = self._decode_all(
            [data for _, data in encoded],
            self._model.manifest.preprocessing,
            max_pixels=self._max_image_pixels,
            max_bytes=max_bytes,
        )
        right: list[QueuedImage] = []
        wrong: list[tuple[QueuedImage, Answer]] = []
        postponed: list[QueuedImage] = []
        for (image, data), seen in zip(encoded, decoded, strict=True):
            try:
                self._take(image, data, seen, max_bytes)
            except LargeImage:
                postponed.append(image)
                continue
            except RequestError as error:
                wrong.append((image, error.alone()))
            else:
                right.append(image)
            image.data = b""  # nobody needs it any more
        if wrong:
            self._answer(wrong)
        ended = self._clock()
        for image in right:
            image.decoded, image.decode_seconds = ended, (ended - started) / len(encoded)
            for observer in self._observers:
                observer.decoded(image.decode_seconds)
            self._tracing.stage("decode", image.parent, started, ended)
        return postponed

    def _take(self, image: QueuedImage, data: bytes, seen: Decoded, max_bytes: int | None) -> None:
        """Gives an image what was decoded of it.

        Raises:
            RequestError: if that is nothing.
            LargeImage: if decoding it takes more memory.
        """
        if not isinstance(seen, NetworkInput):
            raise seen
        if longest := image.options.photo_longest:
            image.photo = oriented_photo(
                data,
                self._model.manifest.preprocessing,
                longest,
                max_pixels=self._max_image_pixels,
                max_bytes=max_bytes,
            )
        image.pixels, image.crop = seen.pixels, seen.crop

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
