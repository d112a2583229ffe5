"""What the network says of a batch -> the answers to its images."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import InferenceFailed
from app.contract.ranking import RankedClass, postprocess_batch
from app.contract.signature import Include
from app.inference.classification import Classification, ClassifyOptions, Prediction
from app.inference.queued_image import Answer, QueuedImage
from app.inference.rejection import rejection_of
from app.selection.served_model import ServedModel

Outputs = Mapping[str, NDArray[np.float32]]


class BatchAnswers:
    """Makes the answers of one model. For any thread.

    Args:
        model: what is served.
    """

    def __init__(self, model: ServedModel) -> None:
        self._model = model
        self._logits = model.signature.logits.name
        calibration = model.manifest.calibration
        self._temperature = calibration.temperature if calibration else 1.0
        self._labels = model.manifest.labels
        self._rejection = rejection_of(model)
        self._judged_by = frozenset([self._rejection.embedding] if self._rejection else ())

    def needed_outputs(self, batch: Sequence[QueuedImage]) -> frozenset[str]:
        """The names of the network's outputs that the answers are made of."""
        asked = frozenset[Include]().union(*(image.options.include for image in batch))
        named = frozenset[str]().union(*(image.options.outputs for image in batch))
        if self._is_judged(batch):
            named |= self._judged_by
        included = (spec.name for include in asked for spec in self._model.included(include))
        return named.union((self._logits, *included))

    def make(
        self, batch: Sequence[QueuedImage], outputs: Outputs, started: float, seconds: float
    ) -> list[tuple[QueuedImage, Answer]]:
        """Makes the answers.

        Args:
            batch: the images, decoded.
            outputs: those of `needed_outputs` among them, each with one row per image.
            started: when the engine got the batch, on the images' clock in seconds.
            seconds: how long it had it.
        """
        rankings = postprocess_batch(
            outputs[self._logits],
            temperature=self._temperature,
            top_k=max(self._ranked_classes(image.options) for image in batch),
        )
        rejected = self._rejected(batch, outputs, rankings)
        answers: list[tuple[QueuedImage, Answer]] = []
        for row, (image, ranked) in enumerate(zip(batch, rankings, strict=True)):
            if isinstance(ranked, InferenceFailed):
                answers.append((image, ranked))
                continue
            own = {
                include: {
                    spec.block: outputs[spec.name][row] for spec in self._model.included(include)
                }
                for include in image.options.include
            }
            answer = Classification(
                predictions=self._predictions(
                    ranked[: image.options.top_k], image.options.min_score, _only(own.get("cam"))
                ),
                crop=image.crop,
                embedding=_only(own.get("embedding")),
                decode_seconds=image.decode_seconds,
                queue_seconds=started - image.queued - image.decode_seconds,
                inference_seconds=seconds,
                prediction_set=self._set(ranked, image.options.coverage),
                best=ranked[0],
                is_rejected=image.options.judged and rejected[row],
                photo=image.photo,
                outputs={name: outputs[name][row] for name in image.options.outputs},
                excitations=own.get("excitations"),
            )
            answers.append((image, answer))
        return answers

    def _ranked_classes(self, options: ClassifyOptions) -> int:
        return len(self._labels) if options.coverage is not None else options.top_k

    def _is_judged(self, batch: Sequence[QueuedImage]) -> bool:
        return self._rejection is not None and any(image.options.judged for image in batch)

    def _rejected(
        self,
        batch: Sequence[QueuedImage],
        outputs: Outputs,
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
        return [
            Prediction(
                label=self._labels[item.class_index],
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
