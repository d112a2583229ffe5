"""A version that is tried on a share of the traffic without answering it."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence

from app.contract.errors import RequestError
from app.inference.admission import Admission, Caller
from app.inference.classification import Classification, ClassifyOptions
from app.inference.host import HostState, ModelHost
from app.inference.memory import Memory
from app.inference.queued_image import Answer
from app.inference.visit import Visit
from app.telemetry.metrics import Metrics

ADDRESS = "shadow"
"""Whose share of the memory it takes."""

_CALLER = Caller(ADDRESS, "bulk")
_OPTIONS = ClassifyOptions(top_k=1)
# It may have so many batches' images under way; what comes meanwhile is left out.
_BATCHES = 2


class Shadow:
    """Lets a candidate classify what another version has answered, and counts where they agree.

    It takes only what is left: no place that an image of a client could have, and of the memory
    what nobody wants. For one event loop.

    Args:
        candidate: the host that is tried.
        share: how many requests in a hundred it sees.
        admission: of which it takes no places.
        memory: what requests may hold.
        metrics: gets the outcomes.
        timeout_seconds: for one request's images.
        draw: gives values from 0 up to 1 with equal chances.

    Attributes:
        candidate: see above.
        share: likewise.
    """

    def __init__(
        self,
        candidate: ModelHost,
        share: int,
        admission: Admission,
        memory: Memory,
        metrics: Metrics,
        *,
        timeout_seconds: float,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.candidate = candidate
        self.share = share
        self._admission = admission
        self._memory = memory
        self._timeout_seconds = timeout_seconds
        self._draw = draw
        self._most = _BATCHES * candidate.model.max_batch_size
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = metrics.shadow_images.labels
        self._labels = (candidate.model.name, candidate.model.version)

    def wants(self, host: ModelHost) -> bool:
        """Whether it sees the next request, which this host answers."""
        return host is not self.candidate and self._draw() * 100 < self.share

    def follow(self, images: Sequence[object], answers: "asyncio.Future[list[Answer]]") -> None:
        """Classifies images too, once they are answered.

        Args:
            images: encoded ones; what is the network's input already may not be the candidate's.
            answers: gets the answers of the host that answers.
        """
        own = [image for image in images if isinstance(image, bytes)]
        held = sum(map(len, own))
        if (
            len(own) < len(images)
            or self.candidate.state is not HostState.READY
            or self._under_way + len(images) > self._most
            or not self._memory.can_hold(ADDRESS, held)
        ):
            self._count(*self._labels, "skipped").inc(len(images))
            return
        self._under_way += len(images)
        visit = Visit(
            _CALLER,
            ADDRESS,
            _OPTIONS,
            self.candidate,
            0.0,
            admission=self._admission,
            memory=self._memory,
        )
        self.candidate.lease()
        visit.hold(held)
        task = asyncio.create_task(self._classify(own, visit, answers))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _classify(
        self, images: list[bytes], visit: Visit, answers: "asyncio.Future[list[Answer]]"
    ) -> None:
        count = len(images)
        try:
            await asyncio.wait([answers])
            if answers.cancelled() or answers.exception() is not None:
                return  # the client has left
            visit.deadline = time.monotonic() + self._timeout_seconds
            own = await self.candidate.infer(images, visit)
        finally:
            self._under_way -= count
            visit.close()
        for answer, second in zip(answers.result(), own, strict=True):
            if (outcome := _outcome(answer, second)) is not None:
                self._count(*self._labels, outcome).inc()


def _outcome(answer: Answer, second: Answer) -> str | None:
    """How the candidate's answer compares; None if there is nothing to compare it with."""
    if isinstance(answer, RequestError) or not answer.predictions:
        return None
    if not isinstance(second, Classification):
        return "failed"
    same = answer.predictions[0].label.id == second.predictions[0].label.id
    return "agreed" if same else "differed"
