"""The closed loop: wrk, an external load generator, with as many clients as asked for."""

import re
import resource
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.contract.errors import ConfigurationError
from app.hardware import available_cores
from tools.loadtools.bodies import Bodies
from tools.loadtools.pace import pace

_SCRIPT = Path(__file__).with_name("post.lua")
_LINE = re.compile(
    r"^bench requests=(\d+) refused=(\d+) broken=(\d+) us=(\d+) p50_us=(\d+) p99_us=(\d+)$",
    re.MULTILINE,
)
# One line for each of wrk's threads.
_TIMES = re.compile(r"^answered_us=([\d,]*)$", re.MULTILINE)
_SAMPLE_SECONDS = 0.1
# Of one request; the slowest body holds 64 photos.
_TIMEOUT = "60s"
_CORES_A_THREAD = 8


@dataclass(frozen=True, slots=True)
class Run:
    """One stretch of closed-loop load.

    Attributes:
        requests: answered in all, whatever with.
        failed: answered with a status of 400 and above, or not at all.
        rate: answers a second, once the server was full (`pace`).
        p50_ms: median latency of a request.
        p99_ms: its 99th percentile.
        busy: cores that wrk itself kept busy.
        memory_mib: of the server, at the highest.
    """

    requests: int
    failed: int
    rate: float
    p50_ms: float
    p99_ms: float
    busy: float = 0.0
    memory_mib: float = 0.0


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
    url: str,
    bodies: Bodies,
    *,
    clients: int,
    seconds: int,
    ramp: int,
    memory_mib: Callable[[], float],
) -> Run:
    """Keeps `clients` waiting for answers all the time.

    Args:
        url: where to POST.
        bodies: what to send.
        clients: connections, each with one request under way.
        seconds: in which answers count; wrk knows whole ones only.
        ramp: seconds before them.
        memory_mib: tells what the server holds, now and then.

    Raises:
        RuntimeError: if wrk fails, which says that the server is not there.
    """
    threads = min(clients, max(1, available_cores() // _CORES_A_THREAD))
    command = [
        find(), "--threads", str(threads), "--connections", str(clients),
        "--duration", f"{ramp + seconds}s", "--timeout", _TIMEOUT, "--script", str(_SCRIPT),
        url, "--", str(ramp), str(seconds), bodies.content_type, *map(str, bodies.files),
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
    return parse(output, seconds, clients, _children_seconds() - before, memory)


def parse(
    output: str,
    seconds: float,
    clients: int,
    processor_seconds: float = 0.0,
    memory_mib: float = 0.0,
) -> Run:
    """Reads what `post.lua` prints at the end.

    Args:
        output: of wrk.
        seconds: in which answers counted.
        clients: that sent requests.
        processor_seconds: that wrk took.
        memory_mib: of the server.

    Raises:
        RuntimeError: if wrk did not come to its end.
    """
    found = _LINE.search(output)
    if found is None:
        raise RuntimeError(f"wrk: {' '.join(output.split()) or 'no output'}")
    requests, refused, broken, us, p50, p99 = map(int, found.groups())
    times = [int(at) / 1e6 for line in _TIMES.findall(output) for at in line.split(",") if at]
    return Run(
        requests=requests,
        failed=refused + broken,
        rate=pace(times, seconds, clients=clients),
        p50_ms=p50 / 1000,
        p99_ms=p99 / 1000,
        busy=1e6 * processor_seconds / us,
        memory_mib=memory_mib,
    )


def together(runs: Sequence[Run]) -> tuple[float, float]:
    """The greatest share of a core that wrk took in these runs, and the highest memory."""
    return max(run.busy for run in runs), max(run.memory_mib for run in runs)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
