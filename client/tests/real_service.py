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

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv" / "bin" / "python"
MODELS = Path(os.environ.get("SENET_MODEL_REPOSITORY", ROOT / "models"))

_PATIENT = Retries(attempts=1000, unreachable=True)

needs_service = pytest.mark.skipif(
    not PYTHON.exists() or not any(MODELS.glob("imagenette/*/manifest.json")),
    reason="no service beside the client",
)


@contextmanager
def serving(*arguments: str) -> Iterator[str]:
    """Starts the service, with further arguments; gives its URL once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        *(str(PYTHON), "-m", "app", "--port", str(port)),
        *("--model-repository", str(MODELS), "--log-level", "warning"),
        *arguments,
    ]
    with subprocess.Popen(words, cwd=ROOT) as service:  # noqa: S603 - the repository's own program
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
