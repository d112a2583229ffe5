"""One request's standing, from its head to its answer."""

import time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.inference.admission import Admission, Caller
from app.inference.classification import ClassifyOptions
from app.inference.host import ModelHost
from app.inference.memory import Memory
from app.inference.queued_image import Answer, Answers, ClientLeft

if TYPE_CHECKING:
    from app.inference.shadow import Shadow


class Visit:
    """What a request may do, decided once from its head, and what it holds. For one event loop.

    It holds no place while its body comes: places for its images are taken by `admit`.

    Args:
        caller: who sends it.
        address: of the client, whose share of the memory it takes.
        options: what it asks for.
        host: the model that answers; its lease, which the visit gives back, is taken.
        deadline: when the answer is due, on the monotonic clock in seconds.
        admission: has the places for images.
        memory: has the bytes that requests may hold.
    """

    def __init__(
        self,
        caller: Caller,
        address: str,
        options: ClassifyOptions,
        host: ModelHost,
        deadline: float,
        *,
        admission: Admission,
        memory: Memory,
    ) -> None:
        self.caller = caller
        self.options = options
        self.host = host
        self.deadline = deadline
        self._address = address
        self._admission = admission
        self._memory = memory
        self._bytes = 0
        self._images = 0
        self._answers: Answers | None = None
        self._is_open = True
        self._has_left = False
        self.shadow: Shadow | None = None
        """What classifies its images too, once they are answered."""

    def hold(self, size: int) -> None:
        """Says how many bytes the request holds now, instead of what it held before.

        Raises:
            Overloaded: if there is no room for more.
        """
        self._memory.hold(self._address, self._bytes, size)
        self._bytes = size

    def admit(self, images: int) -> None:
        """Takes places for the request's images, until it is closed.

        Raises:
            Overloaded: if there is no room for all of them.
            Unavailable: if a drain has begun, or the service has failed.
        """
        self._admission.admit(self.caller, images)
        self._images = images

    async def classify(
        self, images: list[bytes] | list[NDArray[np.uint8]], *, held: int, seconds: float
    ) -> list[Answer]:
        """Has the request's images classified, once there is nothing left of it but them.

        Args:
            images: encoded, or the network's pixels; emptied as they are decoded.
            held: bytes that the request holds from now on.
            seconds: in which it is to be answered from now on, if it has not said less: how long
                its body may take is not for the deadline to say.

        Returns:
            An answer for each image, in order.

        Raises:
            Overloaded: if there is no room for them.
            Unavailable: if a drain has begun, or the service has failed.
            ClientLeft: if the client has left.
        """
        if self._has_left:
            raise ClientLeft
        self.hold(held)
        self.deadline = min(self.deadline, time.monotonic() + seconds)
        self.admit(len(images))
        return await self.host.infer(images, self)

    def await_answers(self, answers: Answers) -> None:
        """From now on the request waits for these."""
        self._answers = answers

    def leave(self) -> None:
        """The client has left: nobody waits for the answers any more."""
        self._has_left = True
        if self._answers is not None:
            self._answers.leave()

    def close(self) -> None:
        """Gives back all that the request holds. May be called more than once."""
        if not self._is_open:
            return
        self._is_open = False
        if self._images:
            self._admission.release(self.caller, self._images)
        self._memory.hold(self._address, self._bytes, 0)
        self.host.give_back_lease()
