import ssl
from datetime import UTC, datetime

import pytest
import trustme

from senet_client import Client, errors
from tests.fake_service import FakeService, listening, url_of


def test_an_untrusted_certificate_stops_at_once() -> None:
    authority = trustme.CA()
    assert _https_failure(authority.issue_cert("127.0.0.1"), trusted=None).startswith(
        "the service's certificate:"
    )


def test_an_expired_certificate_stops_at_once() -> None:
    authority = trustme.CA()
    expired = authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC))

    message = _https_failure(expired, trusted=authority)

    assert message == "the service's certificate: certificate has expired"


def _https_failure(certificate: trustme.LeafCert, trusted: trustme.CA | None) -> str:
    service = FakeService()
    client_side = ssl.create_default_context()
    if trusted is not None:
        trusted.configure_trust(client_side)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(server_side)
    with listening(service) as server:
        server.socket = server_side.wrap_socket(server.socket, server_side=True)
        url = url_of(server).replace("http:", "https:")
        with (
            Client(url, verify=client_side) as client,
            pytest.raises(errors.CertificateRejected) as raised,
        ):
            client.classify(b"x")
    assert raised.value.attempts == 1
    assert service.requests == []
    return raised.value.message
