"""The service under test, as its users start it: a process of its own."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

from tools.reliability.client import Connection

_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_PAUSE_SECONDS = 0.1
_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20


class ServiceProcess:
    """`python -m app` on a port of 127.0.0.1, for the length of a `with` block.

    Args:
        port: where it listens.
        options: of its command line.
        cores: that it may use; None for all.
    """

    def __init__(
        self, port: int, options: Sequence[str], cores: Collection[int] | None = None
    ) -> None:
        self.port = port
        self._cores = cores
        command = [sys.executable, "-m", "app", "--port", str(port), "--log-level", "error"]
        self._command = [*command, *options]
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        # Else whoever listens there already would be measured.
        socket.create_server(("127.0.0.1", self.port)).close()
        self._process = subprocess.Popen(self._command)  # noqa: S603 - our own command
        if self._cores is not None:
            os.sched_setaffinity(self._process.pid, self._cores)  # before it has any threads
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        finally:
            # Too slow, or this wait was interrupted as well. One that has ended is let alone.
            self._process.kill()
            self._process.wait()

    @property
    def exit_code(self) -> int | None:
        """Its exit code once it has ended."""
        return self._process.poll()

    async def wait_until_ready(self) -> None:
        """Returns once it is ready.

        Raises:
            RuntimeError: if it ends, or is not ready for two minutes.
        """
        async with asyncio.timeout(_START_SECONDS):
            while not await is_ready(self.port):
                if self._process.poll() is not None:
                    raise RuntimeError("the service has ended; its reason stands above")
                await asyncio.sleep(_PAUSE_SECONDS)

    @property
    def resident_mib(self) -> float:
        """Memory that it holds now."""
        statm = Path(f"/proc/{self._process.pid}/statm").read_text()
        return int(statm.split()[1]) * _PAGE_MIB

    @property
    def threads(self) -> int:
        """Threads that it has now."""
        return len(list(Path(f"/proc/{self._process.pid}/task").iterdir()))

    @property
    def open_files(self) -> int:
        """File descriptors that it has open now."""
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))


async def is_ready(port: int) -> bool:
    """Whether a service on that port says that it is ready."""
    connection = Connection(port)
    try:
        return (await connection.request("/readyz", method="GET")).status == 200
    except OSError:
        return False
    finally:
        connection.close()


async def metrics(port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of the service's `/metrics`, by name and labels."""
    connection = Connection(port)
    text = (await connection.request("/metrics", method="GET")).body.decode()
    connection.close()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
