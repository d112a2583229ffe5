"""Measures `senet-client score` before the real service; prints a Markdown table.

    python -m benchmarks.score_run prepare --sources PHOTOS --work DIR
    python -m benchmarks.score_run throughput --work DIR
    python -m benchmarks.score_run kills --work DIR
    python -m benchmarks.score_run interactive --work DIR

`prepare` makes the photos by re-encoding and notes the class that preprocessing and engine alone
give each. The others start the service from the repository's `.venv`, and:

- `throughput`: the rate of a whole run, start and finish of the process included, beside that of a
  bare loop before and after it;
- `kills`: a run whose client is killed five times and whose service twice, resumed each time;
- `interactive`: the latency of a lone caller, alone and while a run is under way.

Each compares the rows with the inputs and their classes. Options: --count, --models.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.callers import Caller, capacity
from benchmarks.photos import make
from benchmarks.processes import (
    ROOT,
    free_port,
    mean_batch_ms,
    start_scoring,
    start_service,
)
from benchmarks.rows import direct_classes, verdict

_CLIENT_KILLS, _SERVICE_KILLS = 5, 2
_CAPACITY_SECONDS = 5.0
_IDLE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Bench:
    """What the measurements share.

    Attributes:
        work: folder for photos and outputs.
        models: the service's model repository.
        count: how many photos.
    """

    work: Path
    models: Path
    count: int

    @property
    def folder(self) -> Path:
        """Where the photos are."""
        return self.work / f"photos-{self.count}"

    @property
    def classes(self) -> Path:
        """The file of their classes."""
        return self.work / f"classes-{self.count}.json"

    @property
    def photos(self) -> list[Path]:
        """The photos in their order."""
        return sorted(self.folder.iterdir())

    def output(self, name: str) -> Path:
        """An output's path, with nothing left of an earlier run."""
        path = self.work / f"{name}.parquet"
        path.unlink(missing_ok=True)
        shutil.rmtree(self.work / f"{name}.parquet.parts", ignore_errors=True)
        return path

    def verdict(self, output: Path) -> str:
        """How the rows compare, in words."""
        found = verdict(output, json.loads(self.classes.read_text()))
        return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in found.items())


def prepare(bench: Bench, sources: Path) -> None:
    """Makes photos and classes."""
    found = sorted(p for p in sources.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    if not found:
        raise SystemExit(f"{sources} holds no JPEG photo")
    make(found, bench.folder, bench.count)
    bench.classes.write_text(json.dumps(direct_classes(bench.models, bench.folder)))


def throughput(bench: Bench) -> None:
    """The rate of a run beside the bare loop's."""
    port, output = free_port(), bench.output("throughput")
    with start_service(bench.models, port) as service:
        try:
            before = capacity(port, bench.photos, _CAPACITY_SECONDS)
            started = time.monotonic()
            code = start_scoring(bench.folder, output, port).wait()
            rate = bench.count / (time.monotonic() - started)
            after = capacity(port, bench.photos, _CAPACITY_SECONDS)
        finally:
            service.terminate()
    ratio = rate / ((before + after) / 2)
    print("| bare loop before | scored | bare loop after | ratio | exit code | rows |")
    print("|" + " --- |" * 6)
    print(
        f"| {before:.0f} images/s | {rate:.0f} images/s | {after:.0f} images/s | {ratio:.3f} |"
        f" {code} | {bench.verdict(output)} |"
    )


def kills(bench: Bench) -> None:
    """A run in which client and service are killed at random moments."""
    port, output = free_port(), bench.output("kills")
    chance = random.Random(1)  # noqa: S311 - no secret
    victims = ["client"] * _CLIENT_KILLS + ["service"] * _SERVICE_KILLS
    chance.shuffle(victims)
    service = start_service(bench.models, port)
    try:
        seconds = bench.count / capacity(port, bench.photos, _CAPACITY_SECONDS)
        started = time.monotonic()
        scoring = _resumed(bench, output, port)
        done: list[str] = []
        for victim in victims:
            time.sleep(1.5 + chance.random() * seconds / len(victims))
            if scoring.poll() is not None:
                break
            done.append(f"{victim} after {time.monotonic() - started:.1f} s")
            if victim == "client":
                os.kill(scoring.pid, signal.SIGKILL)
                scoring.wait()
                scoring = _resumed(bench, output, port)
            else:
                service.kill()
                service.wait()
                service = start_service(bench.models, port)
        code = scoring.wait()
    finally:
        service.terminate()
        service.wait()
    print("| killed | seconds | exit code | rows |\n| --- | --- | --- | --- |")
    print(
        f"| {', '.join(done)} | {time.monotonic() - started:.0f} | {code} |"
        f" {bench.verdict(output)} |"
    )


def _resumed(bench: Bench, output: Path, port: int) -> "subprocess.Popen[bytes]":
    return start_scoring(bench.folder, output, port, "--resume", "--rows-per-part", "256")


def interactive(bench: Bench) -> None:
    """A lone caller's latency, alone and beside a run."""
    port, output = free_port(), bench.output("interactive")
    with start_service(bench.models, port) as service:
        try:
            idle = Caller(port, bench.photos[0])
            idle.start()
            time.sleep(_IDLE_SECONDS)
            rows = [("alone", *idle.stop(), mean_batch_ms(port))]
            beside = Caller(port, bench.photos[0])
            beside.start()
            code = start_scoring(bench.folder, output, port).wait()
            rows.append(("beside a run", *beside.stop(), mean_batch_ms(port)))
        finally:
            service.terminate()
    print("| interactive | calls | p50 ms | p95 ms | a batch's mean ms so far |")
    print("|" + " --- |" * 5)
    for name, calls, p50, p95, batch in rows:
        print(f"| {name} | {calls} | {p50:.1f} | {p95:.1f} | {batch:.1f} |")
    print(f"\nexit code {code}; {bench.verdict(output)}")


def main() -> int:
    """Runs one of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["prepare", "throughput", "kills", "interactive"])
    parser.add_argument("--work", type=Path, required=True, help="for photos and outputs")
    parser.add_argument("--sources", type=Path, help="of prepare: folder of photos, any depth")
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="model repository")
    parser.add_argument("--count", type=int, default=20_000)
    options = parser.parse_args()
    bench = Bench(options.work, options.models, options.count)
    if options.what == "prepare":
        if options.sources is None:
            parser.error("prepare needs --sources")
        prepare(bench, options.sources)
        return 0
    if not bench.classes.is_file():
        parser.error(f"{bench.classes} is missing: run prepare with the same --work and --count")
    print(f"{bench.count} images, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    {"throughput": throughput, "kills": kills, "interactive": interactive}[options.what](bench)
    return 0


if __name__ == "__main__":
    sys.exit(main())
