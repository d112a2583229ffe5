"""How adapters have images classified: as `POST /classify` does, within the same bounds."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from fastapi import Request
from numpy.typing import NDArray
from starlette.requests import ClientDisconnect

from app.contract.errors import MalformedRequest, RequestError, TooManyImages
from app.inference.classification import Classification
from app.inference.queued_image import Answer, ClientLeft
from app.inference.visit import Visit
from app.pace import Pace
from app.selection.served_model import ServedModel
from app.transport.http.answer_notes import note_answers
from app.transport.http.answer_weight import check_weight
from app.transport.http.arrivals import Arrival
from app.transport.http.request_body import COPIES, RequestBody
from app.transport.open_inference.inputs import Images

ReadImages = Callable[[RequestBody, Visit], Awaitable[Images]]
"""Reads the images out of a body, and sets the visit's options where the body has some."""

GiveImages = Callable[[Visit], Awaitable[Images]]
"""The same for whatever has taken the body in."""


@dataclass(frozen=True, slots=True)
class Classified:
    """A request's images, all classified.

    Attributes:
        model: what answered.
        results: one an image, in order.
        headers: that its response has: which model answered, and how long it took.
    """

    model: ServedModel
    results: list[Classification]
    headers: dict[str, str]


class Inference:
    """Reads a request's images and has them classified.

    Args:
        max_images: most images in one request.
        max_body_bytes: largest body.
        max_answer_bytes: largest answer.
        body_pace: how slowly a body may come.
        request_timeout_ms: the longest deadline, from the end of the body.
    """

    def __init__(
        self,
        *,
        max_images: int,
        max_body_bytes: int,
        max_answer_bytes: int,
        body_pace: Pace,
        request_timeout_ms: int,
    ) -> None:
        self.max_images = max_images
        self.max_answer_bytes = max_answer_bytes
        self.body_pace = body_pace
        self._max_body_bytes = max_body_bytes
        self._request_timeout_seconds = request_timeout_ms / 1000

    async def __call__(
        self, request: Request, arrival: Arrival, read: ReadImages, name: str = "image"
    ) -> Classified:
        """Classifies the images of a body of HTTP.

        Args:
            request: whose body holds them.
            arrival: the request's.
            read: reads them.
            name: of an image, for messages about one of several.

        Raises:
            RequestError: if the request is refused, or one of its images fails.
            ClientDisconnect: if the client left first.
        """
        body = RequestBody(
            request.receive,
            arrival.headers,
            arrival.visit(),
            max_bytes=self._max_body_bytes,
            pace=self.body_pace,
        )
        return await self.classify(arrival, partial(read, body), name)

    async def classify(self, arrival: Arrival, read: GiveImages, name: str = "image") -> Classified:
        """Classifies all images, or none: these protocols have no place for one image's error.

        Args:
            arrival: the request's; it is closed.
            read: reads them.
            name: of an image, for messages about one of several.

        Raises:
            RequestError: if the request is refused, or one of its images fails.
            ClientDisconnect: if the client left first.
        """
        visit = arrival.visit()
        model = visit.host.model
        try:
            images = await read(visit)
            count = len(images)
            if not count:
                raise MalformedRequest("the request holds no image")
            if count > self.max_images:
                raise TooManyImages(f"at most {self.max_images} images are accepted in one request")
            check_weight(model, visit.options, count, self.max_answer_bytes)
            results = await visit.classify(
                images,
                held=COPIES * sum(map(_bytes_of, images)),
                seconds=self._request_timeout_seconds,
            )
        except ClientLeft:
            raise ClientDisconnect from None
        finally:
            arrival.close()
        timing = note_answers(results)
        done = [result for result in results if isinstance(result, Classification)]
        if len(done) < count:
            raise _first_error(results, name)
        return Classified(model, done, _headers(model) | {"server-timing": timing})


def _bytes_of(image: bytes | NDArray[np.uint8]) -> int:
    return len(image) if isinstance(image, bytes) else image.nbytes


def _first_error(results: Sequence[Answer], name: str) -> RequestError:
    """A new error, for one that is raised where `results` lead to it would keep its image, until
    the garbage collector comes.
    """
    index, error = next(
        (index, result) for index, result in enumerate(results) if isinstance(result, RequestError)
    )
    return type(error)(str(error) if len(results) == 1 else f"{name} {index}: {error}")


def _headers(model: ServedModel) -> dict[str, str]:
    """Which model answers, exactly; `/classify` says the same under `model`."""
    return {
        "x-model": f"{model.name}:{model.version}",
        "x-model-precision": model.variant.precision,
        "x-model-digest": model.digest,
        "x-model-preprocessing": model.manifest.preprocessing.digest,
    }
