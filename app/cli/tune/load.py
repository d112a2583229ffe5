"""An open load on a service: requests at random times, whether or not earlier ones are answered."""

import asyncio
import random
import time
from collections.abc import Sequence

from app.cli.tune.search import Trial

_SEED = 1
_ANSWER_SECONDS = 10.0
_OK = b"200"


class Load:
    """Posts images to one service over as many connections as it takes.

    Args:
        port: where it listens on 127.0.0.1.
        images: encoded images, sent in turn.
    """

    def __init__(self, port: int, images: Sequence[bytes]) -> None:
        self._port = port
        self._requests = [
            b"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream"
            b"\r\nContent-Length: %d\r\n\r\n%b" % (len(image), image)
            for image in images
        ]
        self._sent = 0
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def get(self, path: str) -> tuple[bytes, bytes]:
        """The status and the body of a page.

        Raises:
            OSError: if it cannot be had.
        """
        return await self._exchange(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path.encode())

    async def closed(self, clients: int, seconds: float) -> float:
        """Requests per second that so many clients get answered, each one request at a time."""
        end = time.perf_counter() + seconds

        async def client() -> int:
            answered = 0
            while time.perf_counter() < end:
                answered += await self._post() is not None
            return answered

        return sum(await asyncio.gather(*(client() for _ in range(clients)))) / seconds

    async def open(self, rate: float, seconds: float, limit_ms: float) -> Trial:
        """Sends at a rate. Ends early once the objective cannot be kept any more.

        Args:
            rate: requests per second, on the mean; the times are those of a Poisson process.
            seconds: how long to send.
            limit_ms: the objective. Latency counts from the time that a request was due.
        """
        # The same times in every trial make settings comparable.
        times = random.Random(_SEED)  # noqa: S311 - no secret comes of it
        due = [0.0]
        while due[-1] < seconds:
            due.append(due[-1] + times.expovariate(rate))
        allowed_late = len(due) // 100
        latencies: list[float] = []
        failed = late = 0
        started = time.perf_counter()

        async def send(at: float) -> None:
            nonlocal failed, late
            answered = await self._post()
            if answered is None:
                failed += 1
                return
            latencies.append((answered - started - at) * 1000)
            late += latencies[-1] > limit_ms

        tasks: set[asyncio.Task[None]] = set()
        try:
            for at in due:
                if (wait := at - (time.perf_counter() - started)) > 0:
                    await asyncio.sleep(wait)
                if failed or late > allowed_late:
                    return Trial(rate, float("inf"))
                task = asyncio.create_task(send(at))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if failed:
            return Trial(rate, float("inf"))
        latencies.sort()
        return Trial(rate, latencies[len(latencies) - 1 - len(latencies) // 100])

    def close(self) -> None:
        """Closes the connections."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _post(self) -> float | None:
        """The time of the answer; None if it is not a success."""
        self._sent += 1
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                status, _ = await self._exchange(self._requests[self._sent % len(self._requests)])
        except (OSError, EOFError):  # a timeout is an OSError
            return None
        return time.perf_counter() if status == _OK else None

    async def _exchange(self, request: bytes) -> tuple[bytes, bytes]:
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            status, *fields = head.split(b"\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (field.partition(b":") for field in fields)
            }
            body = await reader.readexactly(int(headers.get(b"content-length", 0)))
        except BaseException:
            writer.close()
            raise
        if headers.get(b"connection", b"").lower() == b"close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        return status.split(b" ")[1], body
