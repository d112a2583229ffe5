"""Over TLS a connection counts from its first moment, and its handshake is bounded."""

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError
from app.settings import Settings
from app.transport.listening import listen
from tests.support.engines import FakeEngines
from tests.support.http import RawConnection
from tests.support.server import LiveServer, running
from tests.support.waiting import BOUND_SECONDS, eventually

GET = b"GET %b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
CONNECTIONS = 4


@pytest.fixture
def pair(tmp_path: Path, tool: Callable[[str], str]) -> dict[str, Path]:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    request = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 1 -nodes -subj /CN=x"
    )
    subprocess.run(
        [tool("openssl"), *request.split(), "-out", certificate, "-keyout", key],
        check=True,
        capture_output=True,
    )
    return {"tls_certificate_file": certificate, "tls_key_file": key}


@pytest.fixture
def live(make_settings: Callable[..., Settings], pair: dict[str, Path]) -> Iterator[LiveServer]:
    settings = make_settings(max_connections=CONNECTIONS, operations_port=0, **pair)
    with running(settings, FakeEngines()) as server:
        yield server


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def ask(port: int, path: bytes = b"/livez") -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=BOUND_SECONDS) as plain,
        context.wrap_socket(plain) as connection,
    ):
        connection.sendall(GET % path)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def refused(live: LiveServer) -> float:
    lines = ask(live.port, b"/metrics").decode().splitlines()
    name = 'senet_refused_connections_total{reason="tls_handshake"} '
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def test_handshakes_that_do_not_begin_make_way(live: LiveServer, stack: ExitStack) -> None:
    silent = [stack.enter_context(RawConnection(live.port)) for _ in range(3 * CONNECTIONS)]
    assert ask(live.port, b"/models").startswith(b"HTTP/1.1 200 ")
    for connection in silent[: 2 * CONNECTIONS]:
        assert connection.is_closed_by_server()
    assert refused(live) >= 2 * CONNECTIONS


def test_handshakes_may_take_as_long_as_a_head(
    make_settings: Callable[..., Settings], pair: dict[str, Path]
) -> None:
    settings = make_settings(head_timeout_ms=100, **pair)
    with running(settings, FakeEngines()) as live:
        with RawConnection(live.port) as silent, RawConnection(live.port) as slow:
            slow.send(b"\x16\x03\x01")
            assert silent.is_closed_by_server()
            assert slow.is_closed_by_server()
        eventually(lambda: refused(live) == 2)


def test_what_is_no_tls_is_counted_and_harms_nobody(live: LiveServer) -> None:
    with RawConnection(live.port) as plain:
        plain.send(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        while not plain.is_closed_by_server():  # after an alert
            pass
    eventually(lambda: refused(live) == 1)


def test_the_operations_port_speaks_tls_as_well(live: LiveServer) -> None:
    assert ask(live.operations_port, b"/readyz").startswith(b"HTTP/1.1 200 ")
    assert ask(live.operations_port, b"/models").startswith(b"HTTP/1.1 404 ")


def test_a_handshake_that_goes_on_holds_no_drain(live: LiveServer) -> None:
    with RawConnection(live.port) as silent:
        assert ask(live.port).startswith(b"HTTP/1.1 200 ")
        live.begin_drain()
        live.join()
        assert silent.is_closed_by_server()


@pytest.mark.parametrize("option", ["port", "operations_port"])
def test_a_port_in_use_names_its_option(option: str) -> None:
    with listen("127.0.0.1", 0, option) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match="cannot listen") as caught:
            listen("127.0.0.1", port, option)
    assert caught.value.option == option
    assert f"SENET_{option.upper()}" in str(caught.value)
