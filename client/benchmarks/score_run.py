"""Measures `senet-client score` before the real service; prints findings, a JSON object each.

    python -m benchmarks.score_run --sources PHOTOS --models ../models --work DIR [--count 20000]

makes `count` photos by re-encoding, starts the service from the repository's `.venv`, and:

- `capacity`: images/s that the service answers to a bare loop over prepared requests, before and
  after the scored run; `ratio` is the scored run's images/s, start and finish of the process
  included, to their mean;
- `verdict`: the rows against the inputs and against direct evaluation;
- `run.memory_mib`: the command's resident memory at its first 1,000 rows and at the end;
- `interactive_idle_ms`, `interactive_during_ms`: the latency of a lone caller;
- `killed`: the verdict on a run whose client was killed five times and whose service twice.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.photos import make
from benchmarks.processes import free_port, resident_mib, start_scoring, start_service, url
from benchmarks.rows import direct_classes, verdict
from senet_client import AsyncClient, Client

_IMAGES = 16
_CLIENT_KILLS, _SERVICE_KILLS = 5, 2


async def capacity(port: int, photos: list[Path], requests: int, at_once: int) -> float:
    """Images/s of a bare loop: prepared bytes, a fixed number of requests at once, no output."""
    data = [path.read_bytes() for path in photos[: _IMAGES * 20]]
    groups = [data[start : start + _IMAGES] for start in range(0, len(data), _IMAGES)]
    remaining = iter(range(requests))
    async with AsyncClient(url(port)) as client:

        async def loop() -> None:
            for number in remaining:
                await client.classify_batch(groups[number % len(groups)], priority="bulk")

        started = time.monotonic()
        await asyncio.gather(*(loop() for _ in range(at_once)))
        return requests * _IMAGES / (time.monotonic() - started)


def best_capacity(port: int, photos: list[Path]) -> float:
    """The best of several numbers of requests at once."""
    return max(
        asyncio.run(capacity(port, photos, requests=100, at_once=at_once)) for at_once in (2, 4, 8)
    )


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
            while not self._stopped.wait(0.1):
                started = time.monotonic()
                client.classify(self._photo)
                self.latencies_ms.append((time.monotonic() - started) * 1000)

    def stop(self) -> dict[str, float]:
        """Ends and returns median and 95th percentile in milliseconds."""
        self._stopped.set()
        self.join()
        cuts = statistics.quantiles(self.latencies_ms, n=20)
        return {
            "calls": len(self.latencies_ms),
            "p50": round(cuts[9], 2),
            "p95": round(cuts[18], 2),
        }


def interactive(port: int, photo: Path, seconds: float) -> dict[str, float]:
    """The lone caller while nothing else happens."""
    caller = Caller(port, photo)
    caller.start()
    time.sleep(seconds)
    return caller.stop()


def scored(port: int, photos: Path, output: Path, count: int) -> dict[str, Any]:
    """One whole run: its rate and its memory."""
    journal = output.with_name(output.name + ".parts") / "_journal.jsonl"
    started = time.monotonic()
    process = start_scoring(photos, output, port)
    at_1000 = last = 0.0
    while process.poll() is None:
        time.sleep(0.05)
        try:
            last = resident_mib(process.pid) or last
            if not at_1000 and len(journal.read_bytes().splitlines()) > 1:
                at_1000 = last
        except (OSError, IndexError):  # not begun, or ended between the two lines
            continue
    seconds = time.monotonic() - started
    return {
        "exit_code": process.returncode,
        "images_per_second": round(count / seconds, 1),
        "memory_mib": {"at_1000": round(at_1000, 1), "at_end": round(last, 1)},
    }


def killed(
    models: Path,
    port: int,
    service: "subprocess.Popen[bytes]",
    photos: Path,
    output: Path,
    run_seconds: float,
) -> tuple[dict[str, Any], "subprocess.Popen[bytes]"]:
    """A run whose client and service are killed at random moments, resumed each time.

    Returns:
        What happened, and the service that lives.
    """
    chance = random.Random(1)  # noqa: S311 - no secret
    kills = ["client"] * _CLIENT_KILLS + ["service"] * _SERVICE_KILLS
    chance.shuffle(kills)
    process = start_scoring(photos, output, port, "--resume", "--rows-per-part", "256")
    done: list[str] = []
    for victim in kills:
        time.sleep(1.5 + chance.random() * run_seconds / len(kills))
        if process.poll() is not None:
            break
        done.append(victim)
        if victim == "client":
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            process = start_scoring(photos, output, port, "--resume", "--rows-per-part", "256")
        else:
            service.kill()
            service.wait()
            service = start_service(models, port)
    return {"exit_code": process.wait(), "kills": done}, service


def tell(**found: object) -> None:
    """Prints a finding as it comes."""
    print(json.dumps(found), flush=True)


def main() -> int:
    """Runs everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sources", type=Path, required=True, help="folder of photos, any depth")
    parser.add_argument("--models", type=Path, required=True, help="model repository")
    parser.add_argument("--work", type=Path, required=True, help="for photos and outputs")
    parser.add_argument("--count", type=int, default=20_000)
    options = parser.parse_args()
    folder = options.work / f"photos-{options.count}"
    sources = sorted(p for p in options.sources.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    make(sources, folder, options.count)
    photos = sorted(folder.iterdir())
    for old in options.work.glob("*.parquet*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    expected = direct_classes(options.models, folder)

    port = free_port()
    service = start_service(options.models, port)
    try:
        tell(count=options.count, cores=os.cpu_count(), load=os.getloadavg()[0])
        tell(interactive_idle_ms=interactive(port, photos[0], 20))
        before = best_capacity(port, photos)
        whole = options.work / "whole.parquet"
        run = scored(port, folder, whole, options.count)
        after = best_capacity(port, photos)
        tell(run=run, verdict=verdict(whole, expected))
        ratio = run["images_per_second"] / ((before + after) / 2)
        tell(capacity=[round(before, 1), round(after, 1)], ratio=round(ratio, 3))

        seconds = options.count / run["images_per_second"]
        output = options.work / "killed.parquet"
        result, service = killed(options.models, port, service, folder, output, seconds)
        tell(killed=result, verdict=verdict(output, expected))

        caller = Caller(port, photos[0])
        caller.start()
        scored(port, folder, options.work / "shared.parquet", options.count)
        tell(interactive_during_ms=caller.stop())
    finally:
        service.terminate()
        service.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
