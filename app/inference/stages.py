"""What is done to an image in the threads: decoded, inferred, ranked."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.contract.decoding import LargeImage
from app.contract.errors import InferenceFailed, RequestError
from app.contract.manifest import Preprocessing
from app.contract.oriented_photo import oriented_photo
from app.contract.preprocess import NetworkInput
from app.contract.ranking import RankedClass, postprocess_batch
from app.contract.signature import Include
from app.inference.classification import Classification, Prediction
from app.inference.drift import Drift
from app.inference.observer import Observer, Seen
from app.inference.queued_image import Answer, QueuedImage
from app.inference.rejection import rejection_of
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
        self._logits = model.signature.logits.name
        calibration = model.manifest.calibration
        self._temperature = calibration.temperature if calibration else 1.0
        self._classes = len(model.manifest.labels)
        self._rejection = rejection_of(model)
        self._judged_by = frozenset([self._rejection.embedding] if self._rejection else ())

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
        batch = task.batch
        asked = frozenset[Include]().union(*(image.options.include for image in batch))
        named = frozenset[str]().union(*(image.options.outputs for image in batch))
        if self._is_judged(batch):
            named |= self._judged_by
        drift = self._drift if self._drift is not None and self._drift.wants_sample() else None
        if drift is not None:
            named |= drift.outputs
        included = (spec.name for include in asked for spec in self._model.included(include))
        names = [*named.union((self._logits, *included))]
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
            self._rank(task, outputs)
        return lambda scheduler: scheduler.finished(task)

    def _trace(self, task: Infer, *, failed: bool) -> None:
        images = [TracedImage(image.parent, image.queued) for image in task.batch]
        self._tracing.batch(images, task.started, self._clock(), failed=failed)

    def _rank(self, task: Infer, outputs: Mapping[str, NDArray[np.float32]]) -> None:
        seconds = self._clock() - task.started
        answers: list[tuple[QueuedImage, Answer]] = []
        seen: list[Seen] = []
        options = [image.options for image in task.batch]
        rankings = postprocess_batch(
            outputs[self._logits],
            temperature=self._temperature,
            top_k=max(self._classes if own.coverage is not None else own.top_k for own in options),
        )
        rejected = self._rejected(task.batch, outputs, rankings)
        for row, (image, ranked) in enumerate(zip(task.batch, rankings, strict=True)):
            if isinstance(ranked, InferenceFailed):
                answers.append((image, ranked))
                continue
            own = {
                include: {
                    spec.block: outputs[spec.name][row] for spec in self._model.included(include)
                }
                for include in image.options.include
            }
            waited = task.started - image.queued - image.decode_seconds
            answer = Classification(
                predictions=self._predictions(
                    ranked[: image.options.top_k], image.options.min_score, _only(own.get("cam"))
                ),
                crop=image.crop,
                embedding=_only(own.get("embedding")),
                decode_seconds=image.decode_seconds,
                queue_seconds=waited,
                inference_seconds=seconds,
                prediction_set=self._set(ranked, image.options.coverage),
                best=ranked[0],
                is_rejected=image.options.judged and rejected[row],
                photo=image.photo,
                outputs={name: outputs[name][row] for name in image.options.outputs},
                excitations=own.get("excitations"),
            )
            answers.append((image, answer))
            best = self._model.manifest.labels[ranked[0].class_index]
            seen.append(Seen(best, ranked[0].score, answer, image.caller.priority))
        for observer in self._observers:
            observer.seen(seen, seconds)
        self._answer(answers)

    def _is_judged(self, batch: Sequence[QueuedImage]) -> bool:
        return self._rejection is not None and any(image.options.judged for image in batch)

    def _rejected(
        self,
        batch: Sequence[QueuedImage],
        outputs: Mapping[str, NDArray[np.float32]],
        rankings: Sequence[list[RankedClass] | InferenceFailed],
    ) -> Sequence[bool]:
        """Whether each image is unlike those of the export."""
        if self._rejection is None or not self._is_judged(batch):
            return [False] * len(batch)
        pixels = [image.pixels for image in batch if image.pixels is not None]
        best = [own[0].score if isinstance(own, list) else math.nan for own in rankings]
        return self._rejection.rejected(pixels, outputs, best)

    def _predictions(
        self,
        ranked: Sequence[RankedClass],
        min_score: float,
        cam: NDArray[np.float32] | None,
    ) -> list[Prediction]:
        labels = self._model.manifest.labels
        return [
            Prediction(
                label=labels[item.class_index],
                score=item.score,
                cam=None if cam is None else cam[item.class_index],
            )
            for item in ranked
            if item.score >= min_score
        ]

    def _set(
        self, ranked: Sequence[RankedClass], coverage: float | None
    ) -> list[Prediction] | None:
        """The prediction set of a ranking of all classes; None without a coverage."""
        if coverage is None:
            return None
        rule, threshold = self._model.set_rule(coverage)
        size = rule.size(np.array([item.score for item in ranked]), threshold)
        return self._predictions(ranked[:size], 0.0, None)


def _only(parts: Mapping[str, NDArray[np.float32]] | None) -> NDArray[np.float32] | None:
    """What was asked for of an output that is not one of several blocks."""
    return None if parts is None else parts[""]
