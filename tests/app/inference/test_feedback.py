"""Answers that are kept, and what late labels say of them."""

import pytest

from app.contract.errors import (
    FeedbackConflict,
    FeedbackNotFound,
    InferenceFailed,
    InvalidParameter,
)
from app.contract.ranking import RankedClass
from app.inference.classification import Classification
from app.inference.feedback import Feedback
from app.inference.queued_image import Answer
from app.selection.served_model import ServedModel
from app.telemetry.metrics import Metrics
from tests.support.clock import Clock

SECONDS = 100.0


@pytest.fixture
def feedback(metrics: Metrics, clock: Clock) -> Feedback:
    metrics.enter("colours", "1", "ready")
    return Feedback(SECONDS, metrics, most_images=10, clock=clock)


def answers(*classes: int, score: float = 0.8) -> list[Answer]:
    return [
        Classification([], (0, 0, 1, 1), None, 0, 0, 0, best=RankedClass(index, score))
        for index in classes
    ]


def total(metrics: Metrics, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_labels_are_counted_as_right_and_wrong(
    feedback: Feedback, served: ServedModel, metrics: Metrics
) -> None:
    feedback.keep("me", "a", served, answers(3, 4, 5))
    assert feedback.label("me", "a", 0, 3)
    assert not feedback.label("me", "a", 1, 7)
    assert not feedback.label("me", "a", 2, 7)
    assert total(metrics, "senet_feedback_total", outcome="right") == 1
    assert total(metrics, "senet_feedback_total", outcome="wrong") == 2
    assert total(metrics, "senet_feedback_score_bucket", outcome="wrong", le="0.7") == 0
    assert total(metrics, "senet_feedback_score_bucket", outcome="wrong", le="0.8") == 2
    pair = {"answered": "colour 4", "true": "colour 7"}
    assert total(metrics, "senet_feedback_confusion_total", **pair) == 1


@pytest.mark.parametrize(
    ("caller", "request_id", "index"),
    [("me", "b", 0), ("other", "a", 0), ("me", "a", 1), ("me", "a", 2)],
)
def test_what_is_not_kept_for_the_caller_is_not_found(
    feedback: Feedback, served: ServedModel, caller: str, request_id: str, index: int
) -> None:
    feedback.keep("me", "a", served, [*answers(3), InferenceFailed("the engine failed")])
    with pytest.raises(FeedbackNotFound):
        feedback.label(caller, request_id, index, 3)


def test_an_image_is_labelled_once(feedback: Feedback, served: ServedModel) -> None:
    feedback.keep("me", "a", served, answers(3))
    feedback.label("me", "a", 0, 3)
    with pytest.raises(FeedbackConflict):
        feedback.label("me", "a", 0, 4)


def test_a_class_that_is_not_there_uses_nothing_up(feedback: Feedback, served: ServedModel) -> None:
    feedback.keep("me", "a", served, answers(3))
    with pytest.raises(InvalidParameter, match="classes 0 to 63"):
        feedback.label("me", "a", 0, 64)
    assert feedback.label("me", "a", 0, 3)


def test_answers_are_forgotten_in_time(
    feedback: Feedback, served: ServedModel, clock: Clock
) -> None:
    feedback.keep("me", "a", served, answers(3))
    clock.advance(SECONDS - 1)
    feedback.keep("me", "b", served, answers(3))
    assert feedback.label("me", "a", 0, 3)
    clock.advance(1)
    with pytest.raises(FeedbackNotFound):
        feedback.label("me", "a", 0, 3)
    assert feedback.label("me", "b", 0, 3)


def test_the_oldest_go_where_there_are_too_many(feedback: Feedback, served: ServedModel) -> None:
    for number in range(4):
        feedback.keep("me", str(number), served, answers(1, 2, 3))
    with pytest.raises(FeedbackNotFound):
        feedback.label("me", "0", 0, 1)
    assert feedback.label("me", "1", 0, 1)


def test_an_id_that_comes_again_means_its_last_answer(
    feedback: Feedback, served: ServedModel
) -> None:
    for _ in range(20):  # which counts once
        feedback.keep("me", "a", served, answers(1, 2, 3))
    feedback.keep("me", "b", served, answers(9))
    feedback.keep("me", "a", served, answers(4))
    assert feedback.label("me", "a", 0, 4)
    assert feedback.label("me", "b", 0, 9)


def test_labels_of_a_version_that_has_gone_make_no_series(
    feedback: Feedback, served: ServedModel, metrics: Metrics
) -> None:
    feedback.keep("me", "a", served, answers(3))
    metrics.forget("colours", "1")
    with pytest.raises(FeedbackNotFound, match="is not loaded"):
        feedback.label("me", "a", 0, 3)
    assert total(metrics, "senet_feedback_total") == 0


def test_confused_pairs_have_a_bounded_number_of_series(
    metrics: Metrics, served: ServedModel, clock: Clock
) -> None:
    metrics.enter("colours", "1", "ready")
    feedback = Feedback(SECONDS, metrics, clock=clock)
    pairs = [(own, true) for own in range(64) for true in range(64) if own != true][:1100]
    feedback.keep("me", "a", served, answers(*[own for own, _ in pairs]))
    for index, (_, true) in enumerate(pairs):
        feedback.label("me", "a", index, true)
    series = [
        sample
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "senet_feedback_confusion_total"
    ]
    assert len(series) == 1001
    assert total(metrics, "senet_feedback_confusion_total", answered="other") == 100
