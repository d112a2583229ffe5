"""The service itself, started from the repository's own environment."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "app" / "transport" / "http" / "demo" / "static" / "examples"
_PYTHON = ROOT / ".venv" / "bin" / "python"
_PATIENCE_SECONDS = 60


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def serving(*arguments: str, port: int | None = None, ready: bool = True) -> Iterator[str]:
    """Starts the service with the default model; gives its URL once it is ready."""
    port = port or free_port()
    options = ("--port", str(port), "--log-level", "warning", "--precision", "fp32")
    words = [str(_PYTHON), "-m", "app", *options, "--inference-threads", "1", *arguments]
    with subprocess.Popen(words, cwd=ROOT) as service:
        url = f"http://127.0.0.1:{port}/"
        try:
            if ready:
                transport = httpx.HTTPTransport(retries=200)  # pauses between the attempts grow
                with httpx.Client(transport=transport, timeout=_PATIENCE_SECONDS) as client:
                    while client.get(f"{url}readyz").status_code != httpx.codes.OK:
                        assert service.poll() is None, "the service ended"
            yield url
        finally:
            service.terminate()
