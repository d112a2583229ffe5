"""What is noted of a request's answers: how long they took, and how many there are."""

from collections.abc import Sequence

from app.contract.errors import RequestError
from app.inference.queued_image import Answer
from app.telemetry.log import annotate


def note_answers(results: Sequence[Answer]) -> str:
    """Adds to the request's line in the log what became of its images.

    Returns:
        The stages of the slowest image, in milliseconds, as W3C Server Timing writes them.
    """
    failed = 0
    decode = queue = inference = 0.0
    for result in results:
        if isinstance(result, RequestError):
            failed += 1
            continue
        decode = max(decode, result.decode_seconds)
        queue = max(queue, result.queue_seconds)
        inference = max(inference, result.inference_seconds)
    annotate(
        images=len(results),
        failed_images=failed,
        decode_ms=round(decode * 1000, 3),
        queue_ms=round(queue * 1000, 3),
        inference_ms=round(inference * 1000, 3),
    )
    return (
        f"decode;dur={decode * 1000:.3f}, queue;dur={queue * 1000:.3f},"
        f" inference;dur={inference * 1000:.3f}"
    )
