"""Each mistake that an inference request can make: one clear answer, and `error` says why."""

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import numpy as np
import pytest

from app.settings import Settings
from tests.support.colours import COLOURS, INPUT_SIDE
from tests.support.engines import FakeEngines
from tests.support.foreign import (
    INFER,
    as_text,
    elements,
    encoded_head,
    pixel_head,
    post_binary,
    post_encoded,
)
from tests.support.images import encode, photo
from tests.support.server import running

PICTURE = encode(photo(COLOURS[9]))
BINARY = elements([PICTURE])
PIXELS = np.zeros((1, INPUT_SIDE, INPUT_SIDE, 3), np.uint8)
HEAD = encoded_head([PICTURE])
[ENCODED] = HEAD["inputs"]
[WHOLE] = pixel_head(PIXELS)["inputs"]
IN_JSON = {"name": "images", "datatype": "UINT8", "shape": list(PIXELS.shape)}
TEXTS = {"name": "image", "datatype": "BYTES", "shape": [1]}
FLAT = PIXELS.ravel().tolist()


def assert_refused(response: httpx.Response, status: int, code: str, words: str = "") -> None:
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code), response.text
    assert response.headers["content-type"] == "application/json"
    assert problem["error"] == problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"]
    assert words in problem["error"]
    assert len(problem["error"]) < 500


def one(tensor: Mapping[str, Any], **change: object) -> dict[str, Any]:
    return {"inputs": [{**tensor, **change}]}


def sized(tensor: Mapping[str, Any], size: object) -> dict[str, Any]:
    return one(tensor, parameters={"binary_data_size": size})


@pytest.mark.parametrize(
    ("head", "binary", "words"),
    [
        pytest.param(one(ENCODED, shape=[2]), BINARY, "2", id="fewer elements than the shape"),
        pytest.param(one(ENCODED, shape=[1, 1, 1]), BINARY, "not [N]", id="rank"),
        pytest.param(one(ENCODED, shape=[1, 2]), BINARY, "not [N]", id="second size"),
        pytest.param(one(ENCODED, shape=[]), BINARY, "not [N]", id="no size"),
        pytest.param(one(ENCODED, shape=[0]), BINARY, "a batch of 0", id="empty batch"),
        pytest.param(one(ENCODED, shape=[-1]), BINARY, "a batch of -1", id="negative batch"),
        pytest.param(one(ENCODED, shape=[1.0]), BINARY, "shape", id="size with a point"),
        pytest.param(one(ENCODED, shape=[True]), BINARY, "shape", id="size true"),
        pytest.param(one(ENCODED, shape="1"), BINARY, "shape", id="shape as text"),
        pytest.param(one(ENCODED, datatype="UINT8"), BINARY, "BYTES [N]", id="dtype of files"),
        pytest.param(one(ENCODED, datatype="bytes"), BINARY, "BYTES [N]", id="dtype in lower case"),
        pytest.param(one(ENCODED, name="images"), BINARY, "UINT8 [N", id="files as pixels"),
        pytest.param(one(ENCODED, name="photo"), BINARY, "'photo'", id="name"),
        pytest.param(one(ENCODED, name="x" * 10_000), BINARY, "xxx", id="endless name"),
        pytest.param(one(ENCODED, name=None), BINARY, "inputs.0.name", id="no name"),
        pytest.param(sized(ENCODED, len(BINARY) - 1), BINARY, "belong to no input", id="too few"),
        pytest.param(sized(ENCODED, len(BINARY) + 1), BINARY, "are left", id="too many bytes"),
        pytest.param(sized(ENCODED, 10**18), BINARY, "are left", id="absurdly many bytes"),
        pytest.param(sized(ENCODED, -1), BINARY, "not a whole number", id="negative byte count"),
        pytest.param(sized(ENCODED, "7"), BINARY, "not a whole number", id="byte count as text"),
        pytest.param(sized(ENCODED, True), BINARY, "not a whole number", id="byte count true"),
        pytest.param(HEAD, BINARY + b"x", "belong to no input", id="bytes left over"),
        pytest.param(one(ENCODED, data=["eA=="]), BINARY, "both", id="JSON beside binary"),
        pytest.param(one(TEXTS), b"", "neither", id="no data at all"),
        pytest.param(
            sized(ENCODED, 4), struct.pack("<I", 99), "cut short", id="element beyond the tensor"
        ),
        pytest.param(sized(ENCODED, 3), b"\0\0\0", "cut short", id="length cut short"),
        pytest.param(
            one(ENCODED, parameters={"shared_memory_region": "x"}), b"", "shared memory", id="shm"
        ),
        pytest.param({"inputs": [ENCODED, ENCODED]}, BINARY * 2, "exactly one", id="twice"),
        pytest.param({"inputs": [ENCODED, WHOLE]}, BINARY + PIXELS.tobytes(), "exactly", id="both"),
        pytest.param({"inputs": []}, b"", "none", id="no input"),
        pytest.param({}, b"", "inputs", id="no inputs"),
        pytest.param([], b"", "body", id="a list"),
        pytest.param(None, b"", "body", id="null"),
        pytest.param(one(WHOLE, shape=[1, 3, 8, 8]), PIXELS.tobytes(), "not [N, 8", id="channels"),
        pytest.param(one(WHOLE, shape=[8, 8, 3]), PIXELS.tobytes(), "not [N, 8", id="no batch"),
        pytest.param(one(WHOLE, shape=[2, 8, 8, 3]), PIXELS.tobytes(), "384 bytes", id="batch"),
        pytest.param(
            one(WHOLE, shape=[-1, 8, 8, -3]), PIXELS.tobytes(), "not [N, 8", id="negative sizes"
        ),
        pytest.param(one(WHOLE, shape=[0, 8, 8, 3]), PIXELS.tobytes(), "a batch of 0", id="zero"),
        pytest.param(one(WHOLE, datatype="FP32"), PIXELS.tobytes(), "UINT8 [N", id="floats"),
        pytest.param(
            {**HEAD, "parameters": {"binary_data_output": "yes"}}, BINARY, "true nor", id="flag"
        ),
        pytest.param({**HEAD, "parameters": {"timeout": -5}}, BINARY, "timeout", id="timeout"),
        pytest.param({**HEAD, "parameters": 5}, BINARY, "parameters", id="parameters"),
        pytest.param({**HEAD, "id": 5}, BINARY, "id", id="id"),
        pytest.param({**HEAD, "outputs": [{}]}, BINARY, "outputs.0.name", id="output's name"),
        pytest.param(
            {**HEAD, "outputs": [{"name": "scores"}] * 2}, BINARY, "twice", id="output twice"
        ),
        pytest.param(
            {**HEAD, "outputs": [{"name": "cam", "parameters": {"classification": 1}}]},
            BINARY, "only scores", id="classes of maps",
        ),
        pytest.param(
            {**HEAD, "outputs": [{"name": "scores", "parameters": {"classification": -1}}]},
            BINARY, "classification", id="negative classes",
        ),
        pytest.param(
            {**HEAD, "outputs": [{"name": "scores", "parameters": {"shared_memory_region": ""}}]},
            BINARY, "shared memory", id="output in shared memory",
        ),
    ],
)  # fmt: skip
def test_a_request_that_does_not_agree_with_itself(
    client: httpx.Client, head: object, binary: bytes, words: str
) -> None:
    assert_refused(post_binary(client, head, binary), 400, "malformed_request", words)


@pytest.mark.parametrize(
    ("tensor", "data", "words"),
    [
        pytest.param(IN_JSON, FLAT[1:], "191", id="one too few"),
        pytest.param(IN_JSON, [256, *FLAT[1:]], "0 to 255", id="too large"),
        pytest.param(IN_JSON, [-1, *FLAT[1:]], "0 to 255", id="negative"),
        pytest.param(IN_JSON, [10**40, *FLAT[1:]], "", id="enormous"),
        pytest.param(IN_JSON, [0.5, *FLAT[1:]], "whole numbers", id="with a point"),
        pytest.param(IN_JSON, [True, *FLAT[1:]], "whole numbers", id="true"),
        pytest.param(IN_JSON, ["0", *FLAT[1:]], "whole numbers", id="text"),
        pytest.param(IN_JSON, [None] * 192, "whole numbers", id="nulls"),
        pytest.param(IN_JSON, [[0] * 192], "not of its shape", id="nested otherwise"),
        pytest.param(IN_JSON, [*PIXELS.tolist(), 0], "not of its shape", id="uneven"),
        pytest.param(IN_JSON, "AAAA", "not a list", id="base64"),
        pytest.param(IN_JSON, {}, "not a list", id="an object"),
        pytest.param(IN_JSON, [], "there are 0", id="empty"),
        pytest.param(TEXTS, ["***"], "not base64", id="no base64"),
        pytest.param(TEXTS, [5], "strings", id="numbers"),
        pytest.param(TEXTS, [["eA=="], ["eA=="]], "strings", id="nested texts"),
        pytest.param(TEXTS, ["https://example.com/a.jpg"], "not fetched", id="address"),
        pytest.param(TEXTS, [as_text(PICTURE)] * 2, "2 elements", id="two instead of one"),
    ],
)
def test_json_data_that_is_not_what_its_tensor_says(
    client: httpx.Client, tensor: Mapping[str, Any], data: object, words: str
) -> None:
    response = client.post(INFER, json=one(tensor, data=data))
    assert_refused(response, 400, "malformed_request", words)


@pytest.mark.parametrize("length", ["99999999", "-1", "1e3", "9" * 40, "", "0x10"])
def test_a_header_length_that_is_none_or_beyond_the_body(client: httpx.Client, length: str) -> None:
    response = post_binary(client, HEAD, BINARY, length=length)
    assert_refused(response, 400, "malformed_request", "Inference-Header-Content-Length")


def test_a_header_length_inside_the_json(client: httpx.Client) -> None:
    response = post_binary(client, HEAD, BINARY, length=5)
    assert_refused(response, 400, "malformed_request", "JSON")


def test_binary_data_without_the_header_that_says_where_it_begins(client: httpx.Client) -> None:
    response = client.post(INFER, json=HEAD)
    assert_refused(response, 400, "malformed_request", "Inference-Header-Content-Length")


def test_an_unknown_output(client: httpx.Client) -> None:
    response = post_encoded(client, [PICTURE], outputs=[{"name": "probs" * 50}])
    assert_refused(response, 422, "output_not_available", "scores, logits, embedding, cam")


@pytest.mark.parametrize("named", ["image", "images"])
def test_a_batch_over_the_limit(client: httpx.Client, named: str) -> None:
    if named == "image":
        response = post_encoded(client, [PICTURE] * 65)
    else:
        pixels = np.zeros((65, INPUT_SIDE, INPUT_SIDE, 3), np.uint8)
        response = post_binary(client, pixel_head(pixels), pixels.tobytes())
    assert_refused(response, 413, "too_many_images", "64")


def test_more_elements_than_images_are_allowed_are_not_even_read(client: httpx.Client) -> None:
    empty = bytes(4 * 1_000_000)
    tensor = ENCODED | {"parameters": {"binary_data_size": len(empty)}}
    response = post_binary(client, {"inputs": [tensor]}, empty)
    assert_refused(response, 400, "malformed_request", "65 elements")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"[" * 500_000, "", id="deep"),
        pytest.param(b'{"inputs": ' + b"[" * 5000 + b"]" * 5000 + b"}", "", id="deep and closed"),
        pytest.param(b'{"inputs": [' + b"{}," * 600_000 + b"{}]}", "500000", id="many objects"),
        pytest.param(
            json.dumps(one(IN_JSON, data=[0] * 600_000)).encode(), "500000", id="many numbers"
        ),
        pytest.param(b"{", "JSON", id="cut short"),
        pytest.param(b"", "JSON", id="empty"),
        pytest.param(b'{"inputs": NaN}', "JSON", id="NaN"),
        pytest.param(b'{"id": "\xff", "inputs": []}', "JSON", id="no UTF-8"),
        pytest.param('{"inputs": []}'.encode("utf-16"), "UTF-16", id="UTF-16"),
        pytest.param(PICTURE, "image (BYTES)", id="a photo as the body"),
    ],
)
def test_json_that_attacks_or_is_none(client: httpx.Client, body: bytes, words: str) -> None:
    assert_refused(client.post(INFER, content=body), 400, "malformed_request", words)


def test_a_photo_as_pixels(client: httpx.Client) -> None:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [len(PICTURE)]}
    head = one(tensor, parameters={"binary_data_size": len(PICTURE)})
    response = post_binary(client, head, PICTURE)
    assert_refused(response, 400, "malformed_request", "not [N, 8, 8, 3]")


def test_base64_in_the_binary_tensor_is_no_photo(client: httpx.Client) -> None:
    response = post_encoded(client, [as_text(PICTURE).encode()])
    assert_refused(response, 415, "unsupported_image_format")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_bodies(client: httpx.Client, encoding: str) -> None:
    response = client.post(INFER, json=HEAD, headers={"content-encoding": encoding})
    assert_refused(response, 415, "unsupported_media_type", encoding)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/models/nobody/infer", 404, "model_not_found"),
        ("/v2/models/colours/versions/x/infer", 404, "model_not_found"),
        (INFER + "?top_k=zero", 422, "invalid_parameter"),
        (INFER + "?model=colours", 422, "invalid_parameter"),
        (INFER + "?include=cam", 422, "invalid_parameter"),
        (INFER + "?priority=highest", 422, "invalid_parameter"),
        ("/v2/models/colours/generate", 404, "not_found"),
    ],
)
def test_wrong_places(client: httpx.Client, path: str, status: int, code: str) -> None:
    assert_refused(post_binary(client, HEAD, BINARY, path=path), status, code)


def test_a_deadline_in_microseconds(client: httpx.Client) -> None:
    response = post_encoded(client, [PICTURE], parameters={"timeout": 1})
    assert_refused(response, 504, "deadline_exceeded")


@pytest.mark.parametrize(("binary", "status"), [(True, 200), (False, 422)])
def test_an_answer_that_would_be_too_large_is_refused_before_it_is_computed(
    make_settings: Callable[..., Settings], *, binary: bool, status: int
) -> None:
    # A map takes 16 KiB in binary and about 80 KiB in JSON.
    with running(make_settings(max_answer_bytes=50_000), FakeEngines()) as live:
        outputs = [{"name": "cam", "parameters": {"binary_data": binary}}]
        with live.client() as client:
            response = post_encoded(client, [PICTURE], outputs=outputs)
    assert response.status_code == status
    if status != 200:
        assert_refused(response, status, "answer_too_large", "name the outputs")
