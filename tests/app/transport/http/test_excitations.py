"""`include=excitations` gives the gates of each SE block, and the model tells what is usual."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.engines.onnx_engine import OnnxEngines
from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.gated_model import write_gated_model
from tests.support.http import assert_problem, post_image
from tests.support.images import encode, photo
from tests.support.repository import write_model
from tests.support.server import running

PICTURE = encode(photo(COLOURS[9]))


@pytest.fixture
def client(tmp_path: Path, make_settings: Callable[..., Settings]) -> Iterator[httpx.Client]:
    write_gated_model(tmp_path)
    settings = make_settings(model_repository=tmp_path)
    with running(settings, OnnxEngines("cpu")) as live, live.client() as client:
        yield client


def test_each_block_has_its_gates(client: httpx.Client) -> None:
    [result] = post_image(client, PICTURE, params="include=excitations").json()["results"]
    assert list(result["excitations"]) == ["first", "2.b"]
    assert result["excitations"]["first"] == pytest.approx(np.array(COLOURS[9]) / 255, abs=0.01)
    assert len(result["excitations"]["2.b"]) == len(COLOURS)
    assert all(0 <= gate <= 1 for gate in result["excitations"]["2.b"])


def test_they_come_beside_the_other_outputs_and_only_if_asked_for(client: httpx.Client) -> None:
    parts = [("image", PICTURE), ("image", encode(photo(COLOURS[5])))]
    answer = client.post("/classify?include=excitations,cam,embedding", files=parts).json()
    nine, five = answer["results"]
    assert nine["excitations"]["first"] == pytest.approx(nine["embedding"])
    assert five["excitations"]["first"] == pytest.approx(five["embedding"])
    assert nine["predictions"][0]["cam"]
    assert "excitations" not in post_image(client, PICTURE).json()["results"][0]


def test_their_weight_counts(tmp_path: Path, make_settings: Callable[..., Settings]) -> None:
    write_gated_model(tmp_path)
    settings = make_settings(model_repository=tmp_path, max_answer_bytes=1024)
    with running(settings, OnnxEngines("cpu")) as live, live.client() as client:
        assert post_image(client, PICTURE, params="top_k=1").status_code == 200
        response = post_image(client, PICTURE, params="top_k=1&include=excitations")
        assert_problem(response, 422, "answer_too_large")


def test_the_open_inference_protocol_has_them_by_name(client: httpx.Client) -> None:
    names = [entry["name"] for entry in client.get("/v2/models/colours").json()["outputs"]]
    assert names[-2:] == ["excitation.first", "excitation.2.b"]


def test_a_model_without_gates_says_so(
    tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    write_model(tmp_path)
    settings = make_settings(model_repository=tmp_path)
    with running(settings, FakeEngines()) as live, live.client() as client:
        problem = assert_problem(
            post_image(client, PICTURE, params="include=excitations"), 422, "output_not_available"
        )
        assert problem["detail"] == ("include: colours:1 has no excitations, only embedding, cam")
        response = client.get("/models/colours/versions/1/gates/9")
        assert_problem(response, 422, "output_not_available")


@pytest.mark.parametrize("version", ["1", "stable"])
def test_what_is_usual_for_a_class_is_told(client: httpx.Client, version: str) -> None:
    usual = client.get(f"/models/colours/versions/{version}/gates/9").json()
    assert (usual["label"], usual["dataset"], usual["photos"]) == ("colour 9", "two photos", 2)
    assert {block: len(gates["mean"]) for block, gates in usual["blocks"].items()} == {
        "first": 3, "2.b": len(COLOURS),
    }  # fmt: skip
    assert usual["blocks"]["first"]["mean"][0] == pytest.approx(0.25, abs=0.005)
    assert usual["blocks"]["first"]["spread"][0] == pytest.approx(0.25, abs=0.005)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("colours/versions/1/gates/8", 422, "output_not_available"),
        (f"colours/versions/1/gates/{len(COLOURS)}", 422, "invalid_parameter"),
        ("colours/versions/1/gates/-1", 422, "invalid_parameter"),
        ("colours/versions/1/gates/church", 422, "invalid_parameter"),
        (f"colours/versions/1/gates/{'9' * 5000}", 422, "invalid_parameter"),
        ("colours/versions/2/gates/9", 404, "model_not_found"),
        ("others/versions/1/gates/9", 404, "model_not_found"),
    ],
)
def test_what_is_not_known_is_refused(
    client: httpx.Client, path: str, status: int, code: str
) -> None:
    assert_problem(client.get(f"/models/{path}"), status, code)
