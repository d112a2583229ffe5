"""Clients of other servers against this service, as their users write them.

Runs in an environment of its own, see requirements.txt beside this file; the service in `.venv`.
"""

import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tritonclient")
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from tritonclient.utils import InferenceServerException

ROOT = Path(__file__).parents[2]
PHOTO = (ROOT / "app/transport/http/demo/static/examples/church.jpg").read_bytes()
MODEL = "imagenette"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("service") / "log"
    command = [".venv/bin/python", "-m", "app", "--port", "0", "--precision", "fp32"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SENET_")}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, env=environment)
    try:
        give_up = time.monotonic() + 60
        while '"ready: ' not in (text := log.read_text()):
            assert process.poll() is None, text
            assert time.monotonic() < give_up, text
            time.sleep(0.05)
        [port] = re.findall(r"listening on 127\.0\.0\.1:(\d+)", text)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def answer(url: str) -> dict[str, Any]:
    """What `/classify` says, of all classes."""
    request = urllib.request.Request(
        f"http://{url}/classify?top_k=10&include=embedding,cam",
        data=PHOTO,
        headers={"content-type": "image/jpeg"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        [item] = json.load(response)["results"]
    found: dict[str, Any] = item
    return found


def encoded() -> triton.InferInput:
    tensor = triton.InferInput("image", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([PHOTO], dtype=object))
    return tensor


def assert_equal(result: triton.InferResult, answer: dict[str, Any]) -> None:
    scores = [best["score"] for best in answer["predictions"]]
    order = [best["class_index"] for best in answer["predictions"]]
    np.testing.assert_allclose(result.as_numpy("scores")[0][order], scores, atol=1e-6)
    embedding = np.array(answer["embedding"], np.float32)
    np.testing.assert_array_equal(result.as_numpy("embedding")[0], embedding)
    maps = np.array([best["cam"] for best in answer["predictions"]], np.float32)
    np.testing.assert_array_equal(result.as_numpy("cam")[0][order], maps)


def test_triton_over_http(url: str, answer: dict[str, Any]) -> None:
    with triton.InferenceServerClient(url) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(MODEL)
        assert client.is_model_ready(MODEL, "1")
        assert not client.is_model_ready("nobody")
        assert client.get_server_metadata()["name"] == "senet-serving"
        assert client.get_model_metadata(MODEL)["inputs"][1]["name"] == "image"
        assert client.get_model_config(MODEL)["max_batch_size"] >= 1
        assert client.get_model_repository_index()[0]["name"] == MODEL
        assert_equal(client.infer(MODEL, [encoded()]), answer)
        asked = [
            triton.InferRequestedOutput("scores", binary_data=binary, class_count=2)
            for binary in (True, False)
        ]
        for output in asked:
            [[best, _]] = client.infer(MODEL, [encoded()], outputs=[output]).as_numpy("scores")
            text = best.decode() if isinstance(best, bytes) else best
            assert text.endswith(":" + answer["predictions"][0]["label"])
        later = client.async_infer(MODEL, [encoded()])
        assert_equal(later.get_result(), answer)
        with pytest.raises(InferenceServerException, match="no output 'nothing'"):
            client.infer(MODEL, [encoded()], outputs=[triton.InferRequestedOutput("nothing")])
        with pytest.raises(InferenceServerException, match="not loaded"):
            client.infer("nobody", [encoded()])


@pytest.mark.parametrize("binary", [True, False])
def test_triton_with_pixels(url: str, *, binary: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 160, 160, 3), dtype=np.uint8)
    tensor = triton.InferInput("images", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels, binary_data=binary)
    with triton.InferenceServerClient(url) as client:
        assert client.infer(MODEL, [tensor]).as_numpy("logits").shape == (2, 10)


async def test_triton_with_asyncio(url: str, answer: dict[str, Any]) -> None:
    async with triton_aio.InferenceServerClient(url) as client:
        assert await client.is_model_ready(MODEL)
        assert_equal(await client.infer(MODEL, [encoded()]), answer)


def test_hugging_face_hub(url: str, answer: dict[str, Any]) -> None:
    client = InferenceClient(f"http://{url}")
    expected = [(best["label"], best["score"]) for best in answer["predictions"]]
    assert [(each.label, each.score) for each in client.image_classification(PHOTO)] == expected[:5]
    found = client.image_classification(PHOTO, top_k=2)
    assert [(each.label, each.score) for each in found] == expected[:2]
    with pytest.raises(HfHubHTTPError, match="function_to_apply"):
        client.image_classification(PHOTO, function_to_apply="sigmoid")
