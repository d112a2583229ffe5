"""Hugging Face's image classification at `POST /`."""

import json
from typing import Any

import httpx
import pytest

from tests.support.colours import COLOURS
from tests.support.foreign import as_text
from tests.support.http import post_image
from tests.support.images import encode, photo, truncated_jpeg

PICTURE = encode(photo(COLOURS[21]))
JSON = {"content-type": "application/json"}


def by_classify(client: httpx.Client, top_k: int) -> list[dict[str, Any]]:
    [item] = post_image(client, PICTURE, params={"top_k": top_k}).json()["results"]
    return [{"label": best["label"], "score": best["score"]} for best in item["predictions"]]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "image/png"},
        {"content-type": "application/octet-stream"},
        # What `curl --data-binary` says of any data.
        {"content-type": "application/x-www-form-urlencoded"},
    ],
)
def test_a_photo_as_the_body(client: httpx.Client, headers: dict[str, str]) -> None:
    response = client.post("/", content=PICTURE, headers=headers)
    assert response.headers["content-type"] == "application/json"
    assert response.json() == by_classify(client, 5)


@pytest.mark.parametrize(
    ("more", "top_k"),
    [
        ({}, 5),
        ({"parameters": None}, 5),
        ({"parameters": {}}, 5),
        ({"parameters": {"top_k": 2}}, 2),
        ({"parameters": {"top_k": 10**9, "function_to_apply": "softmax"}}, 64),
        ({"parameters": {"top_k": None, "function_to_apply": None}}, 5),
        ({"options": {"wait_for_model": True}}, 5),
    ],
)
def test_a_photo_in_json(client: httpx.Client, more: dict[str, Any], top_k: int) -> None:
    response = client.post("/", json={"inputs": as_text(PICTURE)} | more)
    assert response.json() == by_classify(client, top_k)


def test_json_whose_type_nobody_told(client: httpx.Client) -> None:
    body = b"\n " + json.dumps({"inputs": as_text(PICTURE)}).encode()
    assert client.post("/", content=body).json() == by_classify(client, 5)


def test_a_data_uri(client: httpx.Client) -> None:
    inputs = "data:image/png;base64," + as_text(PICTURE)
    assert client.post("/", json={"inputs": inputs}).json() == by_classify(client, 5)


def test_the_query_has_what_classify_has(client: httpx.Client) -> None:
    query = "?top_k=3&priority=bulk&model=colours&version=1"
    assert client.post("/" + query, content=PICTURE).json() == by_classify(client, 3)
    assert client.post("/", content=PICTURE, params={"min_score": 1}).json() == []


@pytest.mark.parametrize("function", ["sigmoid", "none"])
def test_a_function_other_than_the_models_own(client: httpx.Client, function: str) -> None:
    parameters = {"function_to_apply": function}
    response = client.post("/", json={"inputs": as_text(PICTURE), "parameters": parameters})
    assert_refused(response, 422, "invalid_parameter", function)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"inputs": [as_text(PICTURE)]}, "inputs"),
        ({"inputs": {"image": as_text(PICTURE)}}, "inputs"),
        ({"inputs": None}, "inputs"),
        ({"image": as_text(PICTURE)}, "inputs"),
        ({"inputs": "https://example.com/photo.jpg"}, "not fetched"),
        ({"inputs": "not base64!"}, "base64"),
        ({"inputs": as_text(PICTURE), "parameters": {"top_k": 0}}, "top_k"),
        ({"inputs": as_text(PICTURE), "parameters": {"top_k": "2"}}, "top_k"),
        ({"inputs": as_text(PICTURE), "parameters": {"topk": 2}}, "topk"),
        ({"inputs": as_text(PICTURE), "parameters": {"function_to_apply": "relu"}}, "function"),
        ({"inputs": as_text(PICTURE), "more": 1}, "more"),
        ([], "body"),
        ("text", "body"),
    ],
)
def test_json_that_is_no_request(client: httpx.Client, document: object, words: str) -> None:
    assert_refused(client.post("/", json=document), 400, "malformed_request", words)


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"", {}, 400, "malformed_request"),
        (b"", JSON, 400, "malformed_request"),
        (b"{" * 100_000, JSON, 400, "malformed_request"),
        (PICTURE, JSON, 400, "malformed_request"),
        (b"text", {}, 415, "unsupported_image_format"),
        (PICTURE, {"content-type": "text/plain"}, 415, "unsupported_media_type"),
        (PICTURE, {"content-type": "multipart/form-data"}, 415, "unsupported_media_type"),
        (PICTURE, {"content-encoding": "gzip"}, 415, "unsupported_media_type"),
        (truncated_jpeg(), {}, 422, "invalid_image"),
    ],
)
def test_bodies_that_hold_no_photo(
    client: httpx.Client, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    assert_refused(client.post("/", content=content, headers=headers), status, code)


def assert_refused(response: httpx.Response, status: int, code: str, words: str = "") -> None:
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code), response.text
    assert response.headers["content-type"] == "application/json"
    assert words in problem["error"]
    assert problem["error"] == problem["detail"]
