"""Answers that are kept for a while, for whoever learns later which class was the right one."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.contract.errors import (
    FeedbackConflict,
    FeedbackNotFound,
    InvalidParameter,
)
from app.contract.manifest import Label
from app.contract.ranking import RankedClass
from app.inference.classification import Classification
from app.inference.queued_image import Answer
from app.selection.served_model import ServedModel
from app.telemetry.metrics import Metrics

_MOST_IMAGES = 50_000
_MOST_PAIRS = 1_000
"""Confused classes of a version that have a series of their own."""
OTHER = "other"
"""What further ones are counted as."""


@dataclass(slots=True)
class _Kept:
    until: float
    model: str
    version: str
    labels: Sequence[Label]
    answers: Sequence[RankedClass | None]
    labelled: set[int] = field(default_factory=set)


class Feedback:
    """What was answered, and how much of it was right. For one event loop.

    Args:
        seconds: how long an answer is kept.
        metrics: count what is right and what is confused.
        most_images: the oldest answers are forgotten where there are more.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        seconds: float,
        metrics: Metrics,
        *,
        most_images: int = _MOST_IMAGES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._metrics = metrics
        self._most_images = most_images
        self._clock = clock
        # In the order in which they expire.
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._images = 0
        self._pairs: dict[tuple[str, str], set[tuple[str, str]]] = {}

    def keep(
        self, caller: str, request_id: str, model: ServedModel, results: Sequence[Answer]
    ) -> None:
        """Keeps the answers to a request; one that has the same id takes an older one's place."""
        self._forget(caller, request_id)
        answers = [own.best if isinstance(own, Classification) else None for own in results]
        self._kept[caller, request_id] = _Kept(
            self._clock() + self._seconds,
            model.name,
            model.version,
            model.manifest.labels,
            answers,
        )
        self._images += len(answers)
        self._expire()

    def label(self, caller: str, request_id: str, index: int, class_index: int) -> bool:
        """Says which class an image really has.

        Args:
            caller: who asked for the answer.
            request_id: of the answer.
            index: of the image in the request.
            class_index: the right one.

        Returns:
            Whether it was the answer's best class.

        Raises:
            FeedbackNotFound: if no such answer is kept, whoever else may have got it.
            FeedbackConflict: if the image has a label already.
            InvalidParameter: if the model has no such class.
        """
        self._expire()
        kept = self._kept.get((caller, request_id))
        answer = kept.answers[index] if kept and index < len(kept.answers) else None
        if kept is None or answer is None:
            raise FeedbackNotFound(
                f"no answer to image {index} of a request {request_id!r} is kept for this caller"
            )
        if (kept.model, kept.version) not in self._metrics.known:
            raise FeedbackNotFound(f"{kept.model}:{kept.version}, which answered, is not loaded")
        if class_index >= len(kept.labels):
            raise InvalidParameter(
                f"class_index: {kept.model}:{kept.version} has classes 0 to {len(kept.labels) - 1},"
                f" not {class_index}"
            )
        if index in kept.labelled:
            raise FeedbackConflict(f"image {index} of {request_id!r} has a label already")
        kept.labelled.add(index)
        self._count(kept, answer, class_index)
        return answer.class_index == class_index

    def _count(self, kept: _Kept, answer: RankedClass, class_index: int) -> None:
        version = (kept.model, kept.version)
        outcome = "right" if answer.class_index == class_index else "wrong"
        self._metrics.feedback.labels(*version, outcome).inc()
        self._metrics.feedback_score.labels(*version, outcome).observe(answer.score)
        if outcome == "right":
            return
        for gone in self._pairs.keys() - self._metrics.known:
            del self._pairs[gone]
        pair = (kept.labels[answer.class_index].name, kept.labels[class_index].name)
        pairs = self._pairs.setdefault(version, set())
        if pair not in pairs and len(pairs) >= _MOST_PAIRS:
            pair = (OTHER, OTHER)
        pairs.add(pair)
        self._metrics.feedback_confusion.labels(*version, *pair).inc()

    def _expire(self) -> None:
        now = self._clock()
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            if oldest.until > now and self._images <= self._most_images:
                return
            self._forget(*key)

    def _forget(self, caller: str, request_id: str) -> None:
        gone = self._kept.pop((caller, request_id), None)
        if gone is not None:
            self._images -= len(gone.answers)
