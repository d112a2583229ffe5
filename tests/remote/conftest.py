"""These tests need the stores' packages, which have an environment of their own: test-remote."""

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.support.process import ServiceProcess, run_to_its_end

# Without them nothing is collected here, so that this folder alone ends with "no tests ran", which
# pytest counts as a failure.
collect_ignore_glob = [] if find_spec("s3fs") else ["test_*.py"]

Start = Callable[..., ServiceProcess]


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the developer's own reaches the tests."""
    for name in list(os.environ):
        if name.startswith(("SENET_", "AWS_", "GOOGLE_", "AZURE_")) or name.endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache-home"))
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts services; each has the folder that is named first for what it writes."""
    services: list[ServiceProcess] = []

    def start(name: str, *arguments: str | Path) -> ServiceProcess:
        folder = tmp_path / name
        folder.mkdir()
        services.append(ServiceProcess(folder, "--inference-threads", "1", *arguments))
        return services[-1]

    yield start
    for service in services:
        service.kill()


@pytest.fixture(scope="session")
def moto() -> Iterator[Any]:
    """A server that speaks S3."""
    # Imported by name because it is absent from the other environments.
    server = import_module("moto.server").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    yield server
    server.stop()


def run(*arguments: str | Path) -> tuple[int, str]:
    """A command's exit code, and its output and errors."""
    ended = run_to_its_end(*arguments)
    return ended.returncode, ended.stdout + ended.stderr
