"""An image on its way, and the answers that its request waits for."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import RequestError
from app.contract.geometry import Box
from app.contract.oriented_photo import OrientedPhoto
from app.inference.admission import Caller
from app.inference.classification import Classification, ClassifyOptions

Answer = Classification | RequestError


class ClientLeft(Exception):
    """The client has left before its answer was there."""


class Answers:
    """The answers for a request's images. For its event loop, but for `is_over`.

    Args:
        count: of the images.
        future: gets all answers, in the images' order.
    """

    __slots__ = ("_answers", "_future", "_missing")

    def __init__(self, count: int, future: asyncio.Future[list[Answer]]) -> None:
        self._answers: list[Answer | None] = [None] * count
        self._missing = count
        self._future = future

    @property
    def is_over(self) -> bool:
        """Whether nobody waits any more. May be asked from any thread."""
        return self._future.done()

    def settle(self, index: int, answer: Answer) -> None:
        """Answers one image, unless it has its answer."""
        if self._future.done() or self._answers[index] is not None:
            return
        self._answers[index] = answer
        self._missing -= 1
        if not self._missing:
            self._future.set_result([own for own in self._answers if own is not None])

    def leave(self) -> None:
        """Nobody waits any more: what waits for the future gets `ClientLeft`."""
        if not self._future.done():
            self._future.set_exception(ClientLeft())

    def settle_all(self, error: Callable[[], RequestError]) -> None:
        """Answers all images that have none with an error of their own."""
        for index in range(len(self._answers)):
            self.settle(index, error())


@dataclass(slots=True, eq=False)
class QueuedImage:
    """One image, from its admission to its answer.

    Attributes:
        data: the encoded image until it is decoded, or pixels that have come as the network's
            input, uint8 [height, width, 3].
        caller: whose it is.
        options: what is asked for.
        deadline: on the monotonic clock in seconds; no work begins after it.
        queued: on the same clock.
        parent: of its spans, for tracing.
        answers: of its request.
        index: its place among them.
        pixels: uint8 [height, width, 3], once it is decoded.
        crop: the region that they show, in pixels of the oriented photo.
        decode_seconds: how long decoding took.
        photo: upright and small, if it is wanted back.
    """

    data: bytes | NDArray[np.uint8]
    caller: Caller
    options: ClassifyOptions
    deadline: float
    queued: float
    parent: object
    answers: Answers
    index: int
    pixels: NDArray[np.uint8] | None = None
    crop: Box = (0.0, 0.0, 0.0, 0.0)
    decoded: float = 0.0
    decode_seconds: float = 0.0
    photo: OrientedPhoto | None = None

    def is_wanted(self, now: float) -> bool:
        """Whether somebody still waits for its answer at this time."""
        return not self.answers.is_over and now < self.deadline
