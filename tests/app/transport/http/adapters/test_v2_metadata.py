"""What the Open Inference Protocol tells of the service and its models."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from app.inference.service import State
from app.settings import Settings
from tests.support.colours import COLOURS, INPUT_SIDE
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.foreign import post_encoded
from tests.support.images import encode, photo
from tests.support.server import LiveServer, running
from tests.support.waiting import eventually

SHAPE = [INPUT_SIDE, INPUT_SIDE, 3]
MODEL_PATHS = ["/v2/models/colours", "/v2/models/colours/versions/1"]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        *[(f"{path}/ready", {"name": "colours", "ready": True}) for path in MODEL_PATHS],
    ],
)
def test_health(client: httpx.Client, path: str, answer: dict[str, object]) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()) == (200, answer)
    assert client.head(path).status_code == 200


def test_the_server(client: httpx.Client) -> None:
    answer = client.get("/v2").json()
    assert answer["name"] == "senet-serving"
    assert {"binary_tensor_data", "classification"} <= set(answer["extensions"])


@pytest.mark.parametrize("path", MODEL_PATHS)
def test_a_model(client: httpx.Client, path: str) -> None:
    assert client.get(path).json() == {
        "name": "colours",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": "images", "datatype": "UINT8", "shape": [-1, *SHAPE]},
            {"name": "image", "datatype": "BYTES", "shape": [-1, 1]},
        ],
        "outputs": [
            {"name": "scores", "datatype": "FP32", "shape": [-1, len(COLOURS)]},
            {"name": "logits", "datatype": "FP32", "shape": [-1, len(COLOURS)]},
            {"name": "embedding", "datatype": "FP32", "shape": [-1, 3]},
            {
                "name": "cam",
                "datatype": "FP32",
                "shape": [-1, len(COLOURS), INPUT_SIDE, INPUT_SIDE],
            },
        ],
    }


def test_a_models_configuration(client: httpx.Client) -> None:
    config = client.get("/v2/models/colours/config").json()
    assert (config["name"], config["max_batch_size"]) == ("colours", 8)
    assert config["input"][0] == {
        "name": "images", "data_type": "TYPE_UINT8", "dims": SHAPE, "optional": True,
    }  # fmt: skip
    assert config["output"][0]["name"] == "scores"


def test_the_repository(client: httpx.Client) -> None:
    assert client.post("/v2/repository/index").json() == [
        {"name": "colours", "version": "1", "state": "READY", "reason": ""}
    ]


@pytest.mark.parametrize("end", ["", "/ready", "/config"])
@pytest.mark.parametrize("model", ["nobody", "colours/versions/2", "%2e%2e"])
def test_models_that_are_not_there(client: httpx.Client, model: str, end: str) -> None:
    response = client.get(f"/v2/models/{model}{end}")
    assert (response.status_code, response.json()["code"]) == (404, "model_not_found")
    assert response.json()["error"]


@pytest.mark.parametrize("path", ["/v2/nothing", "/v2/systemsharedmemory/status", "/v2/logging"])
def test_what_is_not_served_says_so_where_clients_look(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert "not served" in response.json()["error"]


def test_while_the_model_is_loading(make_settings: Callable[..., Settings]) -> None:
    engines = FakeEngines()
    engines.gate.close()
    with running(make_settings(), engines, ready=False) as live, live.client() as client:
        engines.gate.wait_until_held()
        assert client.get("/v2/health/live").status_code == 200
        for path in ("/v2/health/ready", "/v2/models/colours", "/v2/models/colours/ready"):
            assert_unavailable(client.get(path), "not_ready")
        assert_unavailable(client.post("/v2/models/colours/infer", content=b"{}"), "not_ready")
        assert client.get("/v2").status_code == 200
        engines.gate.open()
        live.wait_until_ready()
        assert client.get("/v2/models/colours/ready").status_code == 200


def test_while_draining(make_settings: Callable[..., Settings]) -> None:
    engine = FakeEngine()
    with running(make_settings(), FakeEngines(engine)) as live, live.client() as client:
        engine.gate.close()
        with ThreadPoolExecutor(1) as threads:
            accepted = threads.submit(infer_alone, live)
            engine.gate.wait_until_held()
            live.begin_drain()
            eventually(lambda: live.service.state is State.DRAINING)
            assert_unavailable(client.get("/v2/health/ready"), "draining")
            assert client.get("/v2/health/live").status_code == 200
            engine.gate.open()
            assert accepted.result().status_code == 200


def infer_alone(live: LiveServer) -> httpx.Response:
    with live.client() as client:
        return post_encoded(client, [encode(photo(COLOURS[9]))])


def assert_unavailable(response: httpx.Response, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (503, code)
    assert response.json()["error"]
    assert int(response.headers["retry-after"]) >= 1
