"""A worker of `score_ray`: scores parts with the service's own preprocessing and engine.

A module of its own, for Ray's workers import it by its name.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from senet_client.errors import BY_CODE, ImageError, SenetClientError
from senet_client.results import Model, Prediction
from senet_client.score.frozen import FrozenList, Stretch
from senet_client.score.inputs import Input
from senet_client.score.reading import read_patiently
from senet_client.score.rows import INDEX, Answered, Row, Sending, Shape, columns, row

from app.bundled import REPOSITORY as BUNDLED
from app.contract.errors import ImageError as ServiceImageError
from app.contract.errors import InferenceFailed
from app.contract.preprocess import preprocess
from app.contract.ranking import postprocess
from app.contract.repository import ModelRepository
from app.engines.onnx_engine import OnnxEngines
from app.selection.loading import load_model
from scripts.ray_parts import Parts, local_copy

# An outage of the inputs' storage that lasts longer stops the run; it never becomes rows.
_OUTAGE_SECONDS = 300.0
# As the service rounds them.
_SCORE_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Options:
    """What a worker must know.

    Attributes:
        repository: folder of the model repository; None for what the package brings, wherever a
            worker has it.
        model: `name:version`.
        precision: fp32, fp16 or int8.
        provider: what runs the model.
        cpus: cores of a worker.
        top_k: classes a row.
        batch_size: images in a run of the engine.
        max_image_bytes: nothing larger is read.
        max_image_pixels: nothing larger is decoded.
        inputs: the frozen list of inputs; a path that all workers see, or a URL.
        output: the folder of parts, likewise.
    """

    repository: str | None
    model: str
    precision: Literal["fp32", "fp16", "int8"]
    provider: Literal["cpu", "cuda"]
    cpus: int
    top_k: int
    batch_size: int
    max_image_bytes: int
    max_image_pixels: int
    inputs: str
    output: str


class PartScorer:
    """A worker: has the model loaded, verified and self-tested, and scores whole parts.

    Args:
        options: what to do.
    """

    def __init__(self, options: Options) -> None:
        engines = OnnxEngines(options.provider, max_batch_size=options.batch_size)
        loaded = load_model(
            ModelRepository(Path(options.repository) if options.repository else BUNDLED),
            engines,
            model=options.model,
            precision=options.precision,
            max_batch_size=options.batch_size,
            cores=options.cpus,
            inference_threads=options.cpus,
        )
        self._options = options
        self._slot = loaded.engine.open_slots()[0]
        self._manifest = loaded.model.manifest
        self._logits = self._manifest.signature.logits.name
        calibration = self._manifest.calibration
        self._temperature = calibration.temperature if calibration else 1.0
        self._model = Model(
            loaded.model.name,
            loaded.model.version,
            options.precision,
            loaded.model.digest,
            self._manifest.preprocessing.digest,
        )
        self._decoders = ThreadPoolExecutor(options.cpus)
        self._parts = Parts(options.output, columns(Shape(options.top_k)))
        self._frozen = FrozenList(local_copy(options.inputs))

    def __call__(self, stretches: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
        """Scores and writes parts.

        Args:
            stretches: the fields of `Stretch`, each int64 [parts], and `retry`: 1 where a part is
                there, and only its rows with an error are to be scored again.

        Returns:
            The fields of `Commit`, each int64 [parts].
        """
        errors = []
        for retry, *values in zip(
            stretches["retry"], *(stretches[name] for name in Stretch.__slots__), strict=True
        ):
            stretch = Stretch(*map(int, values))
            tasks = self._frozen.read(stretch)
            rows: list[Row] = []
            if retry:
                rows, failed = self._parts.split(stretch.part)
                tasks = [task for task in tasks if task[0] in failed]
            rows += self._rows(tasks)
            rows.sort(key=lambda row: int(str(row[INDEX])))
            errors.append(self._parts.write(stretch.part, rows))
        return {"part": stretches["part"], "rows": stretches["rows"], "errors": np.array(errors)}

    def _rows(self, inputs: list[tuple[int, Input]]) -> Iterator[Row]:
        """Decodes ahead in threads while the engine runs."""
        size, shape = self._options.batch_size, Shape(self._options.top_k)
        decoded = self._decoders.map(self._decode, (found for _, found in inputs))
        for start in range(0, len(inputs), size):
            began = time.monotonic()
            group = inputs[start : start + size]
            images = [next(decoded) for _ in group]
            answers = self._infer(images)
            sending = Sending(1, time.monotonic() - began)
            for (index, found), answer in zip(group, answers, strict=True):
                yield row(index, found.path, self._model, answer, sending, shape)

    def _decode(self, found: Input) -> NDArray[np.uint8] | SenetClientError:
        options = self._options
        try:
            data = read_patiently(found, options.max_image_bytes, _OUTAGE_SECONDS)
            return preprocess(
                data, self._manifest.preprocessing, max_pixels=options.max_image_pixels
            )
        except ImageError as error:
            return error
        except ServiceImageError as error:
            return BY_CODE[error.code](str(error))

    def _infer(
        self, images: list[NDArray[np.uint8] | SenetClientError]
    ) -> list[Answered | SenetClientError]:
        good = [image for image in images if not isinstance(image, SenetClientError)]
        logits = iter(self._slot.run(good, [self._logits])[self._logits] if good else ())
        return [
            image if isinstance(image, SenetClientError) else self._ranked(next(logits))
            for image in images
        ]

    def _ranked(self, logits: NDArray[np.float32]) -> Answered | SenetClientError:
        try:
            ranked = postprocess(logits, temperature=self._temperature, top_k=self._options.top_k)
        except InferenceFailed as error:
            return BY_CODE[error.code](str(error))
        labels = self._manifest.labels
        return Answered(
            [
                Prediction(
                    rank,
                    item.class_index,
                    labels[item.class_index].id,
                    labels[item.class_index].name,
                    round(item.score, _SCORE_DIGITS),
                )
                for rank, item in enumerate(ranked, start=1)
            ]
        )
