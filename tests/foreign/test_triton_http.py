"""Triton's client over HTTP against this service, as its users write it.

All tests of this folder run in an environment of its own, see requirements.txt beside this file;
the service in `.venv`.
"""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tritonclient")
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from tests.foreign.photo import MODEL, PHOTO, assert_equal

TENSORS = ("scores", "embedding", "cam")


def encoded() -> triton.InferInput:
    tensor = triton.InferInput("image", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([PHOTO], dtype=object))
    return tensor


def arrays(result: triton.InferResult) -> dict[str, Any]:
    return {name: result.as_numpy(name) for name in TENSORS}


def test_with_threads(url: str, answer: dict[str, Any]) -> None:
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
        assert_equal(arrays(client.infer(MODEL, [encoded()])), answer)
        asked = [
            triton.InferRequestedOutput("scores", binary_data=binary, class_count=2)
            for binary in (True, False)
        ]
        for output in asked:
            [[best, _]] = client.infer(MODEL, [encoded()], outputs=[output]).as_numpy("scores")
            text = best.decode() if isinstance(best, bytes) else best
            assert text.endswith(":" + answer["predictions"][0]["label"])
        later = client.async_infer(MODEL, [encoded()])
        assert_equal(arrays(later.get_result()), answer)
        with pytest.raises(InferenceServerException, match="no output 'nothing'"):
            client.infer(MODEL, [encoded()], outputs=[triton.InferRequestedOutput("nothing")])
        with pytest.raises(InferenceServerException, match="not loaded"):
            client.infer("nobody", [encoded()])
        # The service has no keys, and then nobody may.
        for change in (client.load_model, client.unload_model):
            with pytest.raises(InferenceServerException, match="API key with the scope admin"):
                change(MODEL)


@pytest.mark.parametrize("binary", [True, False])
def test_pixels(url: str, *, binary: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 160, 160, 3), dtype=np.uint8)
    tensor = triton.InferInput("images", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels, binary_data=binary)
    with triton.InferenceServerClient(url) as client:
        assert client.infer(MODEL, [tensor]).as_numpy("logits").shape == (2, 10)


async def test_with_asyncio(url: str, answer: dict[str, Any]) -> None:
    async with triton_aio.InferenceServerClient(url) as client:
        assert await client.is_model_ready(MODEL)
        assert_equal(arrays(await client.infer(MODEL, [encoded()])), answer)
