"""Measures the memory of `senet-client score` over many images; prints a Markdown table.

    python -m benchmarks.score_memory --sources PHOTOS --work DIR [--count 20000]

The photos are listed again and again in a manifest, and sent to `benchmarks.null_service`, so that
a long run is quick and the client does all it does with a real service.
"""

import argparse
import csv
import itertools
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.processes import (
    committed_rows,
    free_port,
    resident_mib,
    start_scoring,
    url,
)
from senet_client import Client, Retries, Timeouts

_MOMENTS = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
_PAUSE_SECONDS = 0.01


def manifest(photos: list[Path], path: Path, count: int) -> None:
    """Writes a manifest of so many lines."""
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["path"])
        lines.writerows([str(photo.resolve())] for photo in
                        itertools.islice(itertools.cycle(photos), count))  # fmt: skip


def measured(inputs: Path, output: Path, port: int, count: int) -> list[tuple[int, float]]:
    """One run: resident MiB when so many rows were on disk, and the highest from then on."""
    process = start_scoring(inputs, output, port)
    moments = [round(share * count) for share in _MOMENTS]
    found: list[tuple[int, float]] = []
    peak = 0.0
    while process.poll() is None:
        memory, rows = resident_mib(process.pid), committed_rows(output)
        if memory is None:
            break
        if moments and rows >= moments[0]:
            found.append((rows, memory))
            moments.pop(0)
        elif not moments:
            peak = max(peak, memory)
        time.sleep(_PAUSE_SECONDS)
    if process.wait() != 0:
        raise RuntimeError(f"the run ended with {process.returncode}")
    return [*found, (count, peak)]


def main() -> int:
    """Runs it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sources", type=Path, required=True, help="folder of photos, any depth")
    parser.add_argument("--work", type=Path, required=True, help="for manifest and output")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--format", choices=["parquet", "csv", "jsonl"], default="parquet")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    photos = sorted(p for p in options.sources.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    inputs, output = options.work / "inputs.csv", options.work / f"memory.{options.format}"
    manifest(photos, inputs, options.count)
    output.unlink(missing_ok=True)
    port = free_port()
    words = [sys.executable, "-m", "benchmarks.null_service", str(port)]
    with subprocess.Popen(words) as service:  # noqa: S603 - our own command
        try:
            retries = Retries(attempts=1000, longest_pause=1, unreachable=True)
            with Client(url(port), timeouts=Timeouts(total=30), retries=retries) as client:
                client.models()
            found = measured(inputs, output, port, options.count)
        finally:
            service.terminate()
    print("| rows on disk | resident MiB |\n| --- | --- |")
    for rows, memory in found[:-1]:
        print(f"| {rows} | {memory:.1f} |")
    print(f"| all, highest while merged to one file | {found[-1][1]:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
