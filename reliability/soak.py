# ruff: noqa: T201 - the command tells its results
"""`python -m reliability.soak`: tens of thousands of images of mixed sizes and formats.

After a warm-up, resident memory must be flat, and file descriptors and threads constant.
"""

import argparse
import asyncio
import random
import sys
import time
from dataclasses import dataclass

import numpy as np

from reliability.client import Connection
from reliability.corpus.pictures import FORMATS, encode, picture
from reliability.service import ServiceProcess

_CLIENTS = 8
_SIZES = ((64, 48), (320, 240), (500, 375), (1024, 768), (1600, 1200))
_SAMPLES = 60


@dataclass(frozen=True, slots=True)
class Sample:
    """The process after so many images."""

    images: int
    resident_mib: float
    open_files: int
    threads: int


async def soak(service: ServiceProcess, images: int) -> list[Sample]:
    """Sends so many images; returns samples taken at rest, equally spaced.

    Raises:
        RuntimeError: if one is not classified.
    """
    pictures = [
        encode(picture(*size), name)
        for name in FORMATS
        for size in _SIZES[: 3 if name == "AVIF" else 5]
    ]
    connections = [Connection(service.port) for _ in range(_CLIENTS)]
    draw, samples, sent = random.Random(3), list[Sample](), 0  # noqa: S311 - not for secrets

    async def client(connection: Connection, share: int) -> None:
        for _ in range(share):
            kind = {"content-type": "application/octet-stream"}
            answer = await connection.request("/classify", draw.choice(pictures), kind)
            if answer.status != 200:
                raise RuntimeError(f"status {answer.status}: {answer.body[:200]!r}")

    share = images // _SAMPLES // _CLIENTS
    for _ in range(_SAMPLES):
        await asyncio.gather(*(client(connection, share) for connection in connections))
        sent += share * _CLIENTS
        samples.append(Sample(sent, service.resident_mib, service.open_files, service.threads))
    for connection in connections:
        connection.close()
    return samples


def slope(samples: list[Sample]) -> tuple[float, float]:
    """MiB per 10,000 images after the first third, by least squares, and its standard error."""
    rest = samples[len(samples) // 3 :]
    x = np.array([sample.images / 10_000 for sample in rest])
    y = np.array([sample.resident_mib for sample in rest])
    fitted, covariance = np.polyfit(x, y, 1, cov=True)
    return float(fitted[0]), float(np.sqrt(covariance[0, 0]))


async def _main(options: argparse.Namespace) -> int:
    service = ServiceProcess(options.port, options.service)
    started = time.monotonic()
    try:
        await service.wait_until_ready()
        samples = await soak(service, options.images)
    finally:
        service.stop()
    for sample in samples[:: max(1, len(samples) // 10)]:
        print(
            f"{sample.images:8} images {sample.resident_mib:8.1f} MiB"
            f" {sample.open_files:4} files {sample.threads:4} threads"
        )
    rise, error = slope(samples)
    rest = samples[len(samples) // 3 :]
    files = {sample.open_files for sample in rest}
    threads = {sample.threads for sample in rest}
    print(f"{rise:+.2f} +- {error:.2f} MiB per 10,000 images after warm-up; {files} files,")
    print(f"{threads} threads; {samples[-1].images} images in {time.monotonic() - started:.0f} s")
    return int(len(files) > 1 or len(threads) > 1)


def main() -> int:
    """Runs the command; the exit code is 1 if files or threads were not constant."""
    parser = argparse.ArgumentParser(prog="python -m reliability.soak", description=__doc__)
    parser.add_argument("--port", type=int, default=8098)
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("service", nargs="*", help="options of the service, after --")
    return asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
