"""Triton's model repository extension, over HTTP and gRPC: index, load, unload."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from app.cli.keys import add_key
from app.settings import Settings
from app.transport.grpc.protocol import open_inference_pb2 as protocol
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.grpc_client import GrpcClient, refusal
from tests.support.http import post_image
from tests.support.images import encode, photo
from tests.support.repository import write_model
from tests.support.server import LiveServer, running
from tests.support.waiting import eventually

PICTURE = encode(photo(COLOURS[3]))


@pytest.fixture
def engines() -> FakeEngines:
    return FakeEngines()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one version of two models."""
    root = tmp_path / "models"
    write_model(root)
    write_model(root, name="others")
    return root


@pytest.fixture
def key(tmp_path: Path) -> str:
    add_key(tmp_path / "keys.json", "caller", ["classify"])
    return add_key(tmp_path / "keys.json", "operator", ["admin", "classify"])


@pytest.fixture
def live(
    make_settings: Callable[..., Settings],
    root: Path,
    tmp_path: Path,
    key: str,
    engines: FakeEngines,
) -> Iterator[LiveServer]:
    settings = make_settings(
        model_repository=root, api_keys_file=tmp_path / "keys.json", grpc_port=0
    )
    with running(settings, engines) as live:
        yield live


@pytest.fixture
def http(live: LiveServer, key: str) -> Iterator[httpx.Client]:
    with live.client() as client:
        client.headers["x-api-key"] = key
        yield client


def index(http: httpx.Client, **asked: object) -> dict[str, str]:
    response = http.post("/v2/repository/index", json=asked)
    assert response.status_code == 200, response.text
    return {f"{each['name']}:{each['version']}": each["state"] for each in response.json()}


def change(http: httpx.Client, model: str, action: str, **body: object) -> httpx.Response:
    return http.post(f"/v2/repository/models/{model}/{action}", json=body)


def test_the_index_tells_what_is_there_and_what_of_it_is_loaded(http: httpx.Client) -> None:
    assert index(http) == {"colours:1": "READY", "others:1": "UNAVAILABLE"}
    assert index(http, ready=True) == {"colours:1": "READY"}
    assert http.post("/v2/repository/index").status_code == 200  # Triton's client sends no body


def test_a_model_is_loaded_and_unloaded(http: httpx.Client) -> None:
    assert change(http, "others", "load").status_code == 200
    assert index(http)["others:1"] == "READY"
    assert http.get("/v2/models/others/ready").status_code == 200
    assert change(http, "others", "load").status_code == 200  # again: nothing to do
    assert change(http, "others", "unload").status_code == 200
    assert index(http)["others:1"] == "UNAVAILABLE"
    assert http.get("/v2/models/others/ready").status_code == 404


def test_loading_brings_the_highest_version_into_service(http: httpx.Client, root: Path) -> None:
    write_model(root, version=2)
    assert change(http, "colours", "load").status_code == 200
    answer = post_image(http, PICTURE)
    assert answer.json()["model"]["version"] == "2"
    eventually(lambda: index(http)["colours:1"] == "UNAVAILABLE")


def test_all_versions_are_unloaded_even_those_with_a_split(http: httpx.Client, root: Path) -> None:
    write_model(root, version=2)
    assert http.post("/models/colours/versions/2:load").status_code == 202
    eventually(lambda: index(http)["colours:2"] == "READY")
    assert http.put("/models/colours/split", json={"1": 50, "2": 50}).status_code == 202
    assert change(http, "colours", "unload").status_code == 200
    assert set(index(http).values()) == {"UNAVAILABLE"}
    assert post_image(http, PICTURE).json()["code"] == "not_ready"
    assert change(http, "colours", "load").status_code == 200
    assert post_image(http, PICTURE).json()["model"]["version"] == "2"


@pytest.mark.parametrize(
    ("model", "action", "body", "status", "code"),
    [
        ("nobody", "load", {}, 422, "load_refused"),
        ("%2e%2e", "load", {}, 422, "load_refused"),
        ("nobody", "unload", {}, 404, "model_not_found"),
        ("others", "unload", {}, 404, "model_not_found"),
        ("others", "load", {"parameters": {"config": "{}"}}, 422, "invalid_parameter"),
        ("others", "load", {"parameters": {"file:1/model.onnx": "eA=="}}, 422, "invalid_parameter"),
        ("others", "load", {"parameters": 5}, 422, "invalid_parameter"),
    ],
)
def test_changes_that_are_refused(
    http: httpx.Client, model: str, action: str, body: dict[str, Any], status: int, code: str
) -> None:
    response = change(http, model, action, **body)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert response.json()["error"]
    assert index(http) == {"colours:1": "READY", "others:1": "UNAVAILABLE"}


@pytest.mark.parametrize("body", [b"{", b"[]", b"x" * 20_000])
def test_bodies_that_are_something_else(http: httpx.Client, body: bytes) -> None:
    for path in ("index", "models/others/load", "models/others/unload"):
        response = http.post(f"/v2/repository/{path}", content=body)
        assert response.status_code in (400, 413, 422)
        assert response.json()["error"]


def test_a_version_that_cannot_be_loaded_leaves_its_reason(http: httpx.Client, root: Path) -> None:
    (root / "others" / "1" / "model.fp32.onnx").write_bytes(b"broken")
    response = change(http, "others", "load")
    assert (response.status_code, response.json()["code"]) == (422, "load_refused")
    [entry] = [
        each for each in http.post("/v2/repository/index").json() if each["name"] == "others"
    ]
    assert entry["state"] == "UNAVAILABLE"
    assert "SHA-256" in entry["reason"]


def test_metadata_of_a_model_that_is_being_loaded(
    http: httpx.Client, live: LiveServer, engines: FakeEngines, key: str
) -> None:
    engines.gate.close()
    assert http.post("/models/others/versions/1:load").status_code == 202
    engines.gate.wait_until_held()
    assert index(http)["others:1"] == "LOADING"
    for path in ("", "/ready", "/config", "/versions/1"):
        response = http.get(f"/v2/models/others{path}")
        assert (response.status_code, response.json()["code"]) == (503, "not_ready")
        assert int(response.headers["retry-after"]) >= 1
    assert change(http, "others", "load").json()["code"] == "load_conflict"
    with GrpcClient(live.grpc_port) as client:
        named = protocol.ModelMetadataRequest(name="others")
        status, code, _ = refusal(partial(client.call, "ModelMetadata", named))
        assert (status, code) == (grpc.StatusCode.UNAVAILABLE, "not_ready")
    engines.gate.open()
    eventually(lambda: index(http)["others:1"] == "READY")


def test_over_grpc(live: LiveServer, key: str) -> None:
    mine = (("x-api-key", key),)
    others = protocol.RepositoryModelLoadRequest(model_name="others")
    with GrpcClient(live.grpc_port) as client:

        def states(*, ready: bool = False) -> dict[str, str]:
            asked = protocol.RepositoryIndexRequest(ready=ready)
            models = client.call("RepositoryIndex", asked, metadata=mine).models
            return {model.name: model.state for model in models}

        assert states() == {"colours": "READY", "others": "UNAVAILABLE"}
        client.call("RepositoryModelLoad", others, metadata=mine)
        assert states(ready=True) == {"colours": "READY", "others": "READY"}
        client.call(
            "RepositoryModelUnload",
            protocol.RepositoryModelUnloadRequest(model_name="others"),
            metadata=mine,
        )
        assert states() == {"colours": "READY", "others": "UNAVAILABLE"}
        others.parameters["config"].string_param = "{}"
        load = partial(client.call, "RepositoryModelLoad", others, metadata=mine)
        assert refusal(load)[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_parameter")


def test_only_a_key_with_the_scope_may_change_what_is_loaded(
    live: LiveServer, tmp_path: Path
) -> None:
    other = add_key(tmp_path / "keys.json", "another", ["classify"])
    with live.client() as client, GrpcClient(live.grpc_port) as caller:
        for action, name in (("load", "RepositoryModelLoad"), ("unload", "RepositoryModelUnload")):
            assert change(client, "others", action).json()["code"] == "unauthenticated"
            assert refusal(partial(caller.call, name))[1] == "unauthenticated"
            client.headers["x-api-key"] = other
            assert change(client, "others", action).json()["code"] == "forbidden"
            mine = (("x-api-key", other),)
            assert refusal(partial(caller.call, name, metadata=mine))[1] == "forbidden"
            del client.headers["x-api-key"]
