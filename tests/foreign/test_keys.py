"""Each client's own place for a key."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tritonclient")
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from tritonclient.http.auth import BasicAuth
from tritonclient.utils import InferenceServerException

from tests.foreign.conftest import Service, serving
from tests.foreign.photo import MODEL, PHOTO, ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("closed")


@pytest.fixture(scope="module")
def key(folder: Path) -> str:
    """One that may do all."""
    command = [".venv/bin/python", "-m", "app", "keys", "add", "mine"]
    scopes = ["--scope", "classify", "--scope", "admin"]
    done = subprocess.run(
        [*command, *scopes, "--file", str(folder / "keys.json")],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.split()[-1]


@pytest.fixture(scope="module")
def closed(folder: Path, key: str) -> Iterator[Service]:
    """A service that asks for keys everywhere."""
    options = ["--api-keys-file", str(folder / "keys.json"), "--open-operations", "false"]
    with serving(folder, *options) as service:
        yield service


def encoded(kind: type[over_http.InferInput] | type[over_grpc.InferInput]) -> object:
    tensor = kind("image", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([PHOTO], dtype=object))
    return tensor


def test_triton_over_http(closed: Service, key: str) -> None:
    bearer = {"authorization": f"Bearer {key}"}
    with over_http.InferenceServerClient(closed.http) as client:
        assert client.is_server_ready()
        with pytest.raises(InferenceServerException, match="send a key"):
            client.infer(MODEL, [encoded(over_http.InferInput)])
        assert client.get_model_metadata(MODEL, headers=bearer)["name"] == MODEL
        client.infer(MODEL, [encoded(over_http.InferInput)], headers=bearer)
        client.load_model(MODEL, headers=bearer)  # it is loaded, and stays so
        client.register_plugin(BasicAuth("anybody", key))
        client.infer(MODEL, [encoded(over_http.InferInput)])


def test_triton_over_grpc(closed: Service, key: str) -> None:
    with over_grpc.InferenceServerClient(closed.grpc) as client:
        assert client.is_server_ready()
        with pytest.raises(InferenceServerException, match=r"UNAUTHENTICATED.* send a key"):
            client.infer(MODEL, [encoded(over_grpc.InferInput)])
        for headers in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}):
            client.infer(MODEL, [encoded(over_grpc.InferInput)], headers=headers)
            client.load_model(MODEL, headers=headers)


def test_hugging_face(closed: Service, key: str) -> None:
    url = f"http://{closed.http}"
    with pytest.raises(HfHubHTTPError, match="401"):
        InferenceClient(url, token=key[:-1]).image_classification(PHOTO)
    assert InferenceClient(url, token=key).image_classification(PHOTO)


def test_hugging_face_under_node(closed: Service, key: str) -> None:
    node = shutil.which("node")
    assert node is not None
    done = subprocess.run(
        [node, str(Path(__file__).with_name("classify.mjs")), f"http://{closed.http}"],
        input=PHOTO, capture_output=True, check=True, timeout=60, env=os.environ | {"KEY": key},
    )  # fmt: skip
    assert json.loads(done.stdout)["plain"]
