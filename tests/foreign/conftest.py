import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.foreign.photo import PHOTO, ROOT


class Service(NamedTuple):
    """Where a service answers: host and port."""

    http: str
    grpc: str


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Service]:
    """A service that is ready."""
    file = folder / "log"
    command = [".venv/bin/python", "-m", "app", "--port", "0", "--grpc-port", "0"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SENET_")}
    with file.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--precision", "fp32", *options], cwd=ROOT, stdout=output, env=environment
        )
    try:
        give_up = time.monotonic() + 60
        while '"ready: ' not in (text := file.read_text()):
            assert process.poll() is None, text
            assert time.monotonic() < give_up, text
            time.sleep(0.05)
        [http] = re.findall(r"listening on (127\.0\.0\.1:\d+)", text)
        [grpc] = re.findall(r"gRPC on (127\.0\.0\.1:\d+)", text)
        yield Service(http, grpc)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture(scope="session")
def url(service: Service) -> str:
    """Where it speaks HTTP."""
    return service.http


@pytest.fixture(scope="session")
def grpc_url(service: Service) -> str:
    """Where it speaks gRPC."""
    return service.grpc


@pytest.fixture(scope="session")
def answer(url: str) -> dict[str, Any]:
    """What `/classify` says, of all classes."""
    request = urllib.request.Request(
        f"http://{url}/classify?top_k=10&include=embedding,cam",
        data=PHOTO,
        headers={"content-type": "image/jpeg"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        [item] = json.load(response)["results"]
    found: dict[str, Any] = item
    return found
