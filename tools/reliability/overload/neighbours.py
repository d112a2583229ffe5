"""Callers beside a greedy one: bulk traffic, and a thousand images in flight."""

import asyncio
import time
from dataclasses import dataclass

from tools.loadtools.client import Connection
from tools.loadtools.generator import Generator
from tools.loadtools.process import Server
from tools.reliability.overload.batches import Batches

_RATE_SHARE = 0.1
_BOUNDARY = "x-greedy-x"
_ADDRESS = "127.0.0.2"
_IMAGES_PER_REQUEST = 20


async def priorities(
    service: Server, generator: Generator, capacity: float, seconds: float
) -> None:
    """Prints what bulk traffic at twice the capacity does to interactive requests.

    And beside it what one batch takes meanwhile, which is the most that it may add.
    """
    print("\n| interactive at 0.1x | p50 ms | p95 ms | p99 ms | bulk answered/s | images a batch |"
          " one batch: mean ms | longest ms, at most |")  # fmt: skip
    print("|" + " --- |" * 8)
    rate = _RATE_SHARE * capacity
    for name, bulk_rate in (("alone", 0.0), ("beside 2x of bulk", 2 * capacity)):
        work = [generator.offer(rate, seconds)]
        if bulk_rate:
            work.append(generator.offer(bulk_rate, seconds, "/classify?priority=bulk"))
        before = await Batches.so_far(service.port)
        load, *bulk = await asyncio.gather(*work)
        batches = (await Batches.so_far(service.port)).since(before)
        goodput = bulk[0].goodput if bulk else 0.0
        print(
            f"| {name} | {load.quantile_ms(0.5):.1f} | {load.quantile_ms(0.95):.1f} |"
            f" {load.quantile_ms(0.99):.1f} | {goodput:.0f} | {batches.mean_size:.1f} |"
            f" {batches.mean_ms:.1f} | {batches.longest_ms:g} |"
        )


@dataclass(slots=True)
class Greedy:
    """A caller at an address of its own who has many requests of many images under way.

    Attributes:
        service: the target.
        image: sent again and again.
        in_flight: images that it wants answered at once.
        patient: whether it waits as long as `Retry-After` says.
        answered: images so far.
        refused: requests so far.
    """

    service: Server
    image: bytes
    in_flight: int
    patient: bool
    answered: int = 0
    refused: int = 0

    async def run(self, seconds: float) -> None:
        """Asks for so long."""
        part = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        ).encode() + self.image  # fmt: skip
        body = b"\r\n".join([part] * _IMAGES_PER_REQUEST) + f"\r\n--{_BOUNDARY}--\r\n".encode()
        end = time.monotonic() + seconds
        requests = -(-self.in_flight // _IMAGES_PER_REQUEST)
        await asyncio.gather(*(self._ask(body, end) for _ in range(requests)))

    async def _ask(self, body: bytes, end: float) -> None:
        connection = Connection(self.service.port, _ADDRESS)
        kind = {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}
        while time.monotonic() < end:
            try:
                answer = await connection.request("/classify", body, kind)
            except OSError:  # closed on it while it sent: refused as well
                self.refused += 1
                continue
            if answer.status == 200:
                self.answered += _IMAGES_PER_REQUEST
                continue
            self.refused += 1
            if self.patient:
                wait = float(answer.headers.get("retry-after", 0))
                await asyncio.sleep(min(wait, max(0.0, end - time.monotonic())))
        connection.close()


async def fairness(
    service: Server, image: bytes, capacity: float, seconds: float, in_flight: int
) -> None:
    """Prints what a caller with so many images in flight does to the others."""
    print(
        f"\n| others at 0.1x beside one with {in_flight} images in flight | p50 ms | p95 ms |"
        " p99 ms | others refused | its images answered/s | its requests refused/s |"
    )
    print("|" + " --- |" * 7)
    for name in ("absent", "obeys Retry-After", "asks again at once"):
        greedy = Greedy(service, image, in_flight, patient=name == "obeys Retry-After")
        async with asyncio.TaskGroup() as group:
            if name != "absent":
                group.create_task(greedy.run(seconds))
            load = await Generator(service, [image]).offer(_RATE_SHARE * capacity, seconds)
        refused = load.offered - load.statuses[200]
        print(
            f"| {name} | {load.quantile_ms(0.5):.1f} | {load.quantile_ms(0.95):.1f} |"
            f" {load.quantile_ms(0.99):.1f} | {refused} of {load.offered} |"
            f" {greedy.answered / seconds:.0f} | {greedy.refused / seconds:.0f} |",
            flush=True,
        )
