"""Load on the service, and what is seen of it."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from reliability.client import Connection

_CLOSED_CLIENTS = 16
_SAMPLE_SECONDS = 0.2
_SEED = 1


@dataclass(slots=True)
class Load:
    """What one stretch of load saw.

    Attributes:
        seconds: from the first arrival due to the last answer.
        offered: requests.
        latencies: seconds of each success, with the moment it was due.
        statuses: answers by status; 0 for a broken connection.
        busy: this process's own share of one core.
        memory: MiB of the service at its highest.
    """

    seconds: float = 0.0
    offered: int = 0
    latencies: list[tuple[float, float]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    busy: float = 0.0
    memory: float = 0.0

    @property
    def goodput(self) -> float:
        """Successes per second."""
        return len(self.latencies) / self.seconds

    def quantile_ms(self, share: float) -> float:
        """A quantile of the successes' latency, in milliseconds."""
        ordered = sorted(latency for _, latency in self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Target(Protocol):
    """A server on this machine."""

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""

    @property
    def resident_mib(self) -> float:
        """Memory that it holds now."""


class Generator:
    """Offers one image again and again, over connections that are kept open.

    Args:
        service: the target.
        image: the body of each request.
    """

    def __init__(self, service: Target, image: bytes) -> None:
        self._service = service
        self._image = image
        self._idle: list[Connection] = []

    async def closed(
        self, seconds: float, clients: int = _CLOSED_CLIENTS, path: str = "/classify"
    ) -> Load:
        """As many clients, each waiting for its answer: measures the capacity."""
        load = Load()
        end = time.monotonic() + seconds

        async def client() -> None:
            while time.monotonic() < end:
                await self._send(load, time.monotonic(), path)

        await self._measure(load, [client() for _ in range(clients)])
        return load

    async def offer(self, rate: float, seconds: float, path: str = "/classify") -> Load:
        """Requests at Poisson times, `rate` a second."""
        load, draw = Load(), random.Random(_SEED)  # noqa: S311 - not for secrets

        async def arrivals() -> None:
            due = time.monotonic()
            end = due + seconds
            async with asyncio.TaskGroup() as requests:
                while (due := due + draw.expovariate(rate)) < end:
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                    requests.create_task(self._send(load, due, path))

        await self._measure(load, [arrivals()])
        return load

    def close(self) -> None:
        """Closes the connections, when no load is under way."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _measure(self, load: Load, work: Iterable[Coroutine[None, None, None]]) -> None:
        started, processor = time.monotonic(), time.process_time()
        async with asyncio.TaskGroup() as group:
            busy = {group.create_task(part) for part in work}
            while busy:
                load.memory = max(load.memory, self._service.resident_mib)
                _, busy = await asyncio.wait(busy, timeout=_SAMPLE_SECONDS)
        load.seconds = time.monotonic() - started
        load.busy = (time.process_time() - processor) / load.seconds

    async def _send(self, load: Load, due: float, path: str) -> None:
        connection = self._idle.pop() if self._idle else Connection(self._service.port)
        load.offered += 1
        try:
            answer = await connection.request(
                path, self._image, {"content-type": "application/octet-stream"}
            )
        except OSError:
            load.statuses[0] += 1
            return
        load.statuses[answer.status] += 1
        if answer.status == 200:
            load.latencies.append((due, time.monotonic() - due))
        self._idle.append(connection)
