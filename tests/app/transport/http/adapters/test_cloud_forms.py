"""SageMaker, Vertex AI, KServe's first protocol and TensorFlow Serving, TorchServe."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.foreign import as_text
from tests.support.http import post_image
from tests.support.images import encode, photo, truncated_jpeg
from tests.support.server import LiveServer, running

PICTURE = encode(photo(COLOURS[21]))
OTHER = encode(photo(COLOURS[50]))
PREDICT = "/v1/models/colours:predict"
INSTANCES = [{"b64": as_text(PICTURE)}, {"b64": as_text(OTHER)}]
INSTANCE_PATHS = ["/predict", PREDICT, "/v1/models/colours/versions/1:predict", "/invocations"]


def by_classify(client: httpx.Client, picture: bytes = PICTURE) -> list[dict[str, Any]]:
    """What `/classify` says of a picture; in another batch its scores are rounded otherwise."""
    [item] = post_image(client, picture).json()["results"]
    return [
        {
            "label": best["label"],
            "score": pytest.approx(best["score"], abs=1e-6),
            "class_index": best["class_index"],
        }
        for best in item["predictions"]
    ]


@pytest.mark.parametrize("path", INSTANCE_PATHS)
def test_instances_are_answered_in_order_each_with_its_classes(
    client: httpx.Client, path: str
) -> None:
    response = client.post(path, json={"instances": INSTANCES})
    assert response.json() == {"predictions": [by_classify(client), by_classify(client, OTHER)]}


@pytest.mark.parametrize(
    "instance",
    [
        as_text(PICTURE),
        {"content": as_text(PICTURE)},
        {"data": as_text(PICTURE)},
        {"image_bytes": {"b64": as_text(PICTURE)}, "key": "1"},
    ],
)
def test_forms_of_an_instance(client: httpx.Client, instance: object) -> None:
    answer = client.post(PREDICT, json={"instances": [instance]}).json()
    assert answer["predictions"] == [by_classify(client)]


@pytest.mark.parametrize("path", ["/predict", PREDICT])
def test_json_as_curl_sends_it(client: httpx.Client, path: str) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = json.dumps({"signature_name": "serving_default", "instances": INSTANCES}).encode()
    assert client.post(path, content=body, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "instances"),
        ({"instances": []}, "no image"),
        ({"instances": {"b64": ""}}, "instances"),
        ({"inputs": {"b64": as_text(PICTURE)}}, "instances"),
        ({"instances": [{"image": as_text(PICTURE)}]}, "holds 0 images"),
        ({"instances": [{"b64": "", "data": ""}]}, "holds 2 images"),
        ({"instances": [{"b64": 5}]}, "images"),
        ({"instances": [5]}, "an instance is"),
        ({"instances": [{"b64": "***"}]}, "instances.0"),
        ({"instances": [{"b64": "http://example.com/x"}]}, "not fetched"),
        ({"instances": INSTANCES, "signature_name": "other"}, "serving_default"),
        ([], "body"),
    ],
)
def test_what_is_no_request_of_instances(
    client: httpx.Client, document: object, words: str
) -> None:
    response = client.post(PREDICT, json=document)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_request")
    assert words in response.json()["error"]


@pytest.mark.parametrize("path", INSTANCE_PATHS)
def test_more_instances_than_are_allowed(client: httpx.Client, path: str) -> None:
    response = client.post(path, json={"instances": INSTANCES * 33})
    assert (response.status_code, response.json()["code"]) == (413, "too_many_images")


def test_one_bad_instance_is_named(client: httpx.Client) -> None:
    bad = {"b64": as_text(truncated_jpeg())}
    response = client.post(PREDICT, json={"instances": [INSTANCES[0], bad]})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_image")
    assert response.json()["error"].startswith("instance 1: ")


@pytest.mark.parametrize("path", ["/predict", PREDICT])
def test_a_photo_where_json_belongs(client: httpx.Client, path: str) -> None:
    response = client.post(path, content=PICTURE)
    assert response.status_code == 400
    assert "image" in response.json()["error"]


def test_vertex_parameters(client: httpx.Client) -> None:
    def ask(parameters: dict[str, Any]) -> httpx.Response:
        return client.post("/predict", json={"instances": INSTANCES, "parameters": parameters})

    assert len(ask({"maxPredictions": 2}).json()["predictions"][0]) == 2
    assert ask({"confidenceThreshold": 1.0}).json()["predictions"] == [[], []]
    for wrong in ({"maxPredictions": 0}, {"top_k": 2}, {"confidenceThreshold": 2}):
        assert ask(wrong).json()["code"] == "invalid_parameter"


@pytest.fixture
def vertex(make_settings: Callable[..., Settings]) -> Iterator[LiveServer]:
    names = {"AIP_HEALTH_ROUTE": "/", "AIP_PREDICT_ROUTE": "/v1/endpoints/7:predict"}
    os.environ.update(names)
    try:
        with running(make_settings(), FakeEngines()) as live:
            yield live
    finally:
        for name in names:
            del os.environ[name]


def test_vertex_chooses_its_paths(vertex: LiveServer) -> None:
    with vertex.client() as client:
        assert client.get("/").json() == {"status": "ready"}
        answer = client.post("/v1/endpoints/7:predict", json={"instances": INSTANCES})
        assert answer.json()["predictions"][0] == by_classify(client)


def test_sagemaker(client: httpx.Client) -> None:
    assert client.get("/ping").status_code == 200
    headers = {"content-type": "application/x-image"}
    raw = client.post("/invocations", content=PICTURE, headers=headers)
    inputs = {"inputs": as_text(PICTURE), "parameters": {"top_k": 5}}
    assert raw.json() == client.post("/invocations", json=inputs).json() == by_classify(client)
    wrong = client.post("/invocations", json={"inputs": as_text(PICTURE), "instances": []})
    assert wrong.status_code == 400
    csv = client.post("/invocations", content=b"1,2", headers={"content-type": "text/csv"})
    assert (csv.status_code, csv.json()["code"]) == (415, "unsupported_media_type")


def test_what_kserve_and_tensorflow_serving_tell(client: httpx.Client) -> None:
    assert client.get("/v1/models").json() == {"models": ["colours"]}
    for path in ("/v1/models/colours", "/v1/models/colours/versions/1"):
        answer = client.get(path).json()
        assert (answer["name"], answer["ready"]) == ("colours", True)
        assert answer["model_version_status"] == [
            {
                "version": "1",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    response = client.get("/v1/models/nobody")
    assert (response.status_code, response.json()["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("path", ["/predictions/colours", "/predictions/colours/1"])
def test_torchserve(client: httpx.Client, path: str) -> None:
    expected = [(best["label"], best["score"]) for best in by_classify(client)]
    for response in (
        client.post(path, content=PICTURE),
        client.put(path, content=PICTURE),  # curl -T
        client.post(path, files={"data": ("photo.png", PICTURE)}),
    ):
        assert response.status_code == 200, response.text
        assert list(response.json().items()) == expected


@pytest.mark.parametrize(
    ("send", "status"),
    [
        (lambda client: client.post("/predictions/nobody", content=PICTURE), 404),
        (lambda client: client.post("/predictions/colours/9", content=PICTURE), 404),
        (lambda client: client.post("/predictions/colours", content=b"text"), 415),
        (lambda client: client.post("/predictions/colours", content=b""), 400),
        (lambda client: client.post("/predictions/colours", json={"data": "x"}), 400),
        (
            lambda client: client.post(
                "/predictions/colours", files=[("a", ("a", PICTURE)), ("b", ("b", PICTURE))]
            ),
            400,
        ),
    ],
)
def test_errors_as_torchserve_writes_them(
    client: httpx.Client, send: Callable[[httpx.Client], httpx.Response], status: int
) -> None:
    response = send(client)
    assert response.status_code == status
    assert set(response.json()) == {"code", "type", "message"}
    assert response.json()["code"] == status


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/models?url=x.mar"),
        ("PUT", "/models/colours?min_worker=1"),
        ("DELETE", "/models/colours/1.0"),
        ("PUT", "/models/colours/1.0/set-default"),
    ],
)
def test_torchserves_management_says_where_to_go(
    client: httpx.Client, method: str, path: str
) -> None:
    response = client.request(method, path)
    assert response.status_code == 501
    assert ":load" in response.json()["message"]
