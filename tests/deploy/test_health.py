"""The image's HEALTHCHECK says what the service's readiness is."""

import json
import os
import socket
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from tests.deploy.files import DEPLOY
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.http import top_classes
from tests.support.images import encode, photo
from tests.support.server import running

PICTURE = encode(photo(COLOURS[1]))


@pytest.fixture
def settings(repository: Path) -> Settings:
    return Settings(model_repository=repository, model="colours")


def probe(port: int, **variables: str) -> int:
    """Runs the HEALTHCHECK against a port; gives its exit code."""
    ended = subprocess.run(
        [sys.executable, DEPLOY / "healthcheck.py"],
        env=os.environ | {"SENET_PORT": str(port)} | variables,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.stderr == ""
    return ended.returncode


def test_it_fails_until_the_service_is_ready_and_when_it_is_gone(settings: Settings) -> None:
    engines = FakeEngines()
    engines.gate.close()
    with running(settings, engines, ready=False) as live:
        assert probe(live.port) == 1
        engines.gate.open()
        live.wait_until_ready()
        assert probe(live.port) == 0
        port = live.port
    assert probe(port) == 1


def test_a_service_link_in_place_of_the_port_is_no_error_of_its_own() -> None:
    # It asks at the default port; whether anything answers there is not this test's business.
    assert probe(0, SENET_PORT="tcp://10.0.0.1:8000") in (0, 1)


def test_with_tls_it_asks_over_tls(settings: Settings, certificate: dict[str, Path]) -> None:
    secure = settings.model_copy(update=certificate)
    context = ssl.create_default_context(cafile=certificate["tls_certificate_file"])
    with (
        running(secure, FakeEngines()) as live,
        httpx.Client(verify=context, trust_env=False) as client,
    ):
        answer = client.post(
            f"https://127.0.0.1:{live.port}/classify",
            content=PICTURE,
            headers={"host": "photos.example", "content-type": "image/png"},
            extensions={"sni_hostname": "photos.example"},
        )
        assert top_classes(answer) == [1]
        names = {f"SENET_{name.upper()}": str(path) for name, path in certificate.items()}
        assert probe(live.port, **names) == 0
        assert probe(live.port) == 1


def test_it_needs_no_key_where_the_rest_does(settings: Settings, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key = {"name": "one", "sha256": "0" * 64, "scopes": ["classify"]}
    keys.write_text(json.dumps({"keys": [key]}))
    closed = settings.model_copy(update={"api_keys_file": keys, "open_operations": False})
    with running(closed, FakeEngines()) as live, live.client() as client:
        assert client.get("/metrics").status_code == 401
        assert probe(live.port) == 0


def test_on_a_unix_socket_it_asks_there(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("s") / "senet.sock"
    assert probe(0, SENET_UDS=str(path)) == 1
    answer = b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n"
    for status, code in ((b"200 OK", 0), (b"503 Service Unavailable", 1)):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            with ThreadPoolExecutor(1) as threads:
                asked = threads.submit(probe, 0, SENET_UDS=str(path))
                connection, _ = listener.accept()
                with connection:
                    assert connection.recv(4096).startswith(b"GET /readyz ")
                    connection.sendall(answer % status)
                assert asked.result() == code
        path.unlink()
