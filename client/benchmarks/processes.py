"""The service and the command as processes of their own."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from senet_client import Client, Retries, Timeouts

ROOT = Path(__file__).parents[2]
SERVICE_PYTHON = ROOT / ".venv" / "bin" / "python"


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def start_service(models: Path, port: int) -> "subprocess.Popen[bytes]":
    """Starts the service; returns once it is ready."""
    words = [
        *(str(SERVICE_PYTHON), "-m", "app", "--port", str(port), "--log-level", "warning"),
        *("--model-repository", str(models.resolve()), "--precision", "int8"),
    ]
    process = subprocess.Popen(words, cwd=ROOT)  # noqa: S603 - the repository's own program
    retries = Retries(attempts=1000, longest_pause=1, unreachable=True)
    with Client(url(port), timeouts=Timeouts(total=120), retries=retries) as client:
        client.models()
    return process


def url(port: int) -> str:
    """Where a service started here is."""
    return f"http://127.0.0.1:{port}"


def start_scoring(photos: Path, output: Path, port: int, *more: str) -> "subprocess.Popen[bytes]":
    """Starts the command."""
    words = [
        *(sys.executable, "-m", "senet_client", "score", str(photos)),
        *("--output", str(output), "--url", url(port), "--quiet", *more),
    ]
    return subprocess.Popen(words)  # noqa: S603 - likewise


def resident_mib(process_id: int) -> float | None:
    """Memory of a process that is in RAM, in MiB (proc(5), statm); None if it has ended."""
    try:
        pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def committed_rows(output: Path) -> int:
    """Rows of an output file that are on disk, by the journal of the run that writes it."""
    journal = output.with_name(output.name + ".parts") / "_journal.jsonl"
    try:
        _, *commits = journal.read_bytes().splitlines()
        return sum(int(json.loads(line)["rows"]) for line in commits)
    except (OSError, ValueError):  # not begun, or removed, or a line is half written
        return 0


def mean_batch_ms(port: int) -> float:
    """The mean time of the service's batches since it started, from its metrics."""
    text = httpx.get(f"{url(port)}/metrics", trust_env=False).text
    sums = dict[str, float]()
    for line in text.splitlines():
        name, _, value = line.partition("{")
        if name in ("senet_inference_seconds_sum", "senet_inference_seconds_count"):
            sums[name] = float(value.rpartition(" ")[2])
    return 1000 * sums["senet_inference_seconds_sum"] / sums["senet_inference_seconds_count"]
