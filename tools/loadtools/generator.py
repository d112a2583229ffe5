"""Load on the service, and what is seen of it."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import cycle
from typing import Protocol

from tools.loadtools.client import GIVE_UP_SECONDS, Answer, Wire, head

BROKEN = 0
"""Stands for the status of an answer that never came whole."""

_CLOSED_CLIENTS = 32
_SAMPLE_SECONDS = 0.2
# The same arrivals in every run make runs comparable.
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
        given_up: whether it was hopeless, so that its last requests were not waited for.
    """

    seconds: float = 0.0
    arrival_seconds: float = 0.0
    offered: int = 0
    latencies: list[tuple[float, float]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    busy: float = 0.0
    memory: float = 0.0
    last_answer: float = 0.0
    given_up: bool = False

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
    """Offers images in turn, over connections that are kept open.

    Args:
        service: the target.
        images: each the body of a request.
        content_type: of each.
    """

    def __init__(
        self,
        service: Target,
        images: Sequence[bytes],
        content_type: str = "application/octet-stream",
    ) -> None:
        self._service = service
        self._images = images
        self._content_type = content_type
        self._idle: list[Wire] = []
        self._asked: set[Wire] = set()
        self._opening: set[asyncio.Task[None]] = set()

    async def closed(
        self, seconds: float, clients: int = _CLOSED_CLIENTS, path: str = "/classify"
    ) -> Load:
        """As many clients, each waiting for its answer: measures the capacity."""
        load, requests = Load(arrival_seconds=seconds), self._requests(path)
        end = time.monotonic() + seconds

        def next_one() -> None:
            now = time.monotonic()
            if now < end:
                self._send(_Call(load, next(requests), now, next_one))

        async def begin() -> None:
            for _ in range(clients):
                next_one()

        await self._measure(load, begin())
        return load

    async def offer(
        self,
        rate: float,
        seconds: float,
        path: str = "/classify",
        hopeless: Callable[[Load], bool] = lambda load: False,
        seed: int = _SEED,
    ) -> Load:
        """Requests at Poisson times, whether or not earlier ones are answered.

        Args:
            rate: a second.
            seconds: how long they arrive.
            path: where to.
            hopeless: asked before each; once it holds, nothing more is sent or waited for.
            seed: of the times; generators that run at once need different ones.
        """
        load, requests = Load(arrival_seconds=seconds), self._requests(path)
        draw = random.Random(seed)  # noqa: S311 - not for secrets

        async def arrivals() -> None:
            due = time.monotonic()
            end = due + seconds
            while (due := due + draw.expovariate(rate)) < end:
                if (ahead := due - time.monotonic()) > 0:
                    await asyncio.sleep(ahead)
                if hopeless(load):
                    load.given_up = True
                    for wire in self._asked:
                        wire.close()
                    return
                self._send(_Call(load, next(requests), due))

        await self._measure(load, arrivals())
        return load

    def close(self) -> None:
        """Closes the connections, when no load is under way."""
        for wire in self._idle:
            wire.close()
        self._idle.clear()

    def _requests(self, path: str) -> Iterator[bytes]:
        kind = {"content-type": self._content_type}
        return cycle([head(path, len(image), kind) + image for image in self._images])

    async def _measure(self, load: Load, work: Coroutine[None, None, None]) -> None:
        """Returns when `work` is done and every request of the load has been answered.

        Raises:
            TimeoutError: if there is no answer for a long time.
        """
        started = load.last_answer = time.monotonic()
        processor = time.process_time()
        sender = asyncio.create_task(work)
        try:
            while not sender.done() or load.offered > load.statuses.total():
                if time.monotonic() - load.last_answer > GIVE_UP_SECONDS:
                    raise TimeoutError(f"no answer for {GIVE_UP_SECONDS:g} s")
                load.memory = max(load.memory, self._service.resident_mib)
                await asyncio.sleep(_SAMPLE_SECONDS)
            await sender
        finally:
            sender.cancel()
        load.busy = (time.process_time() - processor) / (time.monotonic() - started)
        load.seconds = load.last_answer - started

    def _send(self, call: _Call) -> None:
        """Sends a request on an idle connection, or on one that is opened for it."""
        call.load.offered += 1
        while self._idle:
            if (wire := self._idle.pop()).is_open:
                self._ask(wire, call)
                return
        opening = asyncio.get_running_loop().create_task(self._open_and_ask(call))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _open_and_ask(self, call: _Call) -> None:
        try:
            wire = await Wire.connect(self._service.port)
        except OSError:
            call.end(BROKEN)
        else:
            if call.load.given_up:
                wire.close()
                call.end(BROKEN)
            else:
                self._ask(wire, call)

    def _ask(self, wire: Wire, call: _Call) -> None:
        def on_answer(answer: Answer | None) -> None:
            self._asked.discard(wire)
            if wire.is_open:
                self._idle.append(wire)
            call.end(BROKEN if answer is None else answer.status)

        self._asked.add(wire)
        wire.send(call.request)
        wire.expect(on_answer)
