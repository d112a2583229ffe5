"""The service as its users start it: `python -m app`."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import httpx

from tests.support.waiting import BOUND_SECONDS, eventually

ROOT = Path(__file__).parents[2]


def run_to_its_end(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a service that is expected to stop by itself."""
    return subprocess.run(
        [sys.executable, "-m", "app", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BOUND_SECONDS,
        check=False,
    )


class ServiceProcess:
    """A running service on a port that the system chose.

    Args:
        folder: gets what the service writes.
        arguments: further command line.
        environment: variables beside the test's own.
        wrapper: a command line that runs the one after it.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str | Path,
        environment: Mapping[str, str] = MappingProxyType({}),
        wrapper: Sequence[str] = (),
    ) -> None:
        self._output = folder / "stdout"
        self._errors = folder / "stderr"
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [*wrapper, sys.executable, "-m", "app", "--port", "0", *map(str, arguments)],
                cwd=ROOT,
                env=os.environ | environment,
                stdout=output,
                stderr=errors,
            )
        self._port: int | None = None

    @property
    def log(self) -> list[dict[str, object]]:
        """The log entries so far."""
        lines = self._output.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    @property
    def errors(self) -> str:
        """What stands on standard error so far."""
        return self._errors.read_text()

    @property
    def url(self) -> str:
        """Where it listens; known once it has logged that."""
        if self._port is None:
            eventually(lambda: self._process.poll() is not None or self._listening() is not None)
            message = self._listening()
            assert message is not None, self.errors
            self._port = int(message.rpartition(":")[2])
        return f"http://127.0.0.1:{self._port}"

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=BOUND_SECONDS, trust_env=False)

    def wait_until_ready(self) -> None:
        eventually(lambda: any(str(entry["message"]).startswith("ready") for entry in self.log))

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def hears_sigterm(self) -> bool:
        """Whether it has a handler for SIGTERM; before that the signal's default would end it."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        [caught] = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)

    def resident_bytes(self) -> int:
        """The memory that it takes."""
        return self._status("VmRSS") * 1024

    def threads(self) -> int:
        """How many it has."""
        return self._status("Threads")

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        [line] = [line for line in text.splitlines() if line.startswith(f"{name}:")]
        return int(line.split()[1])

    def wait(self) -> int:
        """The exit code, once it has ended."""
        return self._process.wait(BOUND_SECONDS)

    def kill(self) -> None:
        """Makes sure that it has ended."""
        self._process.kill()
        self._process.wait()

    def _listening(self) -> str | None:
        messages = [str(entry["message"]) for entry in self.log]
        return next((text for text in messages if text.startswith("listening on ")), None)
