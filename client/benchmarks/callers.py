"""Callers to compare the scoring command with: a bare loop, and a lone one who waits."""

import asyncio
import statistics
import threading
import time
from pathlib import Path

from benchmarks.processes import url
from senet_client import AsyncClient, Client

_IMAGES = 16
_GROUPS = 20
_PERIOD_SECONDS = 0.1


async def _bare_loop(port: int, photos: list[Path], seconds: float, at_once: int) -> float:
    data = [path.read_bytes() for path in photos[: _IMAGES * _GROUPS]]
    groups = [data[start : start + _IMAGES] for start in range(0, len(data), _IMAGES)]
    answered = 0
    started = time.monotonic()
    async with AsyncClient(url(port)) as client:

        async def loop(number: int) -> None:
            nonlocal answered
            while time.monotonic() - started < seconds:
                group = groups[number % len(groups)]
                await client.classify_batch(group, priority="bulk")
                answered += len(group)
                number += at_once

        await asyncio.gather(*(loop(number) for number in range(at_once)))
    return answered / (time.monotonic() - started)


def capacity(port: int, photos: list[Path], seconds: float) -> float:
    """Images/s that the service answers to prepared requests: the best of several numbers at once.

    Args:
        port: of the service.
        photos: sent in turn, in requests of as many images as the command sends.
        seconds: for each number.
    """
    return max(asyncio.run(_bare_loop(port, photos, seconds, at_once)) for at_once in (2, 4, 8))


class Caller(threading.Thread):
    """A lone interactive caller: one image at a time, ten times a second."""

    def __init__(self, port: int, photo: Path) -> None:
        super().__init__()
        self._port = port
        self._photo = photo
        self._stopped = threading.Event()
        self.latencies_ms: list[float] = []

    def run(self) -> None:
        """Calls until stopped."""
        with Client(url(self._port)) as client:
            while not self._stopped.wait(_PERIOD_SECONDS):
                started = time.monotonic()
                client.classify(self._photo)
                self.latencies_ms.append((time.monotonic() - started) * 1000)

    def stop(self) -> tuple[int, float, float]:
        """Ends; returns the number of calls, their median and 95th percentile in milliseconds."""
        self._stopped.set()
        self.join()
        cuts = statistics.quantiles(self.latencies_ms, n=20)
        return len(self.latencies_ms), cuts[9], cuts[18]
