"""The image's HEALTHCHECK: exit code 0 while the service in this container is ready."""

import os
import ssl
import sys
import urllib.request

_TIMEOUT_SECONDS = 4


def main() -> int:
    """Asks `/readyz`; the exit code is 0 if ready, 1 if not."""
    # Kubernetes puts tcp://... into the second for a Service called senet.
    ports = (os.environ.get("SENET_OPERATIONS_PORT", ""), os.environ.get("SENET_PORT", ""))
    port = next((port for port in ports if port.isdecimal()), "8000")
    scheme = "https" if os.environ.get("SENET_TLS_CERTIFICATE_FILE") else "http"
    # The certificate is for the service's public name, and this is the same container.
    tls = ssl._create_unverified_context() if scheme == "https" else None  # noqa: S323
    try:
        urllib.request.urlopen(  # noqa: S310 - one of two fixed schemes
            f"{scheme}://127.0.0.1:{port}/readyz", timeout=_TIMEOUT_SECONDS, context=tls
        )
    except OSError:  # an answer that is no success, too
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
