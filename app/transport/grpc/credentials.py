"""TLS with the certificate that is in use now."""

from typing import Any, cast

import grpc

from app.transport.tls import RenewedCertificate


def renewed_credentials(certificate: RenewedCertificate) -> grpc.ServerCredentials:
    """Credentials that are the certificate's as it is at each handshake.

    Args:
        certificate: which is renewed while the service runs.
    """
    used = certificate.pair

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal used
        if certificate.pair is used:
            return None  # which stands for the one before
        used = certificate.pair
        return grpc.ssl_server_certificate_configuration([used])

    # The library's types do not know that None stands for no change.
    first = grpc.ssl_server_certificate_configuration([used])
    return grpc.dynamic_ssl_server_credentials(
        first, cast("Any", fetch), require_client_authentication=False
    )
