"""Load on the service, and what is seen of it."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from tools.reliability.client import head
from tools.reliability.overload.light import BROKEN, LightConnection

_CLOSED_CLIENTS = 32
_SAMPLE_SECONDS = 0.2
# No answer at all within this is a failure of the service, whatever its own deadlines.
_GIVE_UP_SECONDS = 60.0
_SEED = 1


@dataclass(slots=True)
class Load:
    """What one stretch of load saw.

    Attributes:
        seconds: from the first arrival due to the last answer.
        arrival_seconds: for how long requests arrived.
        offered: requests.
        latencies: seconds of each success, with the moment it was due.
        statuses: answers by status; `BROKEN` for a connection that broke.
        busy: this process's own share of one core.
        memory: MiB of the service at its highest.
        last_answer: when it came.
    """

    seconds: float = 0.0
    arrival_seconds: float = 0.0
    offered: int = 0
    latencies: list[tuple[float, float]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    busy: float = 0.0
    memory: float = 0.0
    last_answer: float = 0.0

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


@dataclass(frozen=True, slots=True)
class _Call:
    """One request: to what load it belongs, its bytes, when it was due, and what follows it."""

    load: Load
    request: bytes
    due: float
    then: Callable[[], None] = lambda: None

    def end(self, status: int) -> None:
        """Counts the answer."""
        now = time.monotonic()
        self.load.last_answer = now
        self.load.statuses[status] += 1
        if status == HTTPStatus.OK:
            self.load.latencies.append((self.due, now - self.due))
        self.then()


class Generator:
    """Offers one image again and again, over connections that are kept open.

    Args:
        service: the target.
        image: the body of each request.
    """

    def __init__(self, service: Target, image: bytes) -> None:
        self._service = service
        self._image = image
        self._idle: list[LightConnection] = []
        self._opening: set[asyncio.Task[None]] = set()

    async def closed(
        self, seconds: float, clients: int = _CLOSED_CLIENTS, path: str = "/classify"
    ) -> Load:
        """As many clients, each waiting for its answer: measures the capacity."""
        load, request = Load(arrival_seconds=seconds), self._request(path)
        end = time.monotonic() + seconds

        def next_one() -> None:
            now = time.monotonic()
            if now < end:
                self._send(_Call(load, request, now, next_one))

        async def begin() -> None:
            for _ in range(clients):
                next_one()

        await self._measure(load, begin())
        return load

    async def offer(self, rate: float, seconds: float, path: str = "/classify") -> Load:
        """Requests at Poisson times, `rate` a second."""
        load, request = Load(arrival_seconds=seconds), self._request(path)
        draw = random.Random(_SEED)  # noqa: S311 - not for secrets

        async def arrivals() -> None:
            due = time.monotonic()
            end = due + seconds
            while (due := due + draw.expovariate(rate)) < end:
                if (ahead := due - time.monotonic()) > 0:
                    await asyncio.sleep(ahead)
                self._send(_Call(load, request, due))

        await self._measure(load, arrivals())
        return load

    def close(self) -> None:
        """Closes the connections, when no load is under way."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _request(self, path: str) -> bytes:
        kind = {"content-type": "application/octet-stream"}
        return head(path, len(self._image), kind) + self._image

    async def _measure(self, load: Load, work: Coroutine[None, None, None]) -> None:
        """Returns when `work` is done and every request of the load has been answered.

        Raises:
            TimeoutError: if there is no answer for a long time.
        """
        started = load.last_answer = time.monotonic()
        processor = time.process_time()
        async with asyncio.TaskGroup() as group:
            sender = group.create_task(work)
            while not sender.done() or load.offered > load.statuses.total():
                if time.monotonic() - load.last_answer > _GIVE_UP_SECONDS:
                    raise TimeoutError(f"no answer for {_GIVE_UP_SECONDS:g} s")
                load.memory = max(load.memory, self._service.resident_mib)
                await asyncio.sleep(_SAMPLE_SECONDS)
        load.busy = (time.process_time() - processor) / (time.monotonic() - started)
        load.seconds = load.last_answer - started

    def _send(self, call: _Call) -> None:
        """Sends a request on an idle connection, or on one that is opened for it."""
        call.load.offered += 1
        while self._idle:
            if (connection := self._idle.pop()).is_open:
                self._ask(connection, call)
                return
        opening = asyncio.get_running_loop().create_task(self._open_and_ask(call))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _open_and_ask(self, call: _Call) -> None:
        loop, port = asyncio.get_running_loop(), self._service.port
        try:
            _, connection = await loop.create_connection(LightConnection, "127.0.0.1", port)
        except OSError:
            call.end(BROKEN)
        else:
            self._ask(connection, call)

    def _ask(self, connection: LightConnection, call: _Call) -> None:
        def on_answer(status: int) -> None:
            if connection.is_open:
                self._idle.append(connection)
            call.end(status)

        connection.ask(call.request, on_answer)
