"""TLS certificates and their keys."""

import ssl
import subprocess
from pathlib import Path


class Pair:
    """The files that a service reads its certificate and key from, and pairs to put there."""

    def __init__(self, folder: Path, openssl: str) -> None:
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"
        self._folder = folder
        self._openssl = openssl

    @property
    def options(self) -> dict[str, Path]:
        return {"tls_certificate_file": self.certificate, "tls_key_file": self.key}

    def make(self, name: str, *, password: str | None = None) -> tuple[Path, Path]:
        """Makes a pair beside the files in use."""
        certificate, key = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 1"
        subprocess.run(
            [
                *(self._openssl, *request.split()),
                *("-subj", f"/CN={name}", "-out", str(certificate), "-keyout", str(key)),
                *(["-nodes"] if password is None else ["-passout", f"pass:{password}"]),
            ],
            check=True,
            capture_output=True,
        )
        return certificate, key

    def put(self, name: str, *, password: str | None = None) -> bytes:
        """Makes a pair and puts it where the service looks; returns the certificate's DER."""
        certificate, key = self.make(name, password=password)
        certificate.replace(self.certificate)
        key.replace(self.key)
        return self.der()

    def der(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.certificate.read_text())
