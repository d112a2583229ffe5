# ruff: noqa: T201 - the command tells its results
"""`python -m reliability.overload`: what the service does at 1, 2 and 4 times its capacity.

Measures the capacity with as many waiting clients as keep it busy, then offers requests at random
times (Poisson arrivals) whatever the service answers, as a crowd of users would. Latency counts
from the moment a request was due, so that a slow service cannot slow its own measurement down.
"""

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from reliability.client import Connection
from reliability.corpus.pictures import encode, picture
from reliability.service import ServiceProcess

_CLOSED_CLIENTS = 16
_SAMPLE_SECONDS = 0.2
_NORMAL_SHARE = 0.5
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


class Generator:
    """Offers one image again and again, over connections that are kept open.

    Args:
        service: the target.
        image: the body of each request.
    """

    def __init__(self, service: ServiceProcess, image: bytes) -> None:
        self._service = service
        self._image = image
        self._idle: list[Connection] = []

    async def closed(self, seconds: float, clients: int = _CLOSED_CLIENTS) -> Load:
        """As many clients, each waiting for its answer: measures the capacity."""
        load = Load()
        end = time.monotonic() + seconds

        async def client() -> None:
            while time.monotonic() < end:
                await self._send(load, time.monotonic(), "/classify")

        await self._measure(load, [asyncio.create_task(client()) for _ in range(clients)])
        return load

    async def offer(self, rate: float, seconds: float, path: str = "/classify") -> Load:
        """Requests at Poisson times, `rate` a second."""
        load, draw, tasks = Load(), random.Random(_SEED), []  # noqa: S311 - not for secrets

        async def arrivals() -> None:
            due = time.monotonic()
            end = due + seconds
            while (due := due + draw.expovariate(rate)) < end:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                tasks.append(asyncio.create_task(self._send(load, due, path)))
            await asyncio.gather(*tasks)

        await self._measure(load, [asyncio.create_task(arrivals())])
        return load

    async def _measure(self, load: Load, tasks: Sequence[asyncio.Task[None]]) -> None:
        started, processor = time.monotonic(), time.process_time()
        everything = asyncio.gather(*tasks)
        while not everything.done():
            load.memory = max(load.memory, self._service.resident_mib)
            await asyncio.wait([everything], timeout=_SAMPLE_SECONDS)
        await everything
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


def _row(name: str, load: Load) -> str:
    refused = load.statuses[429]
    others = {status: n for status, n in load.statuses.items() if status not in (200, 429)}
    return (
        f"| {name} | {load.offered / load.seconds:.0f} | {load.goodput:.0f} |"
        f" {refused / load.seconds:.0f} | {load.quantile_ms(0.5):.0f} |"
        f" {load.quantile_ms(0.95):.0f} | {load.quantile_ms(0.99):.0f} |"
        f" {load.memory:.0f} | {load.busy:.2f} | {others or 'none'} |"
    )


async def run(service: ServiceProcess, image: bytes, seconds: float) -> None:
    """Prints the tables."""
    generator = Generator(service, image)
    await generator.closed(seconds / 4)  # warm
    capacities = [(await generator.closed(seconds / 2)).goodput for _ in range(3)]
    capacity = statistics.median(capacities)
    print(f"capacity: {capacity:.0f} images/s (three runs: {[round(c) for c in capacities]})\n")
    print("| load | offered/s | goodput/s | refused/s | p50 ms | p95 ms | p99 ms | MiB |"
          " generator's cores | other statuses |")  # fmt: skip
    print("|" + " --- |" * 10)
    normal = await generator.offer(_NORMAL_SHARE * capacity, seconds / 2)
    print(_row("0.5x", normal))
    for factor in (1, 2, 4):
        print(_row(f"{factor}x", await generator.offer(factor * capacity, seconds)), flush=True)
        after = await generator.offer(_NORMAL_SHARE * capacity, seconds / 2)
        print(_row("0.5x after it", after))
        recovered = _recovery_seconds(normal, after)
        print(f"| back to normal after {recovered:.1f} s |" + " |" * 9)
    await _priorities(generator, capacity, seconds)


def _recovery_seconds(normal: Load, after: Load) -> float:
    """When latency was last above the normal p99, from the first arrival after the burst."""
    limit = normal.quantile_ms(0.99) / 1000
    first = min(due for due, _ in after.latencies)
    late = sorted(due - first for due, latency in after.latencies if latency > 2 * limit)
    # A straggler of its own, later on, is not the burst's.
    return next((late[at] for at in range(len(late)) if at + 1 == len(late)
                 or late[at + 1] - late[at] > 1.0), 0.0)  # fmt: skip


async def _priorities(generator: Generator, capacity: float, seconds: float) -> None:
    """Interactive requests at a tenth of the capacity, alone and beside much bulk."""
    print("\n| interactive at 0.1x | p50 ms | p95 ms | p99 ms | bulk answered/s |")
    print("|" + " --- |" * 5)
    rate = 0.1 * capacity
    for name, bulk_rate in (("alone", 0.0), ("beside 2x of bulk", 2 * capacity)):
        work = [generator.offer(rate, seconds)]
        if bulk_rate:
            work.append(generator.offer(bulk_rate, seconds, "/classify?priority=bulk"))
        load, *bulk = await asyncio.gather(*work)
        goodput = bulk[0].goodput if bulk else 0.0
        print(
            f"| {name} | {load.quantile_ms(0.5):.1f} | {load.quantile_ms(0.95):.1f} |"
            f" {load.quantile_ms(0.99):.1f} | {goodput:.0f} |"
        )


async def _main(options: argparse.Namespace) -> int:
    service = ServiceProcess(options.port, options.service)
    try:
        await service.wait_until_ready()
        image = encode(picture(*options.size), "JPEG", quality=85)
        await run(service, image, options.seconds)
    finally:
        code = service.stop()
    return code


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m reliability.overload", description=__doc__)
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each load")
    parser.add_argument("--size", type=int, nargs=2, default=(320, 240), help="of the image")
    parser.add_argument("service", nargs="*", help="options of the service, after --")
    return asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
