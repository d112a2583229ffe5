"""Ranked classes as these protocols write them."""

from collections.abc import Sequence

from typing_extensions import TypedDict

from app.inference.classification import Classification
from app.transport.http.classify import SCORE_DIGITS


class RankedLabel(TypedDict):
    """One class, in a list by falling score."""

    label: str
    score: float
    class_index: int


def ranked_labels(result: Classification) -> list[RankedLabel]:
    """The classes of one image, the best first."""
    return [
        RankedLabel(
            label=prediction.label.name,
            score=round(prediction.score, SCORE_DIGITS),
            class_index=prediction.label.index,
        )
        for prediction in result.predictions
    ]


def predictions(results: Sequence[Classification]) -> dict[str, list[list[RankedLabel]]]:
    """The answer to instances: for each its classes, the best first."""
    return {"predictions": [ranked_labels(result) for result in results]}
