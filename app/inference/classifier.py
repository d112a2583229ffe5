"""The use case: encoded images in, ranked classes out."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import DeadlineExceeded, Overloaded, RequestError
from app.contract.preprocess import preprocess
from app.contract.ranking import postprocess
from app.inference.admission import Admission, Caller
from app.inference.batch_queue import Inference
from app.inference.batcher import Batcher
from app.inference.classification import Classification, ClassifyOptions, Prediction
from app.inference.worker_threads import WorkerThreads
from app.selection.served_model import ServedModel
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import NoTracing, Tracing


class Classifier:
    """Admits, decodes, batches and ranks. For one event loop.

    Args:
        model: what is served.
        batcher: runs the model.
        admission: the bound on images in the house.
        decoders: threads that decode.
        metrics: gets outcomes, scores and decode times.
        max_image_pixels: largest width * height of an image.
        tracing: records the decoding.
        clock: monotonic time in seconds, the deadlines' clock.
    """

    def __init__(
        self,
        model: ServedModel,
        batcher: Batcher,
        admission: Admission,
        decoders: WorkerThreads,
        metrics: Metrics,
        *,
        max_image_pixels: int,
        tracing: Tracing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self._batcher = batcher
        self._admission = admission
        self._decoders = decoders
        self._max_image_pixels = max_image_pixels
        self._tracing = tracing or NoTracing()
        self._clock = clock
        calibration = model.manifest.calibration
        self._logits = model.signature.logits.name
        self._temperature = calibration.temperature if calibration else 1.0
        labels = (model.name, model.version)
        self._decode_seconds = metrics.decode.labels(*labels)
        self._top1_score = metrics.top1_score.labels(*labels)
        # Finding a series by its labels costs more than counting.
        self._outcome = cache(partial(metrics.images.labels, *labels))
        self._predicted = cache(partial(metrics.predictions.labels, *labels))

    def check_room(self, caller: Caller) -> None:
        """Refuses early what cannot be admitted now.

        Raises:
            Overloaded: if the house is full.
        """
        self._admission.check_door(caller)

    def knock(self, caller: Caller) -> Overloaded | None:
        """Why a request that is about to start will not be admitted; see `Admission.knock`."""
        return self._admission.knock(caller)

    async def classify(
        self, images: Sequence[bytes], options: ClassifyOptions
    ) -> list[Classification | RequestError]:
        """Classifies each image on its own; one that fails does not touch the others.

        Args:
            images: encoded images.
            options: what is asked for.

        Returns:
            For each image its answer or its error, in order.

        Raises:
            Overloaded: if the images do not all fit into the house.
        """
        with self._admission.admit(options.caller, len(images)):
            if len(images) == 1:
                return [await self._answer(images[0], options)]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._answer(image, options)) for image in images]
            return [task.result() for task in tasks]

    async def _answer(self, data: bytes, options: ClassifyOptions) -> Classification | RequestError:
        try:
            async with asyncio.timeout(max(0.0, options.deadline - self._clock())):
                answer = await self._classify_one(data, options)
        except TimeoutError:
            return self._failed(DeadlineExceeded("no result by the request's deadline"))
        except RequestError as error:
            return self._failed(error)
        except asyncio.CancelledError:
            self._count_outcome("client_left")
            raise
        self._count_outcome("ok")
        return answer

    async def _classify_one(self, data: bytes, options: ClassifyOptions) -> Classification:
        image, decode_seconds = await self._decoders.run(
            partial(self._decode, data, options.deadline, self._tracing.parent()),
            options.caller.priority,
            options.caller.client,
        )
        included = {asked: self.model.included(asked).name for asked in options.include}
        inference = await self._batcher.submit(
            image,
            outputs=frozenset({self._logits, *included.values()}),
            deadline=options.deadline,
            priority=options.caller.priority,
            caller=options.caller.client,
        )
        return Classification(
            predictions=self._predictions(inference, options, included.get("cam")),
            embedding=inference.outputs[included["embedding"]] if "embedding" in included else None,
            decode_seconds=decode_seconds,
            queue_seconds=inference.queue_seconds,
            inference_seconds=inference.inference_seconds,
        )

    def _decode(
        self, data: bytes, deadline: float, parent: object
    ) -> tuple[NDArray[np.uint8], float]:
        started = self._clock()
        if started >= deadline:
            raise DeadlineExceeded("the deadline passed before decoding")
        image = preprocess(
            data, self.model.manifest.preprocessing, max_pixels=self._max_image_pixels
        )
        seconds = self._clock() - started
        self._decode_seconds.observe(seconds)
        self._tracing.stage("decode", parent, started, started + seconds)
        return image, seconds

    def _predictions(
        self, inference: Inference, options: ClassifyOptions, map_name: str | None
    ) -> list[Prediction]:
        ranked = postprocess(
            inference.outputs[self._logits],
            temperature=self._temperature,
            top_k=options.top_k,
        )
        labels = self.model.manifest.labels
        self._top1_score.observe(ranked[0].score)
        self._predicted(labels[ranked[0].class_index].name).inc()
        cam = None if map_name is None else inference.outputs[map_name]
        return [
            Prediction(
                label=labels[item.class_index],
                score=item.score,
                cam=None if cam is None else cam[item.class_index],
            )
            for item in ranked
            if item.score >= options.min_score
        ]

    def _failed(self, error: RequestError) -> RequestError:
        self._count_outcome(error.code)
        return error

    def _count_outcome(self, outcome: str) -> None:
        self._outcome(outcome).inc()
