"""What is recorded of a request."""

from collections.abc import Sequence
from datetime import UTC, datetime

from app.contract.errors import RequestError
from app.inference.queued_image import Answer
from app.selection.served_model import ServedModel
from app.telemetry.records import Record


def records_of(
    request_id: str,
    caller: object,
    model: ServedModel,
    images: Sequence[bytes],
    results: Sequence[Answer],
) -> list[Record]:
    """A record for each image.

    Args:
        request_id: of the request.
        caller: as the log names it; None if it does not.
        model: what answered.
        images: as they came.
        results: the answers to them.
    """
    request = {
        "time": datetime.now(UTC).isoformat(),
        "request_id": request_id,
        "caller": caller,
        "model": model.name,
        "version": model.version,
        "precision": model.variant.precision,
        "digest": model.digest,
    }
    return [
        Record({**request, "index": index, **_told(result)}, image)
        for index, (image, result) in enumerate(zip(images, results, strict=True))
    ]


def _told(result: Answer) -> dict[str, object]:
    if isinstance(result, RequestError):
        return {"error": result.code}
    told: dict[str, object] = {
        "predictions": [
            {
                "class_index": own.label.index,
                "id": own.label.id,
                "label": own.label.name,
                "score": own.score,
            }
            for own in result.predictions
        ],
        "rejected": result.is_rejected,
    }
    if result.prediction_set is not None:
        told["prediction_set"] = [own.label.index for own in result.prediction_set]
    return told
