import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.tools import tool

__all__ = ["tool"]


@pytest.fixture
def certificate(tmp_path: Path, tool: Callable[[str], str]) -> dict[str, Path]:
    """A certificate for another name than the one that the container calls itself by."""
    files = {
        "tls_certificate_file": tmp_path / "certificate.pem",
        "tls_key_file": tmp_path / "key.pem",
    }
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    names = ["-subj", "/CN=photos.example", "-addext", "subjectAltName=DNS:photos.example"]
    out = ["-out", str(files["tls_certificate_file"]), "-keyout", str(files["tls_key_file"])]
    subprocess.run(
        [tool("openssl"), *command.split(), *names, *out], check=True, capture_output=True
    )
    return files
