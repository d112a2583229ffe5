"""The closed loop: wrk, an external load generator, with as many clients as asked for."""

import re
import resource
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import ConfigurationError
from app.hardware import available_cores
from bench.bodies import Bodies

_SCRIPT = Path(__file__).with_name("post.lua")
_LINE = re.compile(
    r"^bench requests=(\d+) us=(\d+) refused=(\d+) broken=(\d+) p50_us=(\d+) p99_us=(\d+)$",
    re.MULTILINE,
)
_SAMPLE_SECONDS = 0.1
# Of one request; the slowest body holds 64 photos.
_TIMEOUT = "60s"
_CORES_A_THREAD = 8


@dataclass(frozen=True, slots=True)
class Run:
    """One stretch of closed-loop load.

    Attributes:
        requests: answered, whatever with.
        seconds: that it took.
        failed: answered with a status of 400 and above, or not at all.
        p50_ms: median latency of a request.
        p99_ms: its 99th percentile.
        busy: cores that wrk itself kept busy.
        memory_mib: of the server, at the highest.
    """

    requests: int
    seconds: float
    failed: int
    p50_ms: float
    p99_ms: float
    busy: float = 0.0
    memory_mib: float = 0.0

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return max(0, self.requests - self.failed) / self.seconds


def find() -> str:
    """The path of wrk.

    Raises:
        ConfigurationError: if it is not installed.
    """
    path = shutil.which("wrk")
    if path is None:
        raise ConfigurationError(
            "wrk", "the load generator is not installed", "apt-get install wrk (Debian, Ubuntu)"
        )
    return path


def run(
    url: str, bodies: Bodies, *, clients: int, seconds: float, memory_mib: Callable[[], float]
) -> Run:
    """Keeps `clients` waiting for answers all the time.

    Args:
        url: where to POST.
        bodies: what to send.
        clients: connections, each with one request under way.
        seconds: how long; wrk counts in whole ones.
        memory_mib: tells what the server holds, now and then.

    Raises:
        RuntimeError: if wrk fails, which says that the server is not there.
    """
    threads = min(clients, max(1, available_cores() // _CORES_A_THREAD))
    command = [
        find(), "--threads", str(threads), "--connections", str(clients),
        "--duration", f"{max(1, round(seconds))}s", "--timeout", _TIMEOUT,
        "--script", str(_SCRIPT), url, "--", bodies.content_type, *map(str, bodies.files),
    ]  # fmt: skip
    before = _children_seconds()
    memory = 0.0
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    while True:
        memory = max(memory, memory_mib())
        try:
            output, _ = process.communicate(timeout=_SAMPLE_SECONDS)
            break
        except subprocess.TimeoutExpired:
            continue
    return parse(output, _children_seconds() - before, memory)


def parse(output: str, processor_seconds: float = 0.0, memory_mib: float = 0.0) -> Run:
    """Reads what `post.lua` prints at the end.

    Raises:
        RuntimeError: if wrk did not come to its end.
    """
    found = _LINE.search(output)
    if found is None:
        raise RuntimeError(f"wrk: {' '.join(output.split()) or 'no output'}")
    requests, us, refused, broken, p50, p99 = map(int, found.groups())
    seconds = us / 1e6
    return Run(
        requests, seconds, refused + broken, p50 / 1000, p99 / 1000,
        processor_seconds / seconds, memory_mib,
    )  # fmt: skip


def together(runs: Sequence[Run]) -> tuple[float, float]:
    """The greatest share of a core that wrk took in these runs, and the highest memory."""
    return max(run.busy for run in runs), max(run.memory_mib for run in runs)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
