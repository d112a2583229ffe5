"""Who is told what a model does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Protocol

from prometheus_client import Histogram

from app.contract.manifest import Label
from app.inference.classification import Classification
from app.inference.priority import PRIORITIES, Priority
from app.inference.score_window import ScoreWindow
from app.selection.served_model import ServedModel
from app.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Seen:
    """One image of a batch that has run.

    Attributes:
        label: its best class.
        score: that class's, between 0 and 1.
        classification: its answer.
        priority: the image's.
    """

    label: Label
    score: float
    classification: Classification
    priority: Priority


class Observer(Protocol):
    """Is told, from the threads that work, what a model does."""

    def decoded(self, seconds: float) -> None:
        """An image was decoded in this time."""
        ...

    def seen(self, batch: Sequence[Seen], seconds: float) -> None:
        """A batch was answered.

        Args:
            batch: the images that have an answer.
            seconds: the batch's time in the engine.
        """
        ...

    def settled(self, outcome: str, images: int) -> None:
        """So many images are over: "ok", "client_left", or the code of their error."""
        ...


class MetricsObserver:
    """Counts what a model does; see `Observer`.

    Args:
        metrics: the series.
        model: what is observed.
    """

    def __init__(self, metrics: Metrics, model: ServedModel) -> None:
        labels = (model.name, model.version)
        self._decode_seconds = metrics.decode.labels(*labels)
        self._queue_seconds: Mapping[Priority, Histogram] = {
            priority: metrics.queue.labels(*labels, priority) for priority in PRIORITIES
        }
        self._inference_seconds = metrics.inference.labels(*labels)
        self._batch_size = metrics.batch_size.labels(*labels)
        self._top1_score = metrics.top1_score.labels(*labels)
        self._scores = ScoreWindow()
        if model.manifest.calibration is not None:  # other scores are not probabilities
            metrics.estimated_accuracy.labels(*labels).set_function(self._scores.estimated_accuracy)
            if reference := model.manifest.reference:
                expected = reference.expected_score[model.variant.precision]
                metrics.expected_accuracy.labels(*labels).set(expected)
        # Finding a series by its labels costs more than counting.
        self._images = cache(partial(metrics.images.labels, *labels))
        self._predicted = cache(partial(metrics.predictions.labels, *labels))

    def decoded(self, seconds: float) -> None:
        """See `Observer`."""
        self._decode_seconds.observe(seconds)

    def seen(self, batch: Sequence[Seen], seconds: float) -> None:
        """See `Observer`."""
        self._inference_seconds.observe(seconds)
        self._batch_size.observe(len(batch))
        self._scores.add([seen.score for seen in batch])
        for seen in batch:
            self._queue_seconds[seen.priority].observe(seen.classification.queue_seconds)
            self._top1_score.observe(seen.score)
            self._predicted(seen.label.name).inc()

    def settled(self, outcome: str, images: int) -> None:
        """See `Observer`."""
        self._images(outcome).inc(images)
