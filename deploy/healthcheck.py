"""The image's HEALTHCHECK: exit code 0 while the service in this container is ready."""

import http.client
import os
import socket
import ssl
import sys
import urllib.request

_TIMEOUT_SECONDS = 4


def main() -> int:
    """Asks `/readyz`; the exit code is 0 if ready, 1 if not."""
    # Kubernetes puts tcp://... into SENET_PORT for a Service called senet.
    port = os.environ.get("SENET_OPERATIONS_PORT", "")
    if not port.isdecimal():
        if path := os.environ.get("SENET_UDS"):
            return _ask_unix_socket(path)
        port = os.environ.get("SENET_PORT", "")
    if not port.isdecimal():
        port = "8000"
    scheme = "https" if os.environ.get("SENET_TLS_CERTIFICATE_FILE") else "http"
    # The certificate is for the service's public name, and this is the same container.
    tls = ssl._create_unverified_context() if scheme == "https" else None  # noqa: S323
    try:
        urllib.request.urlopen(  # noqa: S310 - one of two fixed schemes
            f"{scheme}://127.0.0.1:{port}/readyz", timeout=_TIMEOUT_SECONDS, context=tls
        )
    except OSError:  # an answer that is not a success, too
        return 1
    return 0


def _ask_unix_socket(path: str) -> int:
    connection = http.client.HTTPConnection("localhost", timeout=_TIMEOUT_SECONDS)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection.sock:
            connection.sock.settimeout(_TIMEOUT_SECONDS)
            connection.sock.connect(path)
            connection.request("GET", "/readyz")
            return 0 if connection.getresponse().status == http.HTTPStatus.OK else 1
    except (OSError, http.client.HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main())
