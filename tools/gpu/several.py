"""Several servers at once: started together, and each loaded by a load generator of its own."""

import resource
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from tools.loadtools import wrk
from tools.loadtools.bodies import Bodies
from tools.loadtools.process import Server


@dataclass(frozen=True, slots=True)
class Answers:
    """What closed loops on several servers saw together.

    Attributes:
        rate: images a second.
        p50_ms: the greatest median of a request's latency.
        p99_ms: likewise its 99th percentile.
        failed: requests.
        event_loop: share of a core that the busiest event loop took.
        cores: that the servers took together.
        generators: cores that all load generators took together.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    failed: int
    event_loop: float
    cores: float
    generators: float


@contextmanager
def started(servers: Sequence[Server]) -> Iterator[None]:
    """Runs them, if there are any, for the length of a block; they get ready side by side.

    Raises:
        NotReady: if one of them does not; the others are stopped.
    """
    with ThreadPoolExecutor(max(1, len(servers))) as threads:
        starting = [threads.submit(server.__enter__) for server in servers]
        try:
            for start in starting:
                start.result()
            yield
        finally:
            pairs = zip(servers, starting, strict=True)
            ready = [server for server, start in pairs if start.exception() is None]
            list(threads.map(Server.__exit__, ready))


def drive(
    servers: Sequence[Server], bodies: Bodies, *, clients: int, seconds: int, ramp: int = 1
) -> Answers:
    """Loads all of them at once.

    Args:
        servers: at least one.
        bodies: what to send; those of several images go where forms do.
        clients: of each server.
        seconds: in which answers count.
        ramp: seconds before them.

    Raises:
        RuntimeError: if a load generator fails.
    """
    loops = [server.event_loop_seconds for server in servers]
    processors = sum(server.processor_seconds for server in servers)
    generators = _children_seconds()

    def loaded(server: Server) -> wrk.Run:
        url = server.url if bodies.images == 1 else server.form_url
        return wrk.run(
            url, bodies, clients=clients, seconds=seconds, ramp=ramp, memory_mib=lambda: 0.0
        )

    with ThreadPoolExecutor(len(servers)) as threads:
        runs = list(threads.map(loaded, servers))
    # The ramp counts on both sides.
    took = seconds + ramp
    return Answers(
        rate=sum(run.rate for run in runs) * bodies.images,
        p50_ms=max(run.p50_ms for run in runs),
        p99_ms=max(run.p99_ms for run in runs),
        failed=sum(run.failed for run in runs),
        event_loop=max(
            (server.event_loop_seconds - before) / took
            for server, before in zip(servers, loops, strict=True)
        ),
        cores=(sum(server.processor_seconds for server in servers) - processors) / took,
        generators=(_children_seconds() - generators) / took,
    )


def _children_seconds() -> float:
    """Of children that have ended: the load generators, for the servers still run."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
