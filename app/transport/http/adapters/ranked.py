"""Ranked classes as these protocols write them."""

import orjson
from fastapi.responses import Response
from typing_extensions import TypedDict

from app.inference.classification import Classification
from app.transport.http.adapters.inference import Classified
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


def predictions_response(done: Classified) -> Response:
    """The answer to instances: for each its classes, the best first."""
    answer = {"predictions": [ranked_labels(result) for result in done.results]}
    return Response(orjson.dumps(answer), headers=done.headers, media_type="application/json")
