"""Triton's client over gRPC."""

import queue
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tritonclient")
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.utils import InferenceServerException

from tests.foreign.photo import MODEL, PHOTO, assert_equal

TENSORS = ("scores", "embedding", "cam")


def encoded() -> triton.InferInput:
    tensor = triton.InferInput("image", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([PHOTO], dtype=object))
    return tensor


def arrays(result: triton.InferResult) -> dict[str, Any]:
    return {name: result.as_numpy(name) for name in TENSORS}


def test_with_threads(grpc_url: str, answer: dict[str, Any]) -> None:
    with triton.InferenceServerClient(grpc_url) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(MODEL)
        assert client.is_model_ready(MODEL, "1")
        assert not client.is_model_ready("nobody")
        assert client.get_server_metadata().name == "senet-serving"
        assert client.get_model_metadata(MODEL).inputs[1].name == "image"
        assert client.get_model_config(MODEL).config.max_batch_size >= 1
        assert client.get_model_repository_index().models[0].name == MODEL
        assert_equal(arrays(client.infer(MODEL, [encoded()])), answer)
        asked = triton.InferRequestedOutput("scores", class_count=2)
        [[best, _]] = client.infer(MODEL, [encoded()], outputs=[asked]).as_numpy("scores")
        assert best.decode().endswith(":" + answer["predictions"][0]["label"])
        results: queue.Queue[tuple[Any, Any]] = queue.Queue()
        client.async_infer(
            MODEL, [encoded()], callback=lambda result, error: results.put((result, error))
        )
        result, error = results.get(timeout=30)
        assert error is None
        assert_equal(arrays(result), answer)


def test_pixels(grpc_url: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 160, 160, 3), dtype=np.uint8)
    tensor = triton.InferInput("images", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels)
    with triton.InferenceServerClient(grpc_url) as client:
        assert client.infer(MODEL, [tensor]).as_numpy("logits").shape == (2, 10)


def test_errors(grpc_url: str) -> None:
    with triton.InferenceServerClient(grpc_url) as client:
        nothing = [triton.InferRequestedOutput("nothing")]
        with pytest.raises(InferenceServerException, match="no output 'nothing'"):
            client.infer(MODEL, [encoded()], outputs=nothing)
        with pytest.raises(InferenceServerException, match=r"NOT_FOUND.*not loaded"):
            client.infer("nobody", [encoded()])
        with pytest.raises(InferenceServerException, match="DEADLINE_EXCEEDED"):
            client.infer(MODEL, [encoded()], timeout=1)
        # The service has no keys, and then nobody may.
        for change in (client.load_model, client.unload_model):
            with pytest.raises(InferenceServerException, match="API key with the scope admin"):
                change(MODEL)


async def test_with_asyncio(grpc_url: str, answer: dict[str, Any]) -> None:
    async with triton_aio.InferenceServerClient(grpc_url) as client:
        assert await client.is_model_ready(MODEL)
        assert_equal(arrays(await client.infer(MODEL, [encoded()])), answer)
