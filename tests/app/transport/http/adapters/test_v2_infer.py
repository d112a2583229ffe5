"""Inference by the Open Inference Protocol equals that of `/classify`."""

import json

import httpx
import numpy as np
import pytest

from tests.support.colours import COLOURS, INPUT_SIDE
from tests.support.foreign import (
    INFER,
    as_text,
    elements,
    encoded_head,
    pixel_head,
    post_binary,
    post_encoded,
    tensors,
)
from tests.support.http import post_image
from tests.support.images import encode, photo, truncated_jpeg

PICTURES = [encode(photo(COLOURS[index])) for index in (3, 40, 17)]
PIXELS = np.random.default_rng(5).integers(0, 256, (2, INPUT_SIDE, INPUT_SIDE, 3), dtype=np.uint8)
CLASSES = len(COLOURS)


def by_classify(client: httpx.Client, picture: bytes) -> tuple[list[float], list[float]]:
    """The scores of all classes, by index, and the embedding."""
    params: dict[str, str | int] = {"top_k": CLASSES, "include": "embedding"}
    [item] = post_image(client, picture, params=params).json()["results"]
    scores = {each["class_index"]: each["score"] for each in item["predictions"]}
    return [scores[index] for index in range(CLASSES)], item["embedding"]


@pytest.mark.parametrize("binary", [True, False])
def test_files_give_what_classify_gives(client: httpx.Client, *, binary: bool) -> None:
    parameters = {"binary_data_output": binary}
    found = tensors(post_encoded(client, PICTURES, parameters=parameters))

    assert {name: value.shape for name, value in found.items()} == {
        "scores": (3, CLASSES),
        "logits": (3, CLASSES),
        "embedding": (3, 3),
        "cam": (3, CLASSES, INPUT_SIDE, INPUT_SIDE),
    }
    for row, picture in enumerate(PICTURES):
        scores, embedding = by_classify(client, picture)
        np.testing.assert_allclose(found["scores"][row], scores, atol=1e-6)
        np.testing.assert_array_equal(found["embedding"][row], np.array(embedding, np.float32))


def test_files_may_come_as_base64_in_json_without_a_content_type(client: httpx.Client) -> None:
    tensor = {"name": "image", "datatype": "BYTES", "shape": [3, 1]}
    body = {"inputs": [tensor | {"data": [as_text(picture) for picture in PICTURES]}]}
    found = tensors(client.post(INFER, content=json.dumps(body).encode()))
    expected = tensors(post_encoded(client, PICTURES))

    np.testing.assert_allclose(found["logits"], expected["logits"], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("form", ["binary", "flat", "nested"])
def test_pixels_go_into_the_network_as_they_are(client: httpx.Client, form: str) -> None:
    head = pixel_head(PIXELS, outputs=[{"name": "embedding"}])
    if form == "binary":
        response = post_binary(client, head, PIXELS.tobytes())
    else:
        [tensor] = head["inputs"]
        del tensor["parameters"]
        tensor["data"] = PIXELS.ravel().tolist() if form == "flat" else PIXELS.tolist()
        response = client.post(INFER, json=head)

    expected = (PIXELS / 255).astype(np.float32).mean(axis=(1, 2))
    np.testing.assert_array_equal(tensors(response)["embedding"], expected)


def test_outputs_come_as_asked_for_in_that_order(client: httpx.Client) -> None:
    response = post_encoded(
        client,
        PICTURES[:1],
        id="my-request",
        outputs=[
            {"name": "embedding", "parameters": {"binary_data": True}},
            {"name": "scores", "parameters": {"binary_data": False}},
        ],
    )
    head = json.loads(response.content[: int(response.headers["inference-header-content-length"])])

    assert response.headers["content-type"] == "application/octet-stream"
    assert (head["model_name"], head["model_version"], head["id"]) == ("colours", "1", "my-request")
    assert [output["name"] for output in head["outputs"]] == ["embedding", "scores"]
    assert ["data" in output for output in head["outputs"]] == [False, True]
    assert list(tensors(response)) == ["embedding", "scores"]


@pytest.mark.parametrize("binary", [True, False])
def test_best_classes_by_tritons_extension(client: httpx.Client, *, binary: bool) -> None:
    parameters = {"classification": 2, "binary_data": binary}
    outputs = [{"name": name, "parameters": parameters} for name in ("scores", "logits")]
    found = tensors(post_encoded(client, PICTURES[:2], outputs=outputs))

    items = [post_image(client, picture).json()["results"][0] for picture in PICTURES[:2]]
    expected = [
        f"{best['score']:f}:{best['class_index']}:{best['label']}"
        for item in items
        for best in item["predictions"][:2]
    ]
    assert found["scores"] == expected
    assert [text.split(":")[1:] for text in found["logits"]] == [
        text.split(":")[1:] for text in expected
    ]


def test_more_classes_than_there_are_means_all(client: httpx.Client) -> None:
    outputs = [{"name": "scores", "parameters": {"classification": 10**12}}]
    assert len(tensors(post_encoded(client, PICTURES[:1], outputs=outputs))["scores"]) == CLASSES


def test_a_body_that_is_one_file_by_its_header(client: httpx.Client) -> None:
    headers = {"inference-header-content-length": "0"}
    found = tensors(client.post(INFER, content=PICTURES[1], headers=headers))
    assert found["scores"].argmax() == 40


def test_a_version_may_be_named(client: httpx.Client) -> None:
    head, binary = encoded_head(PICTURES[:1]), elements(PICTURES[:1])
    path = "/v2/models/colours/versions/{}/infer"
    assert post_binary(client, head, binary, path=path.format(1)).status_code == 200
    other = post_binary(client, head, binary, path=path.format(2))
    assert (other.status_code, other.json()["code"]) == (404, "model_not_found")


def test_what_clients_add_of_their_own_is_ignored(client: httpx.Client) -> None:
    response = post_encoded(
        client,
        PICTURES[:1],
        model_name="colours",
        parameters={"mine": 1, "priority": 2, "timeout": 0},
        outputs=None,
    )
    assert tensors(response)["scores"].argmax() == 3


def test_the_answer_names_the_model_and_the_stages(client: httpx.Client) -> None:
    response = post_encoded(client, PICTURES[:1])
    model = post_image(client, PICTURES[0]).json()["model"]

    assert response.json()["parameters"] == {
        name: model[name] for name in ("precision", "digest", "preprocessing")
    }
    assert response.headers["x-model"] == "colours:1"
    assert response.headers["x-model-digest"] == model["digest"]
    assert response.headers["server-timing"].startswith("decode;dur=")
    assert response.headers["x-request-id"]


def test_one_bad_file_of_several_is_named(client: httpx.Client) -> None:
    response = post_encoded(client, [PICTURES[0], truncated_jpeg(), PICTURES[1]])
    assert response.status_code == 422
    assert response.json()["code"] == "invalid_image"
    assert response.json()["error"].startswith("image 1: ")
