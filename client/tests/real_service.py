"""The service itself, started from the repository around this folder.

`SENET_MODEL_REPOSITORY` names another folder of models than the repository's own.
"""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from senet_client import Client, Retries, Timeouts

_ROOT = Path(__file__).parents[2]
_PYTHON = _ROOT / ".venv" / "bin" / "python"
_MODELS = Path(os.environ.get("SENET_MODEL_REPOSITORY", _ROOT / "models"))

_PATIENT = Retries(attempts=1000, unreachable=True)

needs_service = pytest.mark.skipif(
    not _PYTHON.exists() or not any(_MODELS.glob("imagenette/*/manifest.json")),
    reason="no service beside the client",
)


@contextmanager
def serving() -> Iterator[str]:
    """Starts the service; gives its URL once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        *(str(_PYTHON), "-m", "app", "--port", str(port)),
        *("--model-repository", str(_MODELS), "--log-level", "warning"),
    ]
    with subprocess.Popen(words, cwd=_ROOT) as service:  # noqa: S603 - the repository's own program
        url = f"http://127.0.0.1:{port}"
        with Client(url, timeouts=Timeouts(total=120), retries=_PATIENT) as client:
            client.models()  # answers once the model is loaded
        try:
            yield url
        finally:
            service.terminate()


def draw(number: int) -> bytes:
    """A JPEG picture that differs from number to number."""
    image = Image.new("RGB", (200, 150), (number * 37 % 256, 90, 160))
    ImageDraw.Draw(image).ellipse((20, 20, 60 + number, 90), fill=(250, number * 11 % 256, 0))
    buffer = BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()
