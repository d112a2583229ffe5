"""`python -m tools.reliability.soak`: tens of thousands of images of mixed sizes and formats.

After a warm-up, resident memory must be flat, and file descriptors and threads constant.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.loadtools.client import Connection
from tools.loadtools.command import run
from tools.loadtools.process import Server, service
from tools.reliability.corpus.pictures import FORMATS, encode, picture

_CLIENTS = 8
# Photos of a telephone's size are rare, so that a run is long in images and not in hours.
_SIZES = {(64, 48): 30, (320, 240): 40, (500, 375): 25, (1024, 768): 4, (1600, 1200): 1}
_AVIF_WIDEST = 500
_SAMPLES = 60
_SHOWN = 10
# Above its error, a rise of less than this in 10,000 images fills no memory within a month.
_FLAT_MIB = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The process after so many images."""

    images: int
    resident_mib: float
    open_files: int
    threads: int


async def soak(server: Server, images: int) -> list[Sample]:
    """Sends so many images; returns samples taken at rest, equally spaced.

    Raises:
        RuntimeError: if one is not classified.
    """
    kinds = [
        (encode(image, name), weight)
        for size, weight in _SIZES.items()
        for image in [picture(*size)]
        for name in FORMATS
        if name != "AVIF" or size[0] <= _AVIF_WIDEST
    ]
    pictures, weights = zip(*kinds, strict=True)
    connections = [Connection(server.port) for _ in range(_CLIENTS)]
    draw, samples, sent = random.Random(3), list[Sample](), 0  # noqa: S311 - not for secrets

    async def client(connection: Connection, share: int) -> None:
        for _ in range(share):
            [data] = draw.choices(pictures, weights)
            kind = {"content-type": "application/octet-stream"}
            answer = await connection.request("/classify", data, kind)
            if answer.status != 200:
                raise RuntimeError(f"status {answer.status}: {answer.body[:200]!r}")

    share = -(-images // (_SAMPLES * _CLIENTS))
    for _ in range(_SAMPLES):
        await asyncio.gather(*(client(connection, share) for connection in connections))
        sent += share * _CLIENTS
        samples.append(Sample(sent, server.resident_mib, server.open_files, server.threads))
    for connection in connections:
        connection.close()
    return samples


def slope(samples: Sequence[Sample]) -> tuple[float, float]:
    """MiB per 10,000 images, by least squares, and its standard error."""
    x = np.array([sample.images / 10_000 for sample in samples])
    y = np.array([sample.resident_mib for sample in samples])
    fitted, covariance = np.polyfit(x, y, 1, cov=True)
    return float(fitted[0]), float(np.sqrt(covariance[0, 0]))


def report(samples: Sequence[Sample]) -> bool:
    """Prints the samples and their slope; returns whether everything stayed flat."""
    print("| images | resident MiB | open files | threads |\n| --- | --- | --- | --- |")
    for sample in samples[len(samples) // _SHOWN - 1 :: len(samples) // _SHOWN]:
        print(
            f"| {sample.images} | {sample.resident_mib:.1f} | {sample.open_files} |"
            f" {sample.threads} |"
        )
    # The first third fills caches, pools and the allocator's arenas.
    steady = samples[len(samples) // 3 :]
    rise, error = slope(steady)
    files = sorted({sample.open_files for sample in steady})
    threads = sorted({sample.threads for sample in steady})
    print(f"\nafter {steady[0].images} images: {rise:+.2f} +- {error:.2f} MiB per 10,000 images,")
    print(f"open files {files}, threads {threads}")
    return rise - 2 * error <= _FLAT_MIB and len(files) == len(threads) == 1


def main() -> int:
    """Runs the command; the exit code is 1 if memory, files or threads were not flat."""
    parser = argparse.ArgumentParser(prog="python -m tools.reliability.soak", description=__doc__)
    parser.add_argument("--port", type=int, default=8098)
    parser.add_argument("--images", type=int, default=24_000)
    parser.add_argument("service", nargs="*", help="options of the service, after --")
    options = parser.parse_args()
    started = time.monotonic()
    with service(
        ["--log-level", "error", *options.service], port=options.port, tells=True
    ) as server:
        samples = asyncio.run(soak(server, options.images))
    flat = report(samples)
    print(f"{samples[-1].images} images in {time.monotonic() - started:.0f} s")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(run(main))
