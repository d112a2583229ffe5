"""The open loop: requests at Poisson times at a share of what the servers were measured to do."""

import asyncio
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus

from tools.loadtools.bodies import Bodies
from tools.loadtools.generator import Generator, Load
from tools.loadtools.process import Server

SHARE = 0.7


@dataclass(frozen=True, slots=True)
class _Target:
    """What a generator in a process of its own is told of a server."""

    port: int
    resident_mib: float = 0.0


@dataclass(frozen=True, slots=True)
class Latencies:
    """What the open loop saw.

    Attributes:
        rate: requests a second that arrived.
        p50_ms: median latency of the successes, from the moment each was due.
        p99_ms: its 99th percentile.
        failed: requests.
        busy: share of a core that the busiest generator took; near 1 it measures itself.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    failed: int
    busy: float


def offer(
    servers: Sequence[Server], bodies: Bodies, requests_per_second: float, seconds: float
) -> Latencies:
    """Offers each server its share; a generator in a process of its own for each.

    Args:
        servers: at least one.
        bodies: what to send; those of several images go where forms do.
        requests_per_second: to all servers together.
        seconds: how long they arrive.

    Raises:
        ValueError: if there is no rate: nothing was answered when it was measured.
    """
    if requests_per_second <= 0:
        raise ValueError("nothing was answered in the closed loop, so there is no share of it")
    share = requests_per_second / len(servers)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(servers), mp_context=context) as processes:
        jobs = [
            processes.submit(
                _offered,
                _Target(server.port),
                server.path if bodies.images == 1 else server.form_path,
                bodies,
                share,
                seconds,
                seed,
            )
            for seed, server in enumerate(servers)
        ]
        loads = [job.result() for job in jobs]
    together = Load(latencies=[one for load in loads for one in load.latencies])
    offered = sum(load.offered for load in loads)
    return Latencies(
        rate=offered / seconds,
        p50_ms=together.quantile_ms(0.5),
        p99_ms=together.quantile_ms(0.99),
        failed=offered - sum(load.statuses[HTTPStatus.OK] for load in loads),
        busy=max(load.busy for load in loads),
    )


def _offered(
    target: _Target, path: str, bodies: Bodies, rate: float, seconds: float, seed: int
) -> Load:
    """Runs in a process of its own."""

    async def run() -> Load:
        contents = [file.read_bytes() for file in bodies.files]
        generator = Generator(target, contents, bodies.content_type)
        try:
            return await generator.offer(rate, seconds, path, seed=seed)
        finally:
            generator.close()

    return asyncio.run(run())
