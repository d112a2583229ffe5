"""A server under measurement: a process of its own, with whatever processes it starts."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from app.contract.errors import ConfigurationError
from tools.reliability.service import is_ready

_START_SECONDS = 180.0
_STOP_SECONDS = 30.0
_PAUSE_SECONDS = 0.01
_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
_TICKS = os.sysconf("SC_CLK_TCK")
_ERRORS_KEPT = 400


class Server:
    """Runs for the length of a `with` block; ready, or refused with its own words, inside it.

    Args:
        command: starts it; `{port}` stands for its port.
        path: where it takes one image as the raw body.
        form_path: where it takes images as multipart/form-data.
        environment: further variables.
        cores: those it may run on; all by default.

    Attributes:
        ready_seconds: from its start until it said that it is ready.
        port: of 127.0.0.1.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        path: str = "/classify",
        form_path: str = "/classify",
        environment: Mapping[str, str] | None = None,
        cores: Collection[int] = (),
    ) -> None:
        self.path = path
        self.form_path = form_path
        self.port = free_port()
        self.ready_seconds = 0.0
        self._command = [part.replace("{port}", str(self.port)) for part in command]
        if cores:
            self._command = [*pinned(cores), *self._command]
        self._environment = os.environ | (environment or {})
        self._errors: IO[str]
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile("w+")
        started = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            self._command, env=self._environment, stdout=subprocess.DEVNULL, stderr=self._errors
        )
        try:
            asyncio.run(self._wait())
        except BaseException:
            self.__exit__()
            raise
        self.ready_seconds = time.monotonic() - started
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    @property
    def url(self) -> str:
        """Where it takes one image as the raw body."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def form_url(self) -> str:
        """Where it takes images as multipart/form-data."""
        return f"http://127.0.0.1:{self.port}{self.form_path}"

    @property
    def resident_mib(self) -> float:
        """Memory that its processes hold now; pages that they share count for each."""
        return resident_mib(self._process.pid)

    @property
    def processor_seconds(self) -> float:
        """Processor time that its processes have used."""
        tree = _tree(self._process.pid)
        return sum(_processor_seconds(Path(f"/proc/{pid}/stat")) for pid in tree)

    @property
    def event_loop_seconds(self) -> float:
        """Processor time of its first process's main thread, on which an event loop runs."""
        pid = self._process.pid
        return _processor_seconds(Path(f"/proc/{pid}/task/{pid}/stat"))

    async def _wait(self) -> None:
        give_up = time.monotonic() + _START_SECONDS
        while not await is_ready(self.port):
            if self._process.poll() is not None or time.monotonic() > give_up:
                self._errors.seek(0)
                errors = " ".join(self._errors.read().split())[-_ERRORS_KEPT:]
                raise RuntimeError(f"{' '.join(self._command)} did not get ready: {errors}")
            await asyncio.sleep(_PAUSE_SECONDS)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def pinned(cores: Collection[int]) -> list[str]:
    """What to write before a command to keep it on these cores.

    Raises:
        ConfigurationError: if `taskset` is not installed.
    """
    if shutil.which("taskset") is None:
        raise ConfigurationError(
            "taskset", "not installed, and cores are to be chosen", "apt-get install util-linux"
        )
    return ["taskset", "--cpu-list", ",".join(map(str, sorted(cores)))]


def resident_mib(pid: int) -> float:
    """Memory of a process and all that it has started; pages that they share count for each."""
    return sum(_resident_mib(found) for found in _tree(pid))


def _tree(pid: int) -> list[int]:
    """A process and all that it has started, those that have ended left out."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(found for child in children for found in _tree(int(child)))]


def _resident_mib(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_MIB
    except OSError:
        return 0.0


def _processor_seconds(stat: Path) -> float:
    try:
        # The command's name comes second, in brackets, and may hold spaces.
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS
