"""Reads inputs ahead of their sending, as many at once as sending needs."""

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from senet_client.errors import ImageError
from senet_client.images import EncodedImage
from senet_client.score.failures import OutOfReach, Stopped
from senet_client.score.inputs import Input
from senet_client.score.readers import Readers

Task = tuple[int, Input]
Read = tuple[Task, EncodedImage | ImageError]

# What a request holds at most, and what is read of a chunk before it is sent.
BYTES_PER_REQUEST = 8 * 1024 * 1024
# Images that are being read may hold so much together, going by those read so far.
_BYTES_AT_ONCE = 64 * 1024 * 1024
_FEWEST_AT_ONCE = 8
_MOST_AT_ONCE = 128
# A storage that lets no read end for so long is out of reach.
_HANG_SECONDS = 120.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0


@dataclass(slots=True)
class _Chunk:
    """What several threads read together."""

    tasks: deque[Task]
    max_bytes: int
    done: list[Read] = field(default_factory=list)
    bytes: int = 0
    failure: OutOfReach | None = None

    def read(self) -> None:
        """Reads one task after another, until enough is read or the storage is out of reach."""
        while self.bytes < BYTES_PER_REQUEST and self.failure is None:
            try:
                task = self.tasks.popleft()
            except IndexError:  # the other threads have taken the last
                return
            try:
                data = task[1].read(self.max_bytes)
            except ImageError as error:
                self.done.append((task, error))
            except OutOfReach as error:
                self.failure = error
            else:
                self.bytes += len(data)
                self.done.append((task, EncodedImage(task[1].path, data)))


def pauses() -> Iterator[float]:
    """Seconds between one try and the next, without end, with full jitter as of the requests."""
    bound = _FIRST_PAUSE
    while True:
        yield random.random() * bound  # noqa: S311 - no secret
        bound = min(bound * 2, _LONGEST_PAUSE)


def read_patiently(
    found: Input, max_bytes: int, give_up_after: float, sleep: Callable[[float], None] = time.sleep
) -> bytes:
    """Reads one input in the calling thread, and waits out an outage of its storage.

    Args:
        found: the input.
        max_bytes: nothing larger is read.
        give_up_after: seconds to wait in all.
        sleep: waits so many seconds.

    Raises:
        ImageError: if it cannot be read or is too large.
        OutOfReach: if its storage stays out of reach.
    """
    waited = 0.0
    for pause in pauses():
        try:
            return found.read(max_bytes)
        except OutOfReach:
            if waited + pause > give_up_after:
                raise
        sleep(pause)
        waited += pause
    raise AssertionError("pauses never end")


class Reading:
    """Reads inputs. For one event loop.

    Args:
        max_image_bytes: nothing larger is read.
        images_per_request: images of a chunk.
        give_up_after: seconds of failures after which a storage is given up.
        sleep: waits so many seconds.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        max_image_bytes: int,
        images_per_request: int,
        give_up_after: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_bytes = max_image_bytes
        self._images_per_request = images_per_request
        self._give_up_after = give_up_after
        self._sleep = sleep
        self._clock = clock
        self._readers = Readers(_MOST_AT_ONCE)
        self._at_once = _FEWEST_AT_ONCE
        self._images = self._bytes = 0

    @property
    def at_once(self) -> int:
        """How many images may be read at once now."""
        mean = self._bytes / self._images if self._images else 1
        return max(1, min(self._at_once, int(_BYTES_AT_ONCE / max(mean, 1))))

    @property
    def chunks_ahead(self) -> int:
        """How many requests' worth of images may be read, or wait to be sent, at once now."""
        return 1 + math.ceil(self.at_once / self._images_per_request)

    def starved(self) -> None:
        """Told that a request could be sent at once: so sending waits for reading."""
        self._at_once = min(self._at_once * 2, _MOST_AT_ONCE)

    def close(self) -> None:
        """Lets the threads end. A read that hangs is left to itself."""
        self._readers.close()

    async def read(self, tasks: Sequence[Task]) -> tuple[list[Read], list[Task]]:
        """Reads tasks, at least one of them and about a request's bytes.

        Returns:
            What was read, each with its image or the error that it alone has; and what was not.

        Raises:
            Stopped: if the storage stays out of reach.
        """
        began = self._clock()
        for pause in pauses():
            done, failure = await self._read_once(tasks)
            if done:
                read = {task[0] for task, _ in done}
                return done, [task for task in tasks if task[0] not in read]
            if self._clock() - began >= self._give_up_after:
                raise Stopped(f"the inputs' storage is out of reach: {failure}")
            await self._sleep(pause)
        raise AssertionError("pauses never end")

    async def _read_once(self, tasks: Sequence[Task]) -> tuple[list[Read], OutOfReach | None]:
        chunk = _Chunk(deque(tasks), self._max_bytes)
        pending = {
            asyncio.wrap_future(self._readers.submit(chunk.read))
            for _ in range(min(len(tasks), self.at_once))
        }
        while pending:
            before = len(chunk.done)
            ended, pending = await asyncio.wait(pending, timeout=_HANG_SECONDS)
            for future in ended:
                future.result()
            if not ended and len(chunk.done) == before:
                path = tasks[0][1].path
                chunk.failure = OutOfReach(f"{path}: no answer for {_HANG_SECONDS:.0f} s")
                break
        done = list(chunk.done)
        good = [len(image.data) for _, image in done if isinstance(image, EncodedImage)]
        self._images += len(good)
        self._bytes += sum(good)
        return done, chunk.failure
