"""The certificate is renewed while the service runs; a broken pair changes nothing."""

import logging
import shutil
import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app.contract.errors import ConfigurationError
from app.settings import Settings
from app.transport.tls import RenewedCertificate
from tests.support.certificates import Pair
from tests.support.engines import FakeEngines
from tests.support.process import ServiceProcess
from tests.support.server import running
from tests.support.waiting import BOUND_SECONDS, eventually

# Whom it belongs to is not this test's business.
UNCHECKED = ssl.create_default_context()
UNCHECKED.check_hostname = False
UNCHECKED.verify_mode = ssl.CERT_NONE


@pytest.fixture
def pair(tmp_path: Path, tool: Callable[[str], str]) -> Pair:
    return Pair(tmp_path, tool("openssl"))


def presented(renewed: RenewedCertificate, server_name: str | None = None) -> bytes | None:
    """The certificate that a handshake in memory ends with, in DER."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = UNCHECKED.wrap_bio(to_client, to_server, server_hostname=server_name)
    server = renewed.context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client.getpeercert(binary_form=True)


def presented_at(port: int) -> bytes | None:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=BOUND_SECONDS) as plain,
        UNCHECKED.wrap_socket(plain) as connection,
    ):
        return connection.getpeercert(binary_form=True)


def renewed(pair: Pair) -> RenewedCertificate:
    return RenewedCertificate(pair.certificate, pair.key)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


@pytest.mark.parametrize("server_name", [None, "photos.example"])
def test_a_new_pair_is_presented_once_it_has_stopped_changing(
    pair: Pair, server_name: str | None
) -> None:
    first = pair.put("first")
    certificate = renewed(pair)
    assert presented(certificate, server_name) == first
    second = pair.put("second")
    certificate.look()
    assert presented(certificate, server_name) == first
    certificate.look()
    assert presented(certificate, server_name) == second
    assert first != second


def test_asked_for_it_is_presented_at_once(pair: Pair) -> None:
    pair.put("first")
    certificate = renewed(pair)
    second = pair.put("second")
    certificate.reload()
    assert presented(certificate) == second


def test_a_pair_behind_links_is_renewed_when_the_links_are(pair: Pair, tmp_path: Path) -> None:
    # As Kubernetes mounts a Secret: the files are links through a folder that is swapped.
    for name in ("first", "second"):
        (tmp_path / f"data-{name}").mkdir()
        made, key = pair.make(name)
        made.rename(tmp_path / f"data-{name}" / "certificate.pem")
        key.rename(tmp_path / f"data-{name}" / "key.pem")
    data = tmp_path / "data"
    data.symlink_to("data-first")
    pair.certificate.symlink_to("data/certificate.pem")
    pair.key.symlink_to("data/key.pem")
    certificate = renewed(pair)
    first = pair.der()
    data.unlink()
    data.symlink_to("data-second")
    certificate.reload()
    assert presented(certificate) == pair.der() != first


def cut(pair: Pair) -> None:
    pair.certificate.write_bytes(pair.certificate.read_bytes()[:100])


def mix(pair: Pair) -> None:
    shutil.copy(pair.make("other")[0], pair.certificate)


def encrypt(pair: Pair) -> None:
    pair.put("encrypted", password="secret")  # noqa: S106 - made up


def remove(pair: Pair) -> None:
    pair.key.unlink()


@pytest.mark.parametrize("damage", [cut, mix, encrypt, remove])
def test_a_broken_pair_leaves_the_one_before_in_use_and_is_told_once(
    pair: Pair, damage: Callable[[Pair], None], caplog: pytest.LogCaptureFixture
) -> None:
    first = pair.put("first")
    certificate = renewed(pair)
    damage(pair)
    for _ in range(4):
        certificate.look()
    assert presented(certificate) == first
    assert len(errors(caplog)) == 1
    assert errors(caplog)[0].startswith("TLS certificate not reread: ")
    certificate.reload()
    assert len(errors(caplog)) == 2, "whoever asks is told again"
    second = pair.put("second")
    certificate.look()
    certificate.look()
    assert presented(certificate) == second


def test_half_of_a_new_pair_is_waited_out(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    pair.put("first")
    certificate = renewed(pair)
    made, key = pair.make("second")
    made.replace(pair.certificate)
    certificate.look()
    key.replace(pair.key)
    certificate.look()
    certificate.look()
    assert presented(certificate) == pair.der()
    assert errors(caplog) == []


@pytest.mark.parametrize("damage", [cut, mix, encrypt])
def test_a_broken_pair_to_begin_with_is_a_configuration_error(
    pair: Pair, damage: Callable[[Pair], None]
) -> None:
    pair.put("first")
    damage(pair)
    with pytest.raises(ConfigurationError, match="not encrypted") as raised:
        renewed(pair)
    assert raised.value.option == "tls_certificate_file"
    assert "\n" not in str(raised.value)


def test_open_connections_outlive_the_change(
    pair: Pair, make_settings: Callable[..., Settings]
) -> None:
    pair.put("first")
    with (
        running(make_settings(**pair.options), FakeEngines()) as live,
        httpx.Client(base_url=f"https://127.0.0.1:{live.port}", verify=UNCHECKED) as client,
    ):
        stream = client.get("/livez").extensions["network_stream"]
        second = pair.put("second")
        assert live.certificate is not None
        live.certificate.reload()
        assert presented_at(live.port) == second
        assert client.get("/livez").extensions["network_stream"] is stream


@pytest.mark.parametrize("signalled", [True, False])
def test_a_running_process_takes_the_new_pair(
    pair: Pair, tmp_path: Path, repository: Path, signalled: bool
) -> None:
    pair.put("first")
    files = ("--tls-certificate-file", pair.certificate, "--tls-key-file", pair.key)
    model = ("--model-repository", repository, "--model", "colours")
    process = ServiceProcess(tmp_path, *model, *files)
    try:
        process.wait_until_ready()
        port = httpx.URL(process.url).port
        assert port is not None
        second = pair.put("second")
        if signalled:
            process.send_signal(signal.SIGHUP)
        eventually(lambda: presented_at(port) == second)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        assert process.errors == ""
    finally:
        process.kill()
