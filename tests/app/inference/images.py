"""Queued images for tests, told apart by a number."""

import asyncio

import numpy as np

from app.inference.admission import Caller
from app.inference.classification import ClassifyOptions
from app.inference.priority import Priority
from app.inference.queued_image import Answers, QueuedImage

FOREVER = float("inf")


def queued(
    number: int,
    *,
    priority: Priority = "interactive",
    client: str = "alice",
    now: float = 0.0,
    deadline: float = FOREVER,
) -> QueuedImage:
    """An encoded image whose request has no other. Needs an event loop."""
    future = asyncio.get_running_loop().create_future()
    return QueuedImage(
        data=bytes([number]),
        caller=Caller(client, priority),
        options=ClassifyOptions(),
        deadline=deadline,
        queued=now,
        parent=None,
        answers=Answers(1, future),
        index=0,
    )


def decode(image: QueuedImage, now: float = 0.0) -> QueuedImage:
    """What a thread does with it."""
    image.pixels = np.full((2, 2, 3), image.data[0], np.uint8)
    image.decoded = now
    return image
