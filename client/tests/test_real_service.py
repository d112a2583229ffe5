"""The client before the service itself, which is started from the repository around this folder.

Skipped where there is no service to start. `SENET_MODEL_REPOSITORY` names another folder of models
than the repository's own.
"""

import os
import socket
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from senet_client import AsyncClient, Classification, Client, Retries, Timeouts, errors
from senet_client.score.job import Exit, JobOptions, run_job
from tests.score.conftest import read_rows

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv" / "bin" / "python"
MODELS = Path(os.environ.get("SENET_MODEL_REPOSITORY", ROOT / "models"))

pytestmark = pytest.mark.skipif(
    not PYTHON.exists() or not any(MODELS.glob("imagenette/*/manifest.json")),
    reason="no service beside the client",
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        *(str(PYTHON), "-m", "app", "--port", str(port)),
        *("--model-repository", str(MODELS), "--log-level", "warning"),
    ]
    with subprocess.Popen(words, cwd=ROOT) as service:  # noqa: S603 - the repository's own program
        found = f"http://127.0.0.1:{port}"
        with Client(found, timeouts=Timeouts(total=120), retries=Retries(attempts=1000)) as client:
            client.models()  # answers once the model is loaded
        yield found
        service.terminate()


def draw(number: int) -> bytes:
    image = Image.new("RGB", (200, 150), (number * 37 % 256, 90, 160))
    ImageDraw.Draw(image).ellipse((20, 20, 60 + number, 90), fill=(250, number * 11 % 256, 0))
    buffer = BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()


def test_one_image(url: str) -> None:
    with Client(url) as client:
        assert client.ready()
        (model,) = client.models()
        answer = client.classify(draw(1), top_k=3, include=["embedding", "cam"])

    assert answer.model.digest == model.digest
    assert len(answer.predictions) == 3
    assert answer.embedding is not None
    assert answer.embedding.dtype == np.float32
    cam = answer.predictions[0].cam
    assert cam is not None
    assert cam.ndim == 2


def test_a_pillow_image_gets_the_same_answer_as_its_file(url: str, tmp_path: Path) -> None:
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(BytesIO(draw(3))) as image:
        image.save(path, exif=exif)
    with Client(url) as client, Image.open(path) as image:
        assert client.classify(image).predictions == client.classify(path).predictions


async def test_many_images_equal_one_by_one(url: str) -> None:
    images = [draw(number) for number in range(20)]
    images[4] = b"\xff\xd8\xff but no JPEG"
    with Client(url, images_per_request=6) as client:
        together = list(client.classify_many(images))
        alone = [client.classify(image) for image in images if image != images[4]]
    async with AsyncClient(url, images_per_request=6) as client:
        asynchronous = [result async for result in client.classify_many(images)]

    for results in (together, asynchronous):
        assert isinstance(results.pop(4), errors.InvalidImage)
        for one, other in zip(results, alone, strict=True):
            assert isinstance(one, Classification)
            assert one.predictions[0].class_index == other.predictions[0].class_index
            assert one.predictions[0].score == pytest.approx(other.predictions[0].score, abs=1e-4)


def test_errors_of_the_service(url: str) -> None:
    with Client(url) as client:
        with pytest.raises(errors.UnsupportedImageFormat):
            client.classify(b"text")
        with pytest.raises(errors.ModelNotFound):
            client.classify(draw(0), model="another")
        with pytest.raises(errors.InvalidParameter):
            client.classify(draw(0), min_score=2)
        with pytest.raises(errors.TooManyImages):
            client.classify_batch([draw(0)] * 65)


def test_scoring(url: str, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(70):
        (photos / f"{number:03}.jpg").write_bytes(draw(number))
    (photos / "070.jpg").write_bytes(b"text")
    options = JobOptions(
        inputs=(str(photos),),
        output=str(tmp_path / "out.parquet"),
        url=url,
        rows_per_part=32,
        progress="none",
    )

    assert run_job(options, []) is Exit.PARTIAL

    rows = read_rows(tmp_path / "out.parquet")
    assert [row["path"] for row in rows] == [str(path) for path in sorted(photos.iterdir())]
    assert [row["error_code"] for row in rows] == [None] * 70 + ["unsupported_image_format"]
    with Client(url) as client:
        for row in rows[:70:10]:
            best = client.classify(row["path"]).predictions[0]
            assert (row["class_index_1"], row["label_1"]) == (best.class_index, best.label)
            assert row["score_1"] == pytest.approx(best.score, abs=1e-4)
