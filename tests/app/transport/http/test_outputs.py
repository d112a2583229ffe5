"""A model answers what its signature has, and says what it lacks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.engines.onnx_engine import OnnxEngines
from app.settings import Settings
from tests.support.colours import COLOURS, INPUT_SIDE
from tests.support.engines import FakeEngines
from tests.support.http import RawConnection, assert_problem, assert_raw_problem, post_image
from tests.support.images import encode, photo
from tests.support.repository import in_schema_1, write_model
from tests.support.server import running
from tests.support.signatures import (
    signature_with_names,
    signature_without,
    with_names,
    without_output,
)

PICTURE = encode(photo(COLOURS[9]))
NAMES = {"images": "picture", "logits": "scores", "embedding": "features", "cam": "maps/0"}


@pytest.fixture
def without_maps(tmp_path: Path) -> Path:
    write_model(
        tmp_path,
        model=without_output("cam"),
        change=lambda manifest: signature_without(manifest, "class_activation_map"),
    )
    return tmp_path


@pytest.fixture
def served_without_maps(
    without_maps: Path, make_settings: Callable[..., Settings]
) -> Iterator[httpx.Client]:
    settings = make_settings(model_repository=without_maps)
    with running(settings, OnnxEngines("cpu")) as live, live.client() as client:
        yield client


@pytest.mark.parametrize("query", ["include=cam", "include=embedding,cam", "include=cam&top_k=1"])
def test_an_output_that_the_model_lacks_is_named(
    served_without_maps: httpx.Client, query: str
) -> None:
    response = post_image(served_without_maps, PICTURE, params=query)
    problem = assert_problem(response, 422, "output_not_available")
    assert problem["detail"] == "include: colours:1 has no cam, only embedding"


def test_the_others_are_answered(served_without_maps: httpx.Client) -> None:
    [result] = post_image(served_without_maps, PICTURE, params="include=embedding").json()[
        "results"
    ]
    assert len(result["embedding"]) == 3
    assert result["predictions"][0]["class_index"] == 9
    assert_problem(
        post_image(served_without_maps, PICTURE, params="include=maps"), 422, "invalid_parameter"
    )


def test_of_several_images_none_is_computed(served_without_maps: httpx.Client) -> None:
    parts = [("image", PICTURE)] * 2
    response = served_without_maps.post("/classify?include=cam", files=parts)
    assert_problem(response, 422, "output_not_available")


def test_it_is_told_before_the_upload(
    without_maps: Path, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(model_repository=without_maps)
    with running(settings, FakeEngines()) as live, RawConnection(live.port) as connection:
        head = ("content-type: image/png", "content-length: 1000000")
        connection.send_head(*head, path="/classify?include=cam")
        assert_raw_problem(connection.read_answer(), 422, "output_not_available")


def test_a_model_that_gives_classes_alone_says_so(
    tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    def change(manifest: dict[str, object]) -> None:
        signature_without(manifest, "embedding")
        signature = manifest["signature"]
        assert isinstance(signature, dict)
        signature["outputs"] = signature["outputs"][:1]

    write_model(tmp_path, change=change)
    settings = make_settings(model_repository=tmp_path)
    with running(settings, FakeEngines()) as live, live.client() as client:
        problem = post_image(client, PICTURE, params="include=embedding").json()
    assert problem["detail"] == "include: colours:1 has no embedding, only its classes"


def test_the_names_in_a_file_are_its_own(
    tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    write_model(
        tmp_path,
        model=with_names(NAMES),
        change=lambda manifest: signature_with_names(manifest, NAMES),
    )
    settings = make_settings(model_repository=tmp_path)
    with running(settings, OnnxEngines("cpu")) as live, live.client() as client:
        answer = post_image(client, PICTURE, params="include=embedding,cam").json()
        [model] = client.get("/models").json()["models"]
    [result] = answer["results"]
    best = result["predictions"][0]
    assert (best["class_index"], len(best["cam"]), len(result["embedding"])) == (9, INPUT_SIDE, 3)
    assert [output["name"] for output in model["outputs"]] == ["scores", "features", "maps/0"]


@pytest.mark.parametrize("change", [lambda manifest: None, in_schema_1])
def test_models_shows_what_goes_in_and_what_comes_out(
    tmp_path: Path, make_settings: Callable[..., Settings], change: Callable[..., None]
) -> None:
    write_model(tmp_path, change=change)
    settings = make_settings(model_repository=tmp_path)
    with running(settings, OnnxEngines("cpu")) as live, live.client() as client:
        [model] = client.get("/models").json()["models"]
    side, classes = INPUT_SIDE, len(COLOURS)
    assert model["inputs"] == [
        {"name": "images", "shape": ["batch", side, side, 3], "dtype": "uint8", "meaning": "image"}
    ]
    assert [
        (output["name"], output["shape"], output["dtype"], output["meaning"])
        for output in model["outputs"]
    ] == [
        ("logits", ["batch", classes], "float32", "logits"),
        ("embedding", ["batch", 3], "float32", "embedding"),
        ("cam", ["batch", classes, side, side], "float32", "class_activation_map"),
    ]
