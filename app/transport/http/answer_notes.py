"""What is noted of a request's answers: how long they took, and how many there are."""

from collections.abc import Sequence

from app.contract.errors import RequestError
from app.inference.classification import Classification
from app.inference.queued_image import Answer
from app.telemetry.log import annotate


def note_answers(results: Sequence[Answer]) -> str:
    """Adds to the request's line in the log what became of its images.

    Returns:
        The stages of the slowest image, in milliseconds, as W3C Server Timing writes them.
    """
    stages = _stages(results)
    annotate(
        images=len(results),
        failed_images=sum(isinstance(result, RequestError) for result in results),
        **{f"{name}_ms": round(seconds * 1000, 3) for name, seconds in stages.items()},
    )
    return ", ".join(f"{name};dur={seconds * 1000:.3f}" for name, seconds in stages.items())


def _stages(results: Sequence[Answer]) -> dict[str, float]:
    """The slowest image's stages, in seconds."""
    done = [result for result in results if isinstance(result, Classification)]
    return {
        "decode": max((result.decode_seconds for result in done), default=0.0),
        "queue": max((result.queue_seconds for result in done), default=0.0),
        "inference": max((result.inference_seconds for result in done), default=0.0),
    }
