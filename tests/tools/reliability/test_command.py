"""An interrupted command leaves nothing running."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.metrics import value
from tests.support.process import ROOT
from tests.support.waiting import BOUND_SECONDS, eventually

NEVER_ENDS = {
    "soak": ["--images", "1000000000"],
    "overload": ["--seconds", "100000"],
    "fuzz": ["--examples", "1000000000"],
}


def children(process_id: int) -> list[int]:
    found = Path(f"/proc/{process_id}/task/{process_id}/children").read_text()
    return [int(child) for child in found.split()]


def is_there(process_id: int) -> bool:
    return Path(f"/proc/{process_id}").exists()


def is_loaded(port: int) -> bool:
    """Whether the command has got its first answers."""
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            return value(client, "senet_requests_total", route="/classify", status="200") > 0
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("command", "number"),
    [*((command, signal.SIGTERM) for command in NEVER_ENDS), ("overload", signal.SIGINT)],
)
def test_an_interrupted_command_stops_the_service_that_it_started(
    command: str, number: signal.Signals, repository: Path, free_port: int
) -> None:
    options = ["--port", str(free_port), *NEVER_ENDS[command]]
    service = ["--", "--model-repository", str(repository), "--model", "colours"]
    process = subprocess.Popen(
        [sys.executable, "-m", f"tools.reliability.{command}", *options, *service],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: is_loaded(free_port))
        [started] = children(process.pid)
        process.send_signal(number)
        _, errors = process.communicate(timeout=BOUND_SECONDS)
    finally:
        # Killed, it would leave the service behind, and with it the pipe open.
        process.terminate()
        process.communicate(timeout=BOUND_SECONDS)
    assert not is_there(started)
    assert process.returncode == 128 + number
    assert "Traceback" not in errors


@pytest.mark.parametrize("command", NEVER_ENDS)
def test_a_port_that_is_taken_is_told_in_one_line(command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", f"tools.reliability.{command}", "--port", str(port)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"error: --port: 127.0.0.1:{port}: Address already in use; ")
